"""Data sets: one public function per module, both bearing the data set's name.

Contract (checked for every module by tests/contracts/test_data.py)::

    name(root, *, <parameters with defaults>) -> Dataset

    root     pathlib.Path of the folder that holds the source files (unused by embedded data sets)
    Dataset  pipeline.data._dataset.Dataset: images uint8 (N, C, H, W), labels, split, optional masks, class names

Constants of a module: LABEL; SOURCES, a literal {file name: {"md5": ..., "urls": [...]}}, where files are needed.
This layer alone of all layers reads files. This file stays empty of imports: see pipeline/provenance.py.
"""
