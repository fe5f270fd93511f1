"""How `data_hub` does what it promises; only `data_hub` itself is for users."""
