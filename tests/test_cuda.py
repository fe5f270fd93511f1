"""The CUDA libraries of packages, and what is said if one is missing. `make gpu-proof` tries the real packages."""

import os
import shutil
import subprocess
import sys

import pytest

from d2ltl import cuda
from d2ltl.errors import MissingLibraryError, explain_missing_mxnet

GCC = shutil.which("gcc")


def compiled(file, code, *libraries):
    """Compile C into a shared library that links others of the folders in which they are."""
    file.parent.mkdir(parents=True, exist_ok=True)
    source = file.with_suffix(".c")
    source.write_text(code)
    linked = [argument for library in libraries for argument in (f"-L{library.parent}", f"-l:{library.name}")]
    options = ["-shared", "-fPIC", f"-Wl,-soname,{file.name}", "-Wl,--no-as-needed"]
    subprocess.run([GCC, *options, "-o", file, source, *linked], check=True)
    return file


@pytest.fixture
def site(tmp_path):
    """A site-packages with two packages of NVIDIA, and an mxnet whose library links one library of each."""
    runtime = compiled(tmp_path / "nvidia/cuda_runtime/lib/libcudart.so.11.0", "int devices(void) { return 0; }")
    blas = compiled(tmp_path / "nvidia/cublas/lib/libcublas.so.11", "int devices(void);", runtime)
    compiled(tmp_path / "mxnet/libmxnet.so", "int devices(void); int gpus(void) { return devices(); }", runtime, blas)
    (tmp_path / "mxnet/__init__.py").write_text(
        "import ctypes, pathlib\n"
        "gpus = ctypes.CDLL(str(pathlib.Path(__file__).with_name('libmxnet.so')), ctypes.RTLD_LOCAL).gpus\n"
    )
    return tmp_path


def python(code, site):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, encoding="utf-8")


@pytest.mark.skipif(GCC is None, reason="compiles libraries")
def test_libraries_of_packages_are_loaded_before_mxnet(site):
    assert "cannot open shared object file" in python("import mxnet", site).stderr
    done = python("import d2ltl, mxnet; print(mxnet.gpus())", site)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.skipif(GCC is None, reason="compiles libraries")
def test_libraries_of_another_cuda_are_left_alone(site):
    shutil.move(site / "nvidia/cublas/lib/libcublas.so.11", site / "nvidia/cublas/lib/libcublas.so.12")
    done = python("from d2ltl import cuda; print(*(file.name for file in cuda.load_libraries()))", site)
    assert done.stdout == "libcudart.so.11.0\n"


def test_no_package_of_nvidia_is_needed(monkeypatch):
    monkeypatch.setattr(cuda, "find_spec", lambda _: None)
    assert cuda.load_libraries() == []


@pytest.mark.parametrize(
    ("library", "remedy"),
    [
        ("libcuda.so.1", "the driver of an NVIDIA GPU"),
        ("libcudnn.so.8", "pip install 'd2ltl[cu112]'"),
        ("libnvToolsExt.so.1", "pip install 'd2ltl[cu112]'"),
        ("libquadmath.so.0", "apt-get install libgomp1 libquadmath0"),
    ],
)
def test_a_missing_library_is_one_line_that_says_what_to_do(library, remedy):
    with pytest.raises(MissingLibraryError) as caught, explain_missing_mxnet():
        raise OSError(f"{library}: cannot open shared object file: No such file or directory")
    message = str(caught.value)
    assert f"{library} is not on this machine" in message
    assert remedy in message
    assert "\n" not in message


def test_the_linker_writes_what_is_recognised():
    code = (
        "import ctypes; from d2ltl.errors import explain_missing_mxnet\n"
        "with explain_missing_mxnet(): ctypes.CDLL('libcuda.so.99')"
    )
    assert "MissingLibraryError: MXNet cannot be loaded, because libcuda.so.99" in python(code, "").stderr


def test_a_command_says_it_in_one_line(tmp_path):
    (tmp_path / "mxnet").mkdir()
    (tmp_path / "mxnet/__init__.py").write_text("import ctypes; ctypes.CDLL('libcuda.so.99')")
    done = python("import sys; from d2ltl.compare import main; sys.exit(main(['--out', 'none']))", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: MXNet cannot be loaded, because libcuda.so.99 is not on this machine.")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("error", [OSError("the disk is full"), FileNotFoundError(2, "No such file", "photos")])
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as caught, explain_missing_mxnet():
        raise error
    assert caught.value is error
