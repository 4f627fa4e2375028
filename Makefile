# Assumes nothing but a Python >= 3.11 with its venv module (`make PYTHON=python3.13 ...` chooses another one). What the
# targets need is made in .venv from pyproject.toml, on first use and again when pyproject.toml has changed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet install

# The pure rooms: each is covered, every branch, by the tests of its own folder alone.
PURE_ROOMS := upper_layer message media

.PHONY: help demo test campaign check coverage clean

help:
	@echo "make demo      start storescp, verify it with echoscu, send it DICOM files, show what arrived"
	@echo "make test      run the tests (with real peers where they are installed: scripts/peers)"
	@echo "make campaign  run the tests that take minutes, at their full size"
	@echo "make check     formatting, lint and types"
	@echo "make coverage  every branch of $(PURE_ROOMS), each by its own tests"
	@echo "make clean     remove what the other targets made"

demo: $(VENV)/.package
	@$(BIN)/python scripts/demo.py

test: $(VENV)/.development
	$(BIN)/python -m pytest $(ARGS)

campaign: $(VENV)/.development
	$(BIN)/python -m pytest -m campaign $(ARGS)

check: $(VENV)/.development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict

coverage: $(VENV)/.development
	@for room in $(PURE_ROOMS); do \
		echo "== $$room, by tests/$$room"; \
		DIMSE_SEQUENCES=200 $(BIN)/python -m pytest -q tests/$$room --cov=src/dimse/$$room --cov-branch --cov-fail-under=100 || exit 1; \
	done

clean:
	rm -rf $(VENV) .venv-peers .demo .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache dist
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.package: pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/.development: $(VENV)/.package
	$(PIP) --editable '.[dev]'
	@touch $@
