"""Similarities of a network's answer to a class: one public function per module, both bearing the similarity's name.

Contract (checked for every module by tests/contracts/test_similarity.py)::

    name(outputs, targets) -> (M,), in the outputs' dtype; higher means more alike

    outputs  (M, K) float, at least in single precision: logits, of any size
    targets  (M,) int64, the class of each row; where vectors are compared, it stands for a 1 at its place, 0 elsewhere

Constants of a module: LABEL; RANGE, (lowest, highest) of what it can give, whatever the number of classes K, as numbers
that it comes as near as you like, or None where there is no bound: a sum of N masks that show a pixel with probability
p, each weighed by its similarity, lies between N p lowest and N p highest there, but for the chance of the masks.
A method of pipeline.attribution that takes ``similarity`` is given {name: function}; its entry names them in a list.
This file stays empty of imports: see pipeline/provenance.py.
"""
