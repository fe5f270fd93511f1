"""Comparison of training strategies on the same images, seeds and epochs: runs, gains and the report."""
