"""Data sets: one public function per module, both bearing the data set's name.

Contract (checked for every module by tests/contracts/test_data.py)::

    name(root, *, <parameters, with defaults but for paths of the user's own>) -> Dataset

    root     pathlib.Path of the folder that holds the source files (unused by embedded data sets)
    Dataset  pipeline.data._dataset.Dataset: images uint8 (N, C, H, W), labels, split, optional masks, class names

Constants of a module, literals all: LABEL; where files are needed SOURCES, {file name: {"md5" or "sha256": digest,
"urls": mirrors}}, which are fetched unless one of ALTERNATIVES, a list of the like without mirrors, lies there whole;
FOLDERS, where below data_dir they may lie (its own name, unless stated); LOCAL, its parameters that are paths of the
user's own, relative to the first of FOLDERS. A source with "part": "test" may be absent where the test images are held
out of the training images; one with "when": <parameter> is needed only where that parameter is true. A data set for
networks that come trained may have no training image.
This layer alone of all layers reads files. This file stays empty of imports: see pipeline/provenance.py.
"""
