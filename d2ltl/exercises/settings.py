"""Default settings of the exercises."""

EPOCHS = {1: 3, 2: 10, 3: 5, 4: 1, 5: 5}  # by exercise
RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]  # of exercise 1
TUNED_RATES, SCRATCH_RATES = [0.003, 0.01, 0.03], [0.01, 0.03, 0.1, 0.3]  # of exercise 2
# SqueezeNet needs a lower rate, because it has no batch normalisation. A higher one spoils EfficientNet's features.
ROW_RATES = {"resnet18_v2": 0.01, "efficientnet_lite0": 0.001, "squeezenet1.1": 0.001}
ROW_BATCH = 16  # of exercise 4; larger ones need much memory at 224 pixels
ROW_IMAGES = 128  # maximal number of training and of test images in exercise 4, which is slow at 224 pixels
QUICK_SHARE, QUICK_EPOCHS, QUICK_BATCH = 1 / 4, 2, 10  # share of the images, epochs, batch size with --quick
SHARES = [0.05, 0.1, 0.25, 0.5, 1.0]  # of the training images, in exercise 5
