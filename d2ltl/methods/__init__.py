"""Ways of transferring beyond fine-tuning: one file for each, to be read from top to bottom."""
