"""What makes the data that the library ships. Nothing here is installed."""
