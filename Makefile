# The front door: `make demo` and `make test` need nothing but Linux, make and Python 3.11 to 3.13.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LAKE ?= .radia/demo
PORT ?= 0
UPGRADE ?=
# One thread each: two processes share the cores already. In pieces: radia_pipeline_tests/order.py.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: help demo demo-small ui test test-full lint format hooks generated golden bench lock sbom audit bundle clean

help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements.lock pyproject.toml .ci/setup
	@.ci/setup $(VENV)
	@touch $@

demo: $(READY) ## Run the whole pipeline on invented patients with known truth (about 10 minutes on 2 cores)
	$(BIN)/radia demo --fresh --lake .radia/demo

demo-small: $(READY) ## The same with a few dozen patients: to see it run, not to judge it
	$(BIN)/radia demo --small --fresh --lake .radia/demo-small

ui: $(READY) ## Open Dagster and MLflow for a lake: make ui LAKE=.radia/lake PORT=3000
	$(BIN)/radia ui --lake $(LAKE) --port $(PORT)

lint: $(READY) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## Put style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generated: $(READY) ## Rewrite every file that is made from others: class lists, promises, schema, graph, pictures
	$(BIN)/python -W ignore -m radia_pipeline_tests.generated

golden: $(READY) ## Write the numbers of trainings, figures and boxes whose version was raised; under the same version none is changed
	$(BIN)/python -W ignore -m radia_pipeline_tests.training.golden
	$(BIN)/python -W ignore -m radia_pipeline_tests.detection.golden
	$(BIN)/python -W ignore -m radia_pipeline_tests.evaluation.golden
	$(BIN)/python -W ignore -m radia_pipeline_tests.localisation.golden

hooks: $(READY) ## Check style at every commit (git hooks)
	$(BIN)/pre-commit install

test: lint ## Style, types and the quick tests
	$(PYTEST) -m "not slow and not long"

test-full: lint ## Everything, as CI runs it; needs the Debian packages that .ci/run names
	$(PYTEST)

bench: $(READY) ## Run the benchmarks, one after the other
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

lock: $(READY) ## Bring requirements.lock in line with pyproject.toml; newer versions: make lock UPGRADE=--upgrade
	$(BIN)/uv pip compile -q pyproject.toml --extra dev --extra postgres --extra ray --universal --python-version 3.11 --generate-hashes \
	  $(UPGRADE) --no-emit-index-url --no-header --no-annotate -o requirements.lock

sbom: $(READY) ## Write the bill of materials (CycloneDX, hashes and licences) to .radia/supply
	$(BIN)/python -m radia_pipeline_tests.supply_chain sbom .radia/supply

audit: $(READY) ## Look for known holes in what is locked; fails where it could look at nothing
	$(BIN)/python -m radia_pipeline_tests.supply_chain audit

bundle: $(READY) ## Gather everything for a machine without network (several GB) in .radia/bundle
	$(BIN)/python -m radia_pipeline_tests.supply_chain bundle .radia/bundle

clean: ## Delete the virtual environment and everything that runs have made
	rm -rf $(VENV) .radia .pytest_cache .ruff_cache .mypy_cache .hypothesis
