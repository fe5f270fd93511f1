# Commands for readers and developers. `make` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Python compiles the modules that it uses, and keeps the result even if the environment says not to: MXNet takes twice as
# long to load without. pip would compile all modules, which takes half of the installation.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/pip install --quiet --no-compile -e
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal
SPHINX = $(BIN)/sphinx-build -W --keep-going -q $(SPHINX_ARGS)
OF_WHEEL := $(addprefix tests/,test_facade.py test_front_door.py hub/test_hub.py deployment/test_commands.py)

.DEFAULT_GOAL := help
.PHONY: help compare test test-all bench lab chapters assignment docs translations site dist gpu-proof image-proof format check clean

help:  ## list these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

compare: $(VENV)/core  ## compare fine-tuning and training from scratch; for options, run make compare ARGS='--help'
	$(BIN)/python -m d2ltl.compare $(ARGS)

test: $(VENV)/test  ## run the quick tests of all functions that need no extra, in a few minutes
	$(PYTEST) -m "not full" $(ARGS)

test-all: $(VENV)/all  ## run all tests, including slow tests and tests of extras; ARGS='-m full' omits the quick ones
	$(PYTEST) $(ARGS)

bench: $(VENV)/core  ## compare the speed with the book's code and PyTorch: 40 minutes; QUICK=1: 5 minutes; FULL=1: two hours
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(FULL),--full) $(ARGS)

lab: $(VENV)/lab  ## open the chapters in JupyterLab
	$(BIN)/jupyter lab

chapters assignment site: export D2LTL_LANG := en
chapters: $(VENV)/lab  ## run all chapters in new kernels; QUICK=1 is faster; ARGS='--out chapters' saves the outputs
	QUICK=$(QUICK) $(BIN)/python chapters/run.py $(ARGS)

assignment: $(VENV)/class  ## build the student version of the exercises
	cd chapters/assignment && PATH="$(CURDIR)/$(BIN):$$PATH" nbgrader generate_assignment fine-tuning --force --create

docs: $(VENV)/docs  ## build the documentation site, in all languages, into docs/_build/html, and check the translations
	$(SPHINX) -d docs/_build/pages docs docs/_build/html
	echo vi zh_TW zh_CN | xargs -n 1 -P 2 sh -c '$(SPHINX) -D language=$$0 -d docs/_build/$$0/pages docs docs/_build/$$0/html \
		&& cp -R docs/_build/$$0/html/. docs/_build/html/$$0'
	$(BIN)/python -m tools.translations check

translations: $(VENV)/docs  ## bring the catalogues in docs/locale and d2ltl/locale up to date with what they translate
	$(BIN)/python -m tools.translations update

site: SPHINX_ARGS = -A gallery=1
site: docs $(VENV)/site  ## build docs/_build/site for a web server: documentation, reports, a page for photographs (needs npm)
	rm -rf docs/_build/site
	$(BIN)/python -m tools.site docs/_build/site $(ARGS)

dist: $(VENV)/dist  ## build sdist and wheel into dist/, check them, and test the installed wheel on a few tests
	rm -rf dist build
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*
	$(BIN)/pip install --quiet --no-deps --target build/site dist/*.whl
	mkdir build/source && tar -xzf dist/*.tar.gz -C build/source --strip-components 1
	rm -r build/source/d2ltl build/source/_data_hub build/source/data_hub.py
	cd build/source && PYTHONPATH="$(CURDIR)/build/site" OMP_NUM_THREADS=1 "$(CURDIR)/$(BIN)/python" -m pytest -n 2 -q \
		-m "not full" $(OF_WHEEL) $(ARGS)

gpu-proof:  ## prove without a GPU that the extra cu112 brings what MXNet links: 4 GB in .venv-gpu
	$(PYTHON) -m venv .venv-gpu
	.venv-gpu/bin/pip install --quiet '.[cu112]'
	.venv-gpu/bin/python tools/gpu_proof.py

image-proof:  ## build the container image from nothing, and try it without a network; as root, with buildah and debootstrap
	tools/image_proof.sh

format: $(VENV)/check  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: $(VENV)/check  ## check style, formatting, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:  ## remove the virtual environment and all generated files
	rm -rf $(VENV) .venv-bench .venv-gpu docs/_build docs/chapters build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# Each of these files marks an installation in .venv. A change of setup.py makes it out of date.
$(VENV)/pip:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	@touch $@

$(VENV)/core: $(VENV)/pip setup.py
	@echo "Installing MXNet and the other packages takes about a minute."
	$(INSTALL) '.[cpu,imagenet-offline]'
	@touch $@

$(VENV)/test: $(VENV)/core
	$(INSTALL) '.[cpu,imagenet-offline,test]'
	@touch $@

$(VENV)/all: $(VENV)/core
	$(INSTALL) '.[cpu,test-all]'
	@touch $(addprefix $(VENV)/,all class docs lab site test)

$(VENV)/class: $(VENV)/core
	$(INSTALL) '.[cpu,class]'
	@touch $@

$(VENV)/lab: $(VENV)/core
	$(INSTALL) '.[cpu,chapters]'
	@touch $@

$(VENV)/docs: $(VENV)/core
	$(INSTALL) '.[cpu,docs]'
	@touch $@

$(VENV)/site: $(VENV)/docs
	$(INSTALL) '.[cpu,imagenet-offline,docs,onnx]'
	@touch $@

$(VENV)/dist: $(VENV)/core
	$(INSTALL) '.[cpu,imagenet-offline,test,dist]'
	@touch $@

$(VENV)/check: $(VENV)/core
	$(INSTALL) '.[cpu,check]'
	@touch $@
