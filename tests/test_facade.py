"""The public names: what the stubs promise can be had, and nothing is loaded before it is needed."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import d2ltl
from d2ltl import exercises


def promised(package):
    """Yield the module and the name of each import of a package's stub; no name is that of a module itself."""
    stub = Path(package.__file__).with_suffix(".pyi")
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        assert isinstance(node, ast.ImportFrom)
        assert node.level == 1
        for alias in node.names:
            assert alias.asname == alias.name, "a type checker takes only `a as a` for public"
            yield node.module, alias.name


@pytest.mark.parametrize("package", [d2ltl, exercises])
def test_the_stub_says_what_can_be_imported(package):
    names = list(promised(package))
    assert len(names) == len({name for _, name in names})
    for module, name in names:
        owner = importlib.import_module(f"{package.__name__}.{module or name}")
        expected = getattr(owner, name) if module else owner
        assert getattr(package, name) is expected
    assert set(package.__all__) == {name for _, name in names} <= set(dir(package))


def test_no_public_function_bears_the_name_of_a_module():
    root = Path(d2ltl.__file__).parent
    modules = {path.stem for path in root.rglob("*.py")} | {path.parent.name for path in root.rglob("__init__.py")}
    functions = {name for name in d2ltl.__all__ if callable(getattr(d2ltl, name))}
    assert functions & modules == set()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="fine_tune"):
        d2ltl.fine_tune  # noqa: B018


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_neither_mxnet_nor_matplotlib():
    assert python("import d2ltl, d2ltl.exercises, sys; print({'mxnet', 'matplotlib'} & {*sys.modules})") == "set()\n"


@pytest.mark.parametrize("command", ["compare --help", "advice --help", "exercises --help", "show --help", "show"])
def test_help_loads_no_mxnet(command):
    name, *arguments = command.split()
    assert python(
        f"import runpy, sys; sys.argv[1:] = {arguments}\n"
        f"try: runpy.run_module('d2ltl.{name}', run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code\n"
        "assert not {'mxnet', 'matplotlib'} & {*sys.modules}"
    )


WITHOUT_MXNET = """
import runpy, sys

class NotInstalled:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "mxnet":
            raise ModuleNotFoundError("No module named 'mxnet'", name="mxnet")

sys.meta_path.insert(0, NotInstalled)
"""


@pytest.mark.parametrize("use", ["d2ltl.finetune_net", "exercises.run_trial"])
def test_without_mxnet_the_first_use_says_which_command_installs_it(use):
    code = f"import d2ltl\nfrom d2ltl import exercises\ntry: {use}\nexcept d2ltl.D2LTLError as error: print(error)"
    assert "pip install mxnet==1.9.1" in python(WITHOUT_MXNET + code)


@pytest.mark.parametrize("command", ["compare --out out", "advice hotdog-mini", "exercises 1 --out out", "show gains"])
def test_without_mxnet_a_command_says_which_command_installs_it(command, tmp_path):
    name, *arguments = command.split()
    code = f"{WITHOUT_MXNET}sys.argv[1:] = {arguments}; runpy.run_module('d2ltl.{name}', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "pip install mxnet==1.9.1" in done.stderr
    assert done.stderr.count("\n") == 1
