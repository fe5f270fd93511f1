import mxnet as mx
import pytest

import d2ltl
from d2ltl.models.shapes import check_batch, check_input
from d2ltl.models.sources import build_net


@pytest.mark.parametrize(
    ("name", "size", "smallest"), [("squeezenet1.1", 96, 209), ("densenet121", 96, 221), ("alexnet", 32, 63)]
)
def test_a_size_too_small_names_the_smallest(name, size, smallest):
    with pytest.raises(d2ltl.NetworkError, match=f"{size} × {size} pixels; the smallest size it can run is {smallest}"):
        check_input(build_net(name, classes=2), size, 2)
    check_input(build_net(name, classes=2), smallest, 2)


def test_the_number_of_outputs_must_be_that_of_the_classes(source):
    with pytest.raises(d2ltl.NetworkError, match="5 outputs, but the images have 2 classes"):
        check_input(source, 64, 2)


@pytest.mark.parametrize("np_interface", [False, True])
@pytest.mark.parametrize(("name", "size"), [("resnet18_v2", 32), ("mobilenet0.25", 32), ("efficientnet_lite0", 32)])
def test_a_batch_that_cannot_be_normalised_names_the_smallest_that_can(name, size, np_interface):
    if np_interface:
        mx.npx.set_np()
    net = build_net(name, classes=2)
    for batch_size, devices in ((1, 1), (3, 2)):
        with pytest.raises(d2ltl.SettingsError, match=f"batch of {batch_size} .*smallest .* has {2 * devices}"):
            check_batch(net, size, batch_size, devices)
        check_batch(net, size, 2 * devices, devices)
        check_batch(net, 2 * size, batch_size, devices)
    d2ltl.freeze(net, batch_norm="fixed")
    check_batch(net, size, 1, 1)


def test_training_with_such_a_batch_is_refused(stripes, resnet):
    net = d2ltl.finetune_net(2, resnet)
    with pytest.raises(d2ltl.SettingsError, match="The smallest batch that works has 2"):
        d2ltl.train_fine_tuning(net, 0.01, 1, 1, data=stripes, size=32)
    with pytest.raises(d2ltl.SettingsError, match="The smallest batch that works has 2"):
        d2ltl.train_multitask(resnet, 0.01, 1, 1, tasks={"stripes": stripes}, size=32)


@pytest.mark.parametrize("name", ["squeezenet1.1", "mobilenetv2_1.0", "densenet121", "inceptionv3"])
def test_what_the_np_interface_cannot_run_is_refused_with_the_remedy(name):
    mx.npx.set_np()
    with pytest.raises(d2ltl.NetworkError, match="npx.reset_np"):
        check_input(build_net(name, classes=2), 299, 2)
