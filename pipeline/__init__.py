"""The steps of the study (verbs, *.py here) and the science they call (nouns, one sub-package per layer)."""
