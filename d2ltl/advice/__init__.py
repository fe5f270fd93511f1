"""Advice on the source model and the training strategy for a set of images: ``python -m d2ltl.advice``."""
