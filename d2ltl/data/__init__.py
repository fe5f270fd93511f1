"""Images: folders, decoding, augmentation, batches, subsets and labels."""

from d2ltl.data.folders import ImageFolder as ImageFolder
