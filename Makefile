# `make demo` and `make test` are all that is needed; what a target needs is set up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
EXTRAS ?= harness,tabpfn,dev
CAMPAIGN ?= uncapped

export OMP_WAIT_POLICY ?= passive

.PHONY: help setup demo test lint types report docs notebooks bench release oracle clean

help:
	@echo "make demo     run the main job on two embedded datasets, show the tables, say where the files are"
	@echo "make test     lint, types, tests"
	@echo "make lint     ruff and codespell alone          make types    mypy alone"
	@echo "make report   tables, figures and report of a campaign that is stored: make report CAMPAIGN=uncapped"
	@echo "make docs     the documentation as a site in site/; a broken link is an error"
	@echo "make notebooks  every example as an executed notebook in build/notebooks/"
	@echo "make bench    run every benchmark on this machine and write benchmarks/FIGURES.md"
	@echo "make release  check the tree, build wheel and sdist into dist/, say how to tag and upload them"
	@echo "make setup    create .venv and install (the others do it by themselves)"
	@echo "make oracle   fetch the released packages that some tests and benchmarks compare with"
	@echo "make clean    remove .venv, caches and what was built"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt setup.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" EXTRAS="$(EXTRAS)" sh setup.sh
	@touch $@

# Tools that only one target needs: an extra of pyproject.toml each.
$(VENV)/.with-%: $(STAMP)
	$(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt -e ".[$*]"
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

report: $(STAMP)
	$(BIN)/python -m experiments.report campaign=$(CAMPAIGN) $(if $(filter uncapped deployable,$(CAMPAIGN)),readme=true)

# The site mirrors the checkout, so that every link in it holds there too.
PAGES := README.md CHANGELOG.md CONTRIBUTING.md LICENSE docs examples benchmarks datasets/README.md \
	results/uncapped results/deployable results/pays
docs: $(VENV)/.with-docs
	rm -rf build/docs && mkdir -p build/docs/datasets build/docs/results
	for page in $(PAGES); do ln -s "$(CURDIR)/$$page" build/docs/$$page || exit 1; done
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

notebooks: $(VENV)/.with-notebooks
	$(BIN)/python docs/notebooks.py

bench: $(STAMP) oracle
	$(BIN)/python -m benchmarks

release: $(VENV)/.with-release
	PYTHON="$(BIN)/python" sh release.sh

oracle: $(STAMP)
	$(BIN)/python benchmarks/fetch_oracle.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist site *.egg-info
