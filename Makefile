# Every target sets up what it needs: the first run on a fresh machine makes .venv and installs into it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.cryoseg-installed
PYTEST_ARGS ?=
# Those of minutes; the first lines of the others in benchmarks/ say how to run them.
BENCHMARKS := stages crf_cost convert_cs held_out_structures real_micrographs

.PHONY: help install demo test lint bench clean

help:
	@echo "make demo     pick a small simulated RELION project and score the picks"
	@echo "make test     linter, formatter, types and tests"
	@echo "make lint     the same without the tests"
	@echo "make bench    timings and scores"
	@echo "make install  only set up $(VENV)"
	@echo "make clean    remove what the targets made"

install: $(INSTALLED)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "cryoseg needs Python 3.10 or newer, and '$(PYTHON)' is not: run 'make PYTHON=/path/to/python3.11'."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "'$(PYTHON)' cannot make virtual environments: install them (Debian, Ubuntu: apt-get install python3-venv)."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch alone and first: pinned, so that no other package can bring another build of it along.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet torch -c constraints.txt
	$(BIN)/python -m pip install --quiet -e '.[cluster,dev,extraction,simulation]' -c constraints.txt
	@touch $@

demo: $(INSTALLED)
	$(BIN)/python -m relion_wrapper.demo demo

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

bench: $(INSTALLED)
	@for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
