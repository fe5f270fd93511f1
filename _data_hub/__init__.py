"""Implementation of `data_hub`. Users import `data_hub`, not this package."""
