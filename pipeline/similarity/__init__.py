"""Similarities of network outputs: one public function per module, ``name(outputs, targets) -> (M,)``, higher = alike.

This file stays empty of imports: see pipeline/provenance.py.
"""
