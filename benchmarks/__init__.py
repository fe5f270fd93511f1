"""Benchmarks of the library against other implementations; README.md in this folder describes them."""
