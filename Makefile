# Tabellion: every task, one line each. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# A test waits for others more than half of its time: two processes for each core keep them busy. Each has a Redis of its own, of fifteen.
PROCESSES := $(shell n=$$(( $$(nproc) * 2 )); echo $$(( n < 15 ? n : 15 )))
# The suite starts hundreds of processes: where Python is told to keep nothing of it, each compiles the platform anew.
unexport PYTHONDONTWRITEBYTECODE
STAMP := .venv/.installed
ASSETS := api/web/static/vendor/.built

.DEFAULT_GOAL := help
.PHONY: help install run demo test check bench screenshots docs clean

help: ## list the tasks
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: $(STAMP) $(ASSETS) ## .venv with everything, web assets built; quick when nothing changed

$(STAMP): requirements.lock pyproject.toml .ci/require
	@.ci/require python
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(ASSETS): package.json package-lock.json api/web/assets/build.mjs
	@.ci/require node
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@node api/web/assets/build.mjs
	@touch $@

run: install ## the platform with its demonstration: pushes a PES, shows it through to its proof, and keeps serving
	@$(BIN)/tabellion demo --keep-serving

demo: install ## the same, and stops once the proof is verified
	@$(BIN)/tabellion demo

test: install ## the whole suite; services found running are used, those missing are installed when root
	@eval "$$(.ci/services)" && $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST)

check: install ## format, lint, types, layers, spelling of message catalogues
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/codespell $$(git ls-files '*.md' '*/locale/en.po' ':!docs/fr' ':!agent/README.md')
	@$(BIN)/python .ci/spell

bench: install ## the benchmarks, as tables with ratios against the raw ceilings of this machine; TABLES="sealing archive" for some
	@eval "$$(.ci/services)" && $(BIN)/python -m bench $(TABLES)

screenshots: install ## pictures of every screen, on a desk and on a phone, into var/screenshots
	@eval "$$(.ci/services)" && TABELLION_TEST_SCREENSHOTS=var/screenshots $(BIN)/python -m pytest tests/acceptance/test_screenshots.py tests/acceptance/pictures_of_acts.py tests/acceptance/web/test_archive_accessibility.py

docs: install ## the diagrams of the flows, drawn from their declarations
	@$(BIN)/python docs/draw.py

clean: ## what was built here; the data of the demonstration stays in var/
	@rm -rf .venv node_modules api/web/static/vendor .mypy_cache .ruff_cache .pytest_cache
