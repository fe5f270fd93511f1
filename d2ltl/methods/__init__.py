"""Ways to transfer that are a training method of their own, one file each."""
