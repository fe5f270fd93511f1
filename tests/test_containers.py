"""What can be told about the container files without building an image; `make image-proof` builds it and tries it."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SYSTEM_LIBRARIES = {"libgomp1", "libquadmath0"}


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["Dockerfile", ".devcontainer/Dockerfile"])
def test_the_base_is_an_argument_and_the_user_is_not_root(name):
    lines = text(name).splitlines()
    assert any(line.startswith("ARG BASE=") for line in lines)
    assert {line.split()[1] for line in lines if line.startswith("FROM ")} == {"${BASE}"}
    assert [line.split()[1] for line in lines if line.startswith("USER ")][-1:] != ["root"]


@pytest.mark.parametrize("name", ["Dockerfile", ".devcontainer/Dockerfile", "binder/apt.txt"])
def test_the_libraries_that_mxnet_links_are_installed(name):
    assert set(text(name).split()) >= SYSTEM_LIBRARIES


@pytest.mark.parametrize("name", ["Dockerfile", "binder/requirements.txt", "chapters/01-fine-tuning.ipynb"])
def test_the_extras_are_those_of_the_package(name):
    named = re.findall(r"(?:\.|d2ltl)\[([\w,-]+)\]", text(name))
    assert named
    extras = set(re.findall(r'^        "([\w-]+)": ', text("setup.py"), re.MULTILINE))
    assert {extra for names in named for extra in names.split(",")} <= extras


def test_ports_of_the_class_server_are_those_of_this_machine_only():
    ports = re.findall(r'- "(.+:\d+:\d+)"', text("compose.yaml"))
    assert len(ports) == 2
    assert all(port.startswith("${ADDRESS:-127.0.0.1}:") for port in ports)


def test_the_dev_container_runs_targets_that_exist():
    command, *targets = json.loads(text(".devcontainer/devcontainer.json"))["postCreateCommand"].split()
    assert command == "make"
    known = text("Makefile").replace("$(VENV)", ".venv")
    assert [target for target in targets if f"\n{target}:" not in known] == []
