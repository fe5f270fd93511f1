"""Scripts that create the data shipped with the library, and measurements for the documentation. Not installed."""
