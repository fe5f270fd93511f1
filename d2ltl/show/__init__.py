"""Demonstrations of what the library can show, each in under a minute: ``python -m d2ltl.show``."""
