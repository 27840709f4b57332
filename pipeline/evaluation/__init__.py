"""Evaluation metrics: one public function per module, both bearing the metric's name.

Contract (checked for every module by tests/contracts/test_evaluation.py)::

    name(model, images, targets, saliency, *, <parameters with defaults>) -> dict of tensors, first axis the image

    saliency   (N, H, W), possibly signed, larger is more salient: the maps after the one reduction of ``_reduce.py``
    "score"    (N,), always present; its direction is the module's HIGHER_IS_BETTER, its bounds the module's RANGE
    "curve"    (N, S), what the metric's figure draws, with its S places on the x axis in "x" (N, S)

Constants of a module: LABEL, HIGHER_IS_BETTER, RANGE. Keyword parameters that the step fills in where a signature asks
for them: ``ids``, ``labels``, ``masks``, ``mean``, ``std``, ``generator`` as in pipeline.attribution; ``ranks``
((N, H, W) int64, 0 = most salient) and ``fills`` (name -> (N, C, H, W) replacement pixels, normalised), both computed
once per job and shared by its metrics; ``maps`` (the unreduced maps).
This file stays empty of imports: see pipeline/provenance.py.
"""
