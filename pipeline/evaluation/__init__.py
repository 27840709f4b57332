"""Evaluation metrics: one public function per module, both bearing the metric's name.

Contract (checked for every module by tests/contracts/test_evaluation.py)::

    name(model, images, targets, saliency, *, <parameters with defaults>) -> dict of tensors, first axis the image

    saliency   (N, H, W), possibly signed, larger is more salient: the maps after the one reduction of ``_reduce.py``
    "score"    (N,), always present; its direction is the module's HIGHER_IS_BETTER, its bounds the module's RANGE
    "curve"    (N, S), what the metric's figure draws, with its S places on the x axis in "x" (N, S)

Constants of a module: LABEL, HIGHER_IS_BETTER, RANGE; X, where there is a curve, what its x axis counts: "fraction of
pixels", or "samples" of the method; REQUIRES, names of functions of ``_requirements.py`` that must not refuse the
method or the data set, or else the metric is left out with the reason. Keyword parameters that the step fills in where
a signature asks for them: ``ids``, ``labels``, ``masks`` (where REQUIRES has "marked"), ``mean``, ``std``,
``generator`` as in pipeline.attribution; ``ranks`` ((N, H, W) int64, 0 = most salient) and ``fills`` (name -> (N, C, H,
W) replacement pixels, normalised), both computed once per batch and shared by its metrics; ``maps`` (the unreduced
maps); ``attribute``, the method whose map is judged::

    attribute(model, images, targets, *, seed=0, **changes) -> (N, H, W), reduced like the stored map

for the batch's own images, as they are or changed, all of them and in their order, and for any network in which the
method's layer has the same name. Seed 0 draws what the stored maps were drawn with, any other seed something else;
``changes`` are parameters of the method instead of its entry's. It may be called within ``torch.no_grad``.
This file stays empty of imports: see pipeline/provenance.py.
"""
