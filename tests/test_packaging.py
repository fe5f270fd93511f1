"""The wheel, installed outside the source tree, is the whole library."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import d2ltl

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

    command = [sys.executable, "-m", "d2ltl.compare", "--strategies", "codes-softmax", "--size", "32", "--out", "out"]
    printed = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)
    assert "data: hotdog-mini, rendered images" in printed
    assert "source weights: tinyimagenet" in printed
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["data"], report["pretrained"], report["size"]) == ("hotdog-mini", "tinyimagenet", 32)
    assert "hotdog-mini (rendered images)" in (tmp_path / "out/report.html").read_text()


@pytest.mark.full
def test_it_brings_the_console_command(installed, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [installed / "bin" / "d2ltl", "show"]
    printed = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)
    assert printed.startswith("Why transfer:")


def test_a_citation_names_the_version_of_the_code():
    assert f"version: {d2ltl.__version__}\n" in (SOURCE / "CITATION.cff").read_text(encoding="utf-8")


def test_the_changelog_begins_with_the_version_of_the_code():
    heading = re.search(r"^## (\S+)", (SOURCE / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heading[1] == d2ltl.__version__.partition(".dev")[0]


def test_links_of_a_released_readme_lead_into_the_repository():
    environment = {**os.environ, "D2LTL_REPOSITORY": "https://example.org/d2ltl", "D2LTL_COMMIT": "abc123"}
    command = [sys.executable, "setup.py", "--long-description"]
    readme = subprocess.check_output(command, cwd=SOURCE, env=environment, encoding="utf-8")
    assert "](https://example.org/d2ltl/raw/abc123/docs/images/curves.png)" in readme
    assert "](https://example.org/d2ltl/blob/abc123/docs/howto/verdict.md)" in readme
    targets = re.findall(r"\]\(([^)]+)\)", readme)
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


@pytest.mark.full
def test_it_has_the_files_of_the_pages(installed):
    for folder in ("comparison", "deployment", "deployment/web"):
        files = {path.name for path in (SOURCE / "d2ltl" / folder).iterdir() if path.suffix in (".html", ".js", ".txt")}
        assert files <= {path.name for path in (installed / "d2ltl" / folder).iterdir()}


@pytest.mark.full
def test_it_speaks_other_languages(installed, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(installed), "D2LTL_LANG": "zh_TW"}
    command = [installed / "bin" / "d2ltl", "--help"]
    printed = subprocess.check_output(command, cwd=tmp_path, env=environment, encoding="utf-8")
    assert "顯示" in printed
    catalogues = {path.relative_to(SOURCE) for path in SOURCE.glob("d2ltl/locale/*/*/*.mo")}
    assert len(catalogues) == 3
    assert all((installed / path).is_file() for path in catalogues)
