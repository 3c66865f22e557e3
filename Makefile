# `make` lists what there is. Everything needs Python 3.11+ and nothing else; `test` uses more where it is there.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help run test lint bench docs screenshots services lock clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(VENV)/.run: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Barograph needs Python 3.11 or newer; $(PYTHON) is older. Name another: make run PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

run: $(VENV)/.run ## Set up and start the server; the dashboard is at http://localhost:8000 (ARGS="--port 0" …)
	$(BIN)/barograph serve $(ARGS)

# Hundreds of servers are started, and none should compile the program anew.
test: $(VENV)/.dev ## Set up and run every test (ARGS="-k writer" …)
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.dev ## Format, lint, types, layers
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev ## Measure, side by side with the alternatives (BENCH=http|store|…)
	$(BIN)/python -m bench $(BENCH) $(ARGS)

docs: $(VENV)/.dev ## Write what the documentation takes from the program: settings, commands, OpenAPI
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.drawing

screenshots: $(VENV)/.dev ## Take the pictures of README and docs anew (Chromium)
	$(BIN)/python -m docs.screenshots $(ARGS)

services: ## Start the servers that the tests talk to (Debian)
	./.ci/services

lock: ## Resolve the dependencies again (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml -o requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group pyproject.toml:build -o requirements-build.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml --group dev --all-extras -o requirements-dev.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml --extra celery --extra mysql --extra postgres --extra redis -c requirements-dev.txt -o requirements-server.txt

clean: ## Remove what was made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
