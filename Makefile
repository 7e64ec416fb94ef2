# Needs only GNU make and Python. Everything it makes stays in the checkout.

PYTHON ?= python3
DAYS ?= 8
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PAGES := tests/integration/pages
# one more than there are cores: many tests wait for others
WORKERS = $(shell $(BIN)/python -c 'import os; print(min(os.cpu_count() or 1, 4) + 1)')
PYTEST = $(BIN)/pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder --basetemp='$(TMPDIR)/pytest'
INSTALLED_BENCH := $(VENV)/.installed-bench
CONTRACT := ../shared/contract
COMPOSE_SCHEMA := vendor.compose-spec

# The caller's Airflow, Python and pytest settings must not change what is built or tested.
unexport $(filter AIRFLOW% _AIRFLOW% PYTEST_%,$(.VARIABLES))
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV

export AIRFLOW_HOME := $(CURDIR)/.airflow
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/.cache/hypothesis
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export TMPDIR := $(CURDIR)/.cache/tmp
export XDG_CACHE_HOME := $(CURDIR)/.cache

PREPARE := $(shell mkdir -p "$(TMPDIR)")

.DEFAULT_GOAL := help
.PHONY: help install test pages lint types contract compose docs demo ui bench screenshots clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)$$/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

install: $(INSTALLED) ## make the virtual environment in .venv

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo 'Python 3.10 or later is needed: make install PYTHON=/path/to/python3' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[sandbox,dev]'
	@touch $@

test: $(INSTALLED) ## run the tests, on all cores, in about eight minutes on two
	$(PYTEST) --ignore=$(PAGES) $(wildcard tests/unit tests/integration)

pages: $(INSTALLED) ## run what the README and the site show: code blocks, demo, benchmark; about five minutes
	$(PYTEST) $(PAGES)

lint: $(INSTALLED) ## check style, format and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(INSTALLED) ## check types
	$(BIN)/mypy

compose: $(INSTALLED) ## check docker-compose.yaml against the Compose specification
	$(BIN)/check-jsonschema --builtin-schema $(COMPOSE_SCHEMA) docker-compose.yaml

ifneq ($(wildcard $(CONTRACT)/check.py),)
contract: $(INSTALLED) ## check the queries and the sandbox against the API's schema, if it is there
	$(BIN)/python scripts/contract.py $(CONTRACT)/check.py
else
contract:
	@echo 'contract: skipped, $(CONTRACT) is not here'
endif

docs: $(INSTALLED) ## build the documentation's site in build/docs; a warning is an error
	$(BIN)/sphinx-build --builder html --fail-on-warning --keep-going --nitpicky --quiet \
		--doctree-dir .cache/docs --jobs auto docs build/docs
	@echo 'docs: build/docs/index.html'

demo: export DAYS := $(DAYS)
demo: $(INSTALLED) ## load days of a sandbox into a warehouse, in about a minute and a half; DAYS=30 for more
	@$(BIN)/python -m scripts.demo --days="$$DAYS"

ui: $(INSTALLED) ## open Airflow's web interface on the runs of the demo, until Ctrl-C
	@$(BIN)/python -m scripts.demo.ui

bench: $(INSTALLED_BENCH) ## compare with other ways to read a group, in about ten minutes
	$(BIN)/python -m scripts.bench

screenshots: $(INSTALLED) ## take the pictures in docs/images, with the machine's chromium, in about three minutes
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[screenshots]'
	$(BIN)/python -m scripts.screenshots

$(INSTALLED_BENCH): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	@touch $@

clean: ## remove everything that make has made
	rm -rf $(VENV) .airflow .cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
