"""Training and evaluation: the training loop, checkpoints, features of images and linear probes."""
