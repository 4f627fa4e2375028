# This needs only Python 3.11 or later with its venv module (`make PYTHON=python3.13 ...` chooses another one). .venv is made from
# pyproject.toml, on first use and again when pyproject.toml has changed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet install

# The pure rooms. The tests of its own folder cover every branch of each.
PURE_ROOMS := upper_layer message media matching

# Each is fuzzed for this time: `make fuzz SECONDS=3600`.
FUZZ_TARGETS := pdu_stream command_set file_meta
SECONDS      := 60

.PHONY: help demo test campaign check coverage docs docs-serve man fuzz bench bench-calls bench-report clean

help:
	@echo "make demo      send DICOM files to storescp, and to an archive; query them, get them back, compare"
	@echo "make test      run the tests (with real peers where they are installed: scripts/peers)"
	@echo "make campaign  run the tests that take minutes"
	@echo "make check     check formatting, lint and types"
	@echo "make coverage  test that every branch of $(PURE_ROOMS) is covered by its own tests"
	@echo "make docs      build the documentation site in .site/, and check its links (docs-serve shows it)"
	@echo "make man       write the man pages into .man/ (man -M .man storescu)"
	@echo "make fuzz      fuzz $(FUZZ_TARGETS), each for $(SECONDS) s (fuzz/README.md)"
	@echo "make bench     measure dimse, DCMTK and pynetdicom in a quarter of an hour (bench/README.md)"
	@echo "make bench-calls  count the function calls that an object takes"
	@echo "make clean     remove the files that the other targets made"

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
		DIMSE_SEQUENCES=200 $(BIN)/python -m pytest -q -m "not campaign" tests/$$room --cov=src/dimse/$$room --cov-branch --cov-fail-under=100 || exit 1; \
	done

# The variable silences the theme's advice to use another generator (docs/decisions).
docs docs-serve: export NO_MKDOCS_2_WARNING = 1

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict
	$(BIN)/python -m scripts.check_site .site

docs-serve: $(VENV)/.docs
	$(BIN)/mkdocs serve $(ARGS)

man: $(VENV)/.package
	$(BIN)/python -m scripts.make_man .man/man1

fuzz: $(VENV)/.fuzz
	@for target in $(FUZZ_TARGETS); do \
		echo "== $$target"; \
		$(BIN)/python -m fuzz $$target -max_total_time=$(SECONDS) || exit 1; \
	done

# For a part: `make bench ARGS="--work ct --runs 5 --only headline"`. Results are kept in .bench/.
bench: $(VENV)/.package
	@$(BIN)/python -m bench $(ARGS)

# Count function calls, for comparison with the table in bench/README.md.
bench-calls: $(VENV)/.package
	@$(BIN)/python -m bench.calls

# Write docs/speed.md and its picture from the results of `make bench`.
bench-report: $(VENV)/.bench
	$(BIN)/python -m bench.report .bench/results.json

clean:
	rm -rf $(VENV) .venv-peers .demo .fuzz .bench .site .man /dev/shm/dimse-bench-$$(id -u) .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache dist
	find src tests scripts fuzz bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.package: pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) --editable '.[archive]'
	@touch $@

$(VENV)/.development: $(VENV)/.package
	$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.package
	$(PIP) --editable '.[docs]'
	@touch $@

$(VENV)/.fuzz: $(VENV)/.package
	$(PIP) --editable '.[fuzz]'
	@touch $@

$(VENV)/.bench: $(VENV)/.package
	$(PIP) --editable '.[bench]'
	@touch $@
