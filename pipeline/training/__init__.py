"""Training: batch functions on uint8 device tensors, and the one loop that all networks go through.

This file stays empty of imports: see pipeline/provenance.py.
"""
