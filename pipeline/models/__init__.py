"""Classifiers: one public function per module, both bearing the network's name.

Contract (checked for every module by tests/contracts/test_models.py)::

    name(*, channels, classes, size, <parameters with defaults>) -> nn.Module

    channels, classes   of the images and of the answer
    size                (H, W) of the images
    nn.Module           (N, C, H, W) normalised -> (N, K) logits; every activation a module of its own, used once,
                        not in place

Constants of a module: LABEL; TARGET_LAYER, the dotted name of the last activation before the last pooling, or None.
This file stays empty of imports: see pipeline/provenance.py.
"""
