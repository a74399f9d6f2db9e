# Two commands for a newcomer: `make study` (from nothing to the table of detected lesions) and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: study test test-all lint bench docs lock

study: .venv/.installed
	$(BIN)/python -m synthpet.evaluate gan=patch3d
	$(BIN)/python -m synthpet.evaluate gan=semi3d
	$(BIN)/python -m uad.compare

test: lint
	$(BIN)/python -m pytest -n 2

test-all: lint
	$(BIN)/python -m pytest -m "slow or not slow"

# Two threads, both ways of every row in turn; prints the table and writes outputs/benchmarks/table.md
bench: .venv/.installed
	$(BIN)/python tests/benchmarks/table.py

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/mypy

# Exact versions come from constraints.txt; a change of either file installs again.
.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,registration]'
	touch $@

# The manual with reference pages, in site/index.html; a dead link or an unknown page ends it
docs: .venv/.docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html -d build/doctrees docs site

.venv/.docs: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

# Hashes as the index publishes them; needs uv (`pip install uv`).
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --extra dev --extra registration -c constraints.txt \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements-lock.txt
