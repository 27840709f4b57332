"""Statistics: pure functions on arrays and tidy frames that give an estimate with its interval, low and high.

This file stays empty of imports: see pipeline/provenance.py.
"""
