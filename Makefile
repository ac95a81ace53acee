# make demo: train, export, run, verify on real digits. make test: all checks but the long ones. Both set themselves up.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell command -v python3.10 || echo python3)
STAMP := $(VENV)/.ready
WORKERS := 2
PARALLEL := --numprocesses $(WORKERS) --dist loadfile

.PHONY: demo test test-long quick mutants without-lava docs rooms lint format lock setup clean

demo: $(STAMP)
	$(BIN)/lava-qsnn demo

# Files are tested beside each other, each by one process from its first to its last test: what a test counts, children,
# handles and signals, is its own process's.
test: lint
	$(BIN)/python -m pytest $(PARALLEL) -m "not long"

test-long: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) -m long

quick: $(STAMP)
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not long"

# Small faults, one by one, in the integer core, folding, file and quantizers: which do the tests notice? Half an hour;
# make mutants ARGUMENTS="--only survived" goes on, and takes names of modules, too.
mutants: $(STAMP)
	$(BIN)/python -m benchmarks.mutants $(ARGUMENTS)

# The documentation as a site, in site/index.html: broken links, missing references and failing notebooks end it.
docs: $(STAMP)
	$(BIN)/mkdocs build --strict --quiet

# Training, export and exact answers on an interpreter without Lava and lava-dl, such as Python 3.11 with a torch of its own.
without-lava:
	$(PYTHON) -m tests.helpers.without_lava

# The picture of the rooms, from the table in CONTRIBUTING.md.
rooms: $(STAMP)
	$(BIN)/python -m tests.helpers.rooms

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(STAMP)

# uv installs the pins in a fraction of pip's time; it lives in the environment and nowhere else.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' 2>/dev/null || { \
	  echo "lava-nc 0.10.0 needs Python 3.10, and '$(PYTHON)' is not one: install it (for example" \
	       "'uv python install 3.10' or 'pyenv install 3.10') and run 'make PYTHON=/path/to/python3.10'." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.lock)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip sync --quiet requirements.lock
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Resolves the newest versions the platform allows; the lock file names no index.
lock: $(STAMP)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip compile --quiet --python-version 3.10 --universal --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --extra development pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) build dist *.egg-info runs site
