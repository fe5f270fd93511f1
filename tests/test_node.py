import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("role", ["scheduler", "server"])
def test_without_mxnet_a_node_says_what_installs_it(role):
    code = "import sys; sys.modules['mxnet'] = None; from d2ltl.node import main; main([])"
    environment = {**os.environ, "DMLC_ROLE": role}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as node:
        errors = node.stderr.read()
    assert node.returncode == 1
    assert "Install it with: pip install" in errors
