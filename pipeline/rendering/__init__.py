"""Figures and tables: one public function per module, both bearing the name that config.yaml lists.

Contract (checked for every module by tests/contracts/test_rendering.py)::

    name(frame) -> matplotlib Figure or pandas DataFrame; no I/O

Constants of a module: LABEL, its title on the page; KIND, "figure" or "table"; FRAME, the tidy frame that it takes:
accuracy, coverage, scores, details, curves, ranks, agreement, retraining, left_out, gallery or randomised (columns:
docs/formats.md). A figure gets the rows of one network on one data set, a table gets them all. An empty frame gives a
figure that says so, or an empty table. The caption is workflow/report/<name>.rst.
This file stays empty of imports: see pipeline/provenance.py.
"""
