# The front door: each target sets up what it needs. `make` alone lists them.
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
PYTHON ?= python3
OLDEST := $(shell sed -n 's/^requires-python = ">=\(.*\)"/\1/p' pyproject.toml)
WILL_DO := -c 'import sys; sys.exit(sys.version_info < tuple(map(int, "$(OLDEST)".split("."))))'

.DEFAULT_GOAL := help
.PHONY: help setup study smoke test exhaustive coverage chaos bench lint docs why verify report clean lock schema

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready  ## make .venv from requirements.lock

# uv comes from the machine or, where there is none, from the package index into a folder of its own.
# What an attempt with an older Python has left goes first: it would be the python3 that is found.
$(VENV)/.ready: requirements.lock pyproject.toml
	@$(BIN)/python $(WILL_DO) 2>/dev/null || rm -rf $(VENV)
	@test -x $(BIN)/python || $(PYTHON) $(WILL_DO) 2>/dev/null || { \
		echo "error: Python $(OLDEST) or newer is needed, and $(PYTHON) is none:" \
			"$$($(PYTHON) --version 2>&1 | head -n 1); name one: make setup PYTHON=python3.12" >&2; \
		exit 1; }
	@command -v uv >/dev/null || test -x .uv/bin/uv || \
		($(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet uv==0.13.8)
	@uv=$$(command -v uv || echo .uv/bin/uv); set -e; \
		test -x $(BIN)/python || $$uv venv --quiet --python $(PYTHON) $(VENV); \
		$$uv pip sync --quiet --python $(VENV) --require-hashes --compile-bytecode requirements.lock; \
		$$uv pip install --quiet --python $(VENV) --no-deps --editable .
	@touch $@
	@echo "environment ready in $(VENV)"

study: setup  ## run the default study: 20 to 52 minutes on two cores
	snakemake
	@$(MAKE) --no-print-directory report

smoke: setup  ## run a tiny study through every rule
	snakemake smoke

# One thread a test, a test file on each core: what they start shares the machine.
test: setup  ## run the tests
	OMP_NUM_THREADS=1 pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --durations 20

exhaustive: setup  ## run the tests that are too long for every change: 20 minutes
	OMP_NUM_THREADS=1 pytest --numprocesses auto --dist loadfile -m exhaustive --durations 20

coverage: TESTS = tests
coverage: setup  ## say which lines the tests run, in htmlcov/ too: make coverage TESTS=tests/knn
	OMP_NUM_THREADS=1 pytest --numprocesses auto --dist loadfile --cov --cov-report=term \
		--cov-report=html $(TESTS)

chaos: setup  ## kill, starve and damage a tiny study, over and over: about an hour
	python -m tests.workflow.chaos

bench: RUN = results/shapes/resnet18/seed1
bench: setup  ## measure the k-NN engine, the pipeline and stacked training against their peers
	snakemake $(RUN)/predictions/train.parquet $(RUN)/predictions/test.parquet
	python -m benchmarks.knn $(RUN)
	python benchmarks/pipeline.py
	python -m benchmarks.stacked

lint: setup  ## check code, workflow and configuration
	ruff check
	ruff format --check
	mypy
	snakefmt --check Snakefile rules
	snakemake --lint
	depthlens check config.yaml
	depthlens check tests/smoke.yaml

docs: setup  ## make one site of all pages that can be searched: docs/_build/index.html
	sphinx-build -qW --keep-going -c docs . docs/_build
	@echo "open docs/_build/index.html"

why: TARGET = all
why: setup  ## say why TARGET would be made again: make why TARGET=reports/index.html
	@depthlens why $(TARGET)

verify: setup  ## check every file of the study against its record
	@depthlens verify

report: PAGE = $(shell sed -n 's|^  reports: *\([^ ]*\).*|\1/index.html|p' config.yaml)
report:  ## say where the report is, and open it where there is a screen
	@test -f $(PAGE) || (echo "no report yet: run make study" && false)
	@echo "report: $(CURDIR)/$(PAGE)"
	@if [ -n "$$DISPLAY" ] && command -v xdg-open >/dev/null; then xdg-open $(PAGE); fi

clean:  ## remove everything that a study made (not data/torchvision, not .venv)
	rm -rf results reports .snakemake
	find data -mindepth 1 -maxdepth 1 ! -name torchvision -exec rm -rf {} + 2>/dev/null || true

lock:  ## solve the dependencies again
	uv pip compile pyproject.toml --group dev --universal --python-version $(OLDEST) \
		--generate-hashes --no-header --no-emit-index-url --quiet -o requirements.lock

schema: setup  ## write the JSON schema of config.yaml
	depthlens schema --output workflow/schemas/config.schema.json
