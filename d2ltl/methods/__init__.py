"""Transfer learning methods beyond fine-tuning, one module for each method."""
