"""Evaluation metrics: one public function per module, both bearing the metric's name.

Contract (checked for every module by tests/contracts/test_evaluation.py)::

    name(model, images, targets, saliency, *, <parameters with defaults>) -> dict of tensors, first axis the image

    saliency   (N, H, W), possibly signed, larger is more salient: the maps after the one reduction of ``_reduce.py``
    "score"    (N,), always present; its direction is the module's HIGHER_IS_BETTER, its bounds the module's RANGE
    "curve"    (N, S), what the metric's figure draws, with its S places on the x axis in "x" (N, S)

Constants of a module: LABEL; FAMILY, by which the metrics are listed; HIGHER_IS_BETTER; RANGE, (lowest, highest)
score of an entry that states nothing, None where nothing bounds it; PASSES, what an image takes: {"forward": passes
through the network, "explain": calls of ``attribute``}, without what ``logits`` gives, as expressions of the parameters
and of ``pixels_of_image``, its ``channels``, ``layers`` of the network and ``images`` of a batch; X, where there is a
curve, what its x axis counts: "fraction of pixels", "fraction of regions", "samples" of the method or "layers";
DETAILS, {array: label} of arrays (N,) that are told beside the score; COUNTS, {array: parameters} of those, or the
score, which are 1 where an image counts and 0 where it does not (between, where it counts in part), so that their mean
is a share of images, if the entry has these parameters, None where it need not have any; REQUIRES, names of functions
of ``_requirements.py`` that must not refuse the method or the data set, or else the metric is left out with the reason.
A metric whose X is "layers" has a parameter ``mode``, which says how it draws layers of the network anew, and returns
"maps" as well, (N, S, H, W) float32, the maps behind the points of its curve, which a figure shows.

Keyword parameters that the step fills in where a signature asks for them:

    ids, labels, masks, mean, std   as in pipeline.attribution; ``masks`` where REQUIRES has "marked"
    generator  a CPU generator, the same for every batch and every method: what it draws is common to all images
    maps       (N, C or 1, H, W), the maps before the reduction
    ranks      ranks(unit="pixel", ties="random") -> (N, 1 or C, H, W) int64, 0 = most salient, as ``_ranking.ranks``
    fills      fills(name) -> (N, C, H, W), normalised pixels that take the place of removed ones, as ``_fills.py``
    logits     logits(name) -> (N, K), the network's answer to the images ("image") or to a fill (its name)
    attribute  attribute(model, images, targets, *, seed=0, **changes) -> (N, H, W), reduced like the stored map

``ranks``, ``fills`` and ``logits`` compute each thing once per batch, for all metrics that ask for it. ``attribute`` is
the method whose map is judged, for the batch's own images, as they are or changed, all of them and in their order, and
for any network in which the method's layer has the same name. Seed 0 draws what the stored maps were drawn with, any
other seed something else; ``changes`` are parameters of the method instead of its entry's. It may be called within
``torch.no_grad``.

A map with a value that is not finite is all zero in ``saliency`` (and so ranked at random), but not in ``maps``.
This file stays empty of imports: see pipeline/provenance.py.
"""
