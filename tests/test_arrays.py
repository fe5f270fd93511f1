import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import mxnet as mx
import numpy as np
import pytest

from d2ltl.arrays import to_mx

WORK = """
import sys
import d2ltl
source_file, images = sys.argv[1:]
source = d2ltl.source_net("mobilenet0.25", source_file)
net = d2ltl.finetune_net(2, source)
d2ltl.predict(net, d2ltl.sample(d2ltl.load_images(images)[1], 3), size=32)
source = d2ltl.source_net("mobilenet0.25", source_file)
"""


@pytest.mark.parametrize("np_interface", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float16", "int64"])
def test_an_array_is_copied_as_it_is(dtype, np_interface):
    ours = np.arange(24).astype(dtype).reshape(2, 3, 4).transpose(2, 0, 1)  # not contiguous
    with mx.util.np_shape(np_interface), mx.util.np_array(np_interface):
        theirs = to_mx(ours)
        assert isinstance(theirs, mx.np.ndarray) == np_interface
    before = ours.copy()
    ours += 1  # it may still be written to, and the copy does not change
    assert theirs.dtype == np.dtype(dtype)
    assert np.array_equal(theirs.asnumpy(), before)


def test_a_process_that_has_done_its_work_ends_well(stripes, small_source_file):
    """Arrays that shared NumPy's memory aborted a process (status -6) that ended before MXNet had freed them."""
    endings = [("", 0)] * 4 + [("d2ltl.finetune_net(source, 2)", 1), ("sys.exit(3)", 3)]

    def end(ending):
        command = [sys.executable, "-c", WORK + ending, str(small_source_file), str(stripes)]
        return subprocess.run(command, capture_output=True, text=True)

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(end, [ending for ending, _ in endings]))
    assert [process.returncode for process in ended] == [status for _, status in endings], ended[0].stderr
    assert not any("terminate called" in process.stderr for process in ended)
