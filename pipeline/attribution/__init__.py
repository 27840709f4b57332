"""Attribution methods: one public function per module, both bearing the method's name.

Contract (checked for every module by tests/contracts/test_attribution.py)::

    name(model, images, targets, *, <parameters with defaults>) -> maps, or {part: maps} for a multi-map method

    model    nn.Module in eval mode, (N, C, H, W) -> (N, K) logits; left exactly as found
    images   (N, C, H, W) float, normalised as in training; never modified
    targets  (N,) int64, the class explained for each image
    maps     (N, C or 1, H, W), detached, in the images' dtype, signed; larger means more evidence for the target

Constants of a module: LABEL; FAMILY; REDUCE, how channels become one saliency number (a string, or {part: string}):
abs_max, abs_sum, sum, positive_sum; PASSES, how many passes an image takes; REQUIRES, names of functions of
``_requirements.py`` that must not refuse the network. A multi-map method defines ``parts(entry)``, which names its maps
and uses no import. A method whose maps, of one channel, lie between certain numbers but for the chance of its draws may
define ``bounds(entry)``, {part: [lowest, highest]}, None for an end that is open: it uses no import either, and is
given the entry with the signature's defaults and ``similarity`` as {name: RANGE}. Arrays whose names start with
``aux_``, first axis the image, may stand after the maps in the dict, which is {"maps": maps, ...} for a method of one
map: they are kept in the store and never scored.

Keyword parameters that the step fills in where a signature asks for them: ``generator`` (a CPU generator, re-seeded for
every batch; draws are common to all images, so their shape has no N), ``ids`` ((N,) int64 places in the data set, from
which whatever must differ per image is derived), ``labels``, ``masks``, ``mean`` and ``std`` ((C,) channel statistics
in [0, 1] units), ``references`` (a function: count -> (count, C, H, W) normalised images of the training split, the
same for every batch; see pipeline/references.py), ``base`` (another bound method), ``similarity`` ({name: function} of
the modules of pipeline.similarity that the entry lists), ``layer`` ("auto" becomes the network's TARGET_LAYER; where it
states none, the last activation that gives maps).
This file stays empty of imports: see pipeline/provenance.py.
"""
