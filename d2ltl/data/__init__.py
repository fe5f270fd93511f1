"""Images: folders, decoding, augmentation, batches, subsets and labels."""
