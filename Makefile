# `make run` opens the application, `make test` runs every check. Nothing else is needed first.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.12 python3.11 python3.13 python3; do \
  $$python -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
# With other programs beside it BLAS's own threads spin, ten times as long.
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: run test check space clean

run: .venv/.run
	$(BIN)/python app.py

test: .venv/.dev check
	$(BIN)/python -m tests.chromium
	$(BIN)/python -m pytest

# The checks that read the code instead of running it.
check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy app models train
	$(BIN)/mypy app.py
	$(BIN)/lint-imports

# make space REPO=owner/name [SPACE_FLAGS="--dry-run --hardware cpu-basic --private"]
space: .venv/.run
	$(BIN)/python -m app.space.push $(REPO) $(SPACE_FLAGS)

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Framescry needs Python 3.11 or newer."; exit 1; }
	$(PYTHON) -m venv .venv

# An upgraded environment also serves the other target, so each stamp names what it was made from.
.venv/.run: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/.dev: requirements.txt requirements-dev.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@ .venv/.run

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache
