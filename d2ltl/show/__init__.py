"""Demonstrations of the library that take about a minute each: ``python -m d2ltl.show``."""
