"""Demonstrations of the library that take less than a minute each: ``python -m d2ltl.show``."""
