"""Classifiers: one public function per module, both bearing the network's name.

Contract (checked for every module by tests/contracts/test_models.py)::

    name(*, channels, classes, size, <parameters with defaults>) -> nn.Module

    channels, classes   of the images and of the answer
    size                (H, W) of the images; what the network cannot take raises ValueError, in one sentence
    nn.Module           (N, C, H, W) normalised -> (N, K) logits; every activation a module of its own, used once,
                        not in place; a sum of two branches is a module too, see _branches.py

A network may offer two methods more::

    penalty(count) -> Tensor    what the training loss of the last batch is to be increased by, a scalar that can be
                                differentiated; count is the number of training images. Such are a regulariser, and the
                                divergence of a posterior from its prior
    draw(generator)             a context manager, within which the weights are one draw from the posterior, the same
                                for every forward pass; generator is on the CPU. Without it, in eval mode, they are the
                                posterior's means

Constants of a module: LABEL; TARGET_LAYER, the dotted name of the last activation before the last pooling, or None
(then pipeline/models/_target.py looks for it); PUBLISHED, where the system that the network comes from published its
test accuracy: {name of the data set: accuracy}; NAMED_WEIGHTS, where the module offers ``named_weights(name, entry)``,
which gives {"url", "sha256"} of weights that an entry calls by name.
This file stays empty of imports: see pipeline/provenance.py.
"""
