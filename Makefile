# Everything goes through .venv, made from requirements.lock by whichever target comes first.
PYTHON ?= python3
BIN := .venv/bin
export TIER SEED FRESH
# Its scripts name the folder that .venv was made in, and it needs the Python that made it.
STALE := $(if $(wildcard .venv/made),$(shell { $(BIN)/python -c "" && grep -qF " $(CURDIR)/.venv" .venv/pyvenv.cfg; } 2>/dev/null || echo stale))

.PHONY: help setup book test lint serve bench clean
help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 10

setup: .venv/made  ## make .venv, with everything in it

book: .venv/made  ## train, evaluate, execute the chapters, build the book (TIER=small SEED=0 FRESH=1)
	@$(BIN)/python -m pipeline

test: .venv/made  ## run the tests
	@$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4

lint: .venv/made  ## ruff, pyright, and what may import what
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright && $(BIN)/lint-imports

serve: .venv/made  ## serve the book on 127.0.0.1
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

bench: .venv/made  ## run the benchmarks; results are written beside them
	@for file in benchmarks/bench_*.py; do $(BIN)/python "$$file" || exit 1; done

clean:  ## remove what was built; trained runs and committed results stay
	rm -rf _build _executed .pytask pytask.lock

.PHONY: stale
stale:
	@echo "The folder .venv was moved or copied, or its Python is gone: it is made anew."

.venv/made: requirements.lock pyproject.toml $(STALE)
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; try make PYTHON=python3.11")'
	@echo "Setting up .venv: about 6 GB, a few minutes, once."
	@$(PYTHON) -m venv $(if $(STALE),--clear) .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
