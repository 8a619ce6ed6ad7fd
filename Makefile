.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
export DAGSTER_HOME ?= $(CURDIR)
export SUBREGISTRY_HOME ?= $(CURDIR)/.subregistry
export SUBREGISTRY_DAGSTER_DIR ?= $(SUBREGISTRY_HOME)/dagster
export DAGSTER_DISABLE_TELEMETRY := 1

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(STAMP) ## Make .venv from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than 3.11: run make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## Run the whole line on embedded sample data, offline, then serve the feed
	SUBREGISTRY_OFFLINE=1 $(BIN)/subregistry demo

test: setup lint ## Run every check: lint, types, import rules, tests
	SUBREGISTRY_OFFLINE=1 $(BIN)/pytest

test-clients: setup ## Read a served feed with real clients, each installed in .clients
	$(BIN)/python -m tests.clients.install all
	SUBREGISTRY_OFFLINE=1 SUBREGISTRY_CLIENTS=all $(BIN)/pytest -n 0 tests/clients

lint: setup ## Run ruff, the type checker and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

campaign: setup ## Run the long campaigns whole (CI runs seeded samples of them)
	SUBREGISTRY_OFFLINE=1 SUBREGISTRY_CAMPAIGN=2000 SUBREGISTRY_KILLS=240 \
	  SUBREGISTRY_SYNC=1500 SUBREGISTRY_REQUESTS=200000 SUBREGISTRY_SCHEMATHESIS=1000 SUBREGISTRY_FUZZ=50000 \
	  SUBREGISTRY_SIZE=300000 $(BIN)/pytest -rA --timeout 7200 tests/enrich/test_fuzz.py tests/line/campaigns/test_campaign.py \
	  tests/line/campaigns/test_kills.py tests/line/campaigns/test_size.py tests/serve/feed/test_sync.py tests/conformance

bench: setup ## Print the tables of bench/line
	SUBREGISTRY_OFFLINE=1 $(BIN)/python -m bench.line

bench-scale: setup ## Pull 500 changes into a million versions and into ten thousand
	SUBREGISTRY_OFFLINE=1 $(BIN)/python -m bench.scale

bench-sizes: setup ## A first run and a refresh at 80,000, 300,000 and a million versions, default settings
	SUBREGISTRY_OFFLINE=1 $(BIN)/python -m bench.sizes

bench-serve: setup ## Serve 80,000 and a million versions, next to nginx and PostgreSQL (needs wrk)
	SUBREGISTRY_OFFLINE=1 $(BIN)/python -m bench.serve

soak: setup ## Ten minutes of mixed load with a switch every 15 seconds
	SUBREGISTRY_OFFLINE=1 $(BIN)/python -m bench.serve --counts 80000 --without nginx postgres --soak 10

bench-curate: setup ## Verdicts on 100,000 versions with 20 rules
	SUBREGISTRY_OFFLINE=1 $(BIN)/python -m bench.curate

bench-profile: setup ## Profile 13,200 names against loopback: cold, then all 304
	SUBREGISTRY_OFFLINE=1 $(BIN)/python -m bench.profile

dev: setup ## Open Dagster's UI on the line
	@mkdir -p "$(SUBREGISTRY_DAGSTER_DIR)"
	$(BIN)/dg dev

docs: setup ## Write the reference tables of the documents, from the code
	$(BIN)/cog -r -P -I docs docs/*.md

lock: ## Compile requirements.lock anew (needs uv)
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-strip-extras --python-version 3.11 \
	  --all-extras --group dev pyproject.toml -o requirements.lock

clean: ## Remove the venv and every cache
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: help setup demo test lint format campaign bench bench-scale bench-sizes bench-serve soak bench-curate bench-profile dev docs lock clean
