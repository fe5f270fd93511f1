import mxnet as mx
import pytest

import d2ltl
from d2ltl.models.shapes import check_input
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


@pytest.mark.parametrize("name", ["squeezenet1.1", "mobilenetv2_1.0", "densenet121", "inceptionv3"])
def test_what_the_np_interface_cannot_run_is_refused_with_the_remedy(name):
    mx.npx.set_np()
    with pytest.raises(d2ltl.NetworkError, match="npx.reset_np"):
        check_input(build_net(name, classes=2), 299, 2)
