# Every target sets up what it needs: the first run on a fresh machine makes .venv and installs into it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.cryoseg-installed
PYTEST_ARGS ?=
# Those of minutes; the first lines of the others in benchmarks/ say how to run them.
BENCHMARKS := stages crf_cost convert_cs held_out_structures real_micrographs

.PHONY: help install demo docs test lint bench wheels clean

help:
	@echo "make demo     pick a small simulated RELION project and score the picks"
	@echo "make test     linter, formatter, types and tests"
	@echo "make lint     the same without the tests"
	@echo "make docs     the documentation, in build/docs/index.html"
	@echo "make bench    timings and scores"
	@echo "make wheels   sdist and wheel in dist/, tried on each Python from 3.10 that is here"
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
	$(BIN)/python -m pip install --quiet -e '.[cluster,dev,docs,extraction,simulation]' -c constraints.txt
	@$(BIN)/python -m pip install --quiet pydensecrf2 -c constraints.txt >$(VENV)/pydensecrf.log 2>&1 || \
	  echo "Going on without pydensecrf2, which is compiled here: install a C++ compiler (Debian, Ubuntu: apt-get" \
	  "install g++ python3-dev) and run '$(BIN)/python -m pip install pydensecrf2'. Only '--crf_filter" \
	  "permutohedral' and 'make test' need it; $(VENV)/pydensecrf.log says what went wrong."
	@touch $@

demo: $(INSTALLED)
	$(BIN)/python -m relion_wrapper.demo demo

# Words of warning stop it: a link that leads nowhere, a page that is in no table of contents.
docs: $(INSTALLED)
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/docs
	@echo "The documentation: build/docs/index.html"

# The second run of mypy finds what macOS lacks.
lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin -p cryoseg_ext -p relion_wrapper

test: lint
	$(BIN)/python -m pytest $(PYTEST_ARGS)

bench: $(INSTALLED)
	@for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done

wheels: $(INSTALLED)
	rm -rf dist
	$(BIN)/python -m build
	packaging/try_wheel.sh dist/*.whl

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
