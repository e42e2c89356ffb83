# `make demo` and `make test` are all that is needed; both set the project up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
EXTRAS ?= harness,tabpfn,dev

export OMP_WAIT_POLICY ?= passive

.PHONY: help setup demo test lint types oracle clean

help:
	@echo "make demo     run the main job on two embedded datasets, show the tables, say where the files are"
	@echo "make test     lint, types, tests"
	@echo "make setup    create .venv and install (demo and test do it by themselves)"
	@echo "make oracle   fetch the released packages that some tests compare with"
	@echo "make clean    remove .venv and caches"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt setup.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS="$(EXTRAS)" sh setup.sh
	@touch $@

demo: $(STAMP)
	$(BIN)/python -m experiments.run profile=demo dataset=diabetes
	$(BIN)/python -m experiments.run profile=demo dataset=nasdaq

test: lint types
	$(BIN)/python -m pytest -n 2

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(STAMP)
	$(BIN)/mypy

oracle: $(STAMP)
	$(BIN)/python benchmarks/fetch_oracle.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
