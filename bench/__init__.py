"""Speed against peers and against the floor, interleaved in one run: ``python -m bench.<name>`` prints one table."""
