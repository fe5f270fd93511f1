# Commands for readers and developers. `make` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help compare test test-all bench lab chapters assignment docs site format check clean

help:  ## list these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

compare: $(VENV)/core  ## compare fine-tuning and training from scratch; for options, run make compare ARGS='--help'
	$(BIN)/python -m d2ltl.compare $(ARGS)

test: $(VENV)/test  ## run the quick tests of all functions that need no extra, in a few minutes
	$(PYTEST) -m "not full" $(ARGS)

test-all: $(VENV)/all  ## run all tests, including slow tests and tests of extras; ARGS='-m full' omits the quick ones
	$(PYTEST) $(ARGS)

bench: $(VENV)/core  ## compare the speed with the book's code and PyTorch: 30 minutes; QUICK=1: 5 minutes; FULL=1: hours
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(FULL),--full) $(ARGS)

lab: $(VENV)/lab  ## open the chapters in JupyterLab
	$(BIN)/jupyter lab

chapters: $(VENV)/lab  ## run all chapters in new kernels; QUICK=1 is faster; ARGS='--out chapters' saves the outputs
	QUICK=$(QUICK) $(BIN)/python chapters/run.py $(ARGS)

assignment: $(VENV)/class  ## build the student version of the exercises
	cd chapters/assignment && PATH="$(CURDIR)/$(BIN):$$PATH" nbgrader generate_assignment fine-tuning --force --create

docs: $(VENV)/docs  ## build the documentation site into docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html

site: docs $(VENV)/site  ## build docs/_build/site for a web server: documentation, reports, a page for photographs (needs npm)
	rm -rf docs/_build/site
	$(BIN)/python -m tools.site docs/_build/site $(ARGS)

format: $(VENV)/check  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: $(VENV)/check  ## check style, formatting, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:  ## remove the virtual environment and all generated files
	rm -rf $(VENV) .venv-bench docs/_build docs/chapters build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# Each of these files marks an installation in .venv. A change of setup.py makes it out of date.
$(VENV)/pip:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	@touch $@

$(VENV)/core: $(VENV)/pip setup.py
	$(BIN)/pip install --quiet -e '.[cpu,imagenet-offline]'
	@touch $@

$(VENV)/test: $(VENV)/core
	$(BIN)/pip install --quiet -e '.[cpu,imagenet-offline,test]'
	@touch $@

$(VENV)/all: $(VENV)/core
	$(BIN)/pip install --quiet -e '.[cpu,test-all]'
	@touch $@

$(VENV)/class: $(VENV)/core
	$(BIN)/pip install --quiet -e '.[cpu,class]'
	@touch $@

$(VENV)/lab: $(VENV)/core
	$(BIN)/pip install --quiet -e '.[cpu,chapters]'
	@touch $@

$(VENV)/docs: $(VENV)/core
	$(BIN)/pip install --quiet -e '.[cpu,docs]'
	@touch $@

$(VENV)/site: $(VENV)/docs
	$(BIN)/pip install --quiet -e '.[cpu,imagenet-offline,docs,onnx]'
	@touch $@

$(VENV)/check: $(VENV)/core
	$(BIN)/pip install --quiet -e '.[cpu,check]'
	@touch $@
