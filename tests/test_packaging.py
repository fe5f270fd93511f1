"""The wheel, installed outside the source tree, is the whole library."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the wheel's content, built from a copy so that the source tree stays as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("d2ltl", "_data_hub"):
        shutil.copytree(SOURCE / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("data_hub.py", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SOURCE / name, folder / "source")
    build = [*PIP, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, folder / "source"]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*PIP, "install", "--no-deps", "--target", folder / "site", wheel], check=True)
    return folder / "site"


@pytest.mark.full
def test_it_compares_what_it_brings(installed, tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": str(installed),
        "D2LTL_DATA": str(tmp_path / "cache"),
        "MXNET_HOME": str(tmp_path / "none"),
        "http_proxy": "http://127.0.0.1:9",  # nobody listens there
    }
    where = "import d2ltl, data_hub; print(d2ltl.__file__, data_hub.__file__)"
    places = subprocess.check_output([sys.executable, "-c", where], cwd=tmp_path, env=environment, text=True).split()
    assert all(Path(place).is_relative_to(installed) for place in places)

    command = [sys.executable, "-m", "d2ltl.compare", "--epochs", "1", "--size", "32", "--out", "out"]
    printed = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)
    assert "data: hotdog-mini, rendered images" in printed
    assert "source weights: tinyimagenet" in printed
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["data"], report["pretrained"], report["size"]) == ("hotdog-mini", "tinyimagenet", 32)
    assert "hotdog-mini (rendered images)" in (tmp_path / "out/report.html").read_text()


@pytest.mark.full
def test_it_has_the_files_of_the_pages(installed):
    for folder in ("comparison", "deployment", "deployment/web"):
        files = {path.name for path in (SOURCE / "d2ltl" / folder).iterdir() if path.suffix in (".html", ".js", ".txt")}
        assert files <= {path.name for path in (installed / "d2ltl" / folder).iterdir()}
