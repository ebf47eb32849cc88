# Thin: each target is a command that you may run by hand. `make demo` and `make test` set up what they need.
.PHONY: demo run app test check bench format lock schema picture clean soak
.DELETE_ON_ERROR:

PYTHON ?= python3
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
READY := $(VENV)/.ready
EXTRAS := $(VENV)/.extras
INSTALL := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

demo: $(READY) ## train three small models on digits and render the report
	@snakemake --cores $(CORES) --configfile examples/demo.yaml --directory demo --quiet rules reason host
	@echo "Report: $(CURDIR)/demo/reports/index.html"

run: $(READY) ## the published benchmark, config.yaml
	snakemake --cores $(CORES) --resources gpu=1

app: demo $(EXTRAS) ## try the demo's models on pictures, in a browser
	cifarbench app --runs demo/results/runs --data demo/data

test: $(EXTRAS) ## the whole test suite; one process more than cores, since some of it waits for others; sources are compiled once
	PYTHONDONTWRITEBYTECODE= pytest -n $$(($(CORES) + 1)) --dist loadfile --no-loadscope-reorder

check: $(READY) ## style, workflow lint and types
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	snakemake --lint
	mypy

soak: $(READY) ## archives, folders, configs and tables damaged at random, commands killed, thousands of times; prints what came
	python tests/faults/soak.py --cases $(or $(CASES),2000)

bench: $(READY) ## training beside a naive one, the workflow beside its trainings, plans and reports at scale, the statistics, fingerprints; about 50 minutes on 2 cores
	cifarbench bench --output results/bench.json
	cifarbench bench-workflow --output results/bench-workflow.json
	cifarbench bench-scale --output results/bench-scale.json
	cifarbench bench-statistics --output results/bench-statistics.md
	PYTHONPATH=tests python tests/helpers/bench_report.py --output results/bench-report.json
	python tests/helpers/behaviour.py --output results/bench-fingerprint.json

format: $(READY) ## rewrite the sources as `check` wants them
	ruff check --fix .
	ruff format .
	snakefmt Snakefile rules

schema: $(READY) ## workflow/config.schema.json from the typed config
	cifarbench schema >workflow/config.schema.json

picture: demo ## the picture in the README, from the demo's report; a test says when it is out of date
	python tests/helpers/picture.py demo/reports/index.html .github/report.png

# The versions that everything is tested with, with hashes, for every platform; needs uv. Keeps what is locked
# already; `uv pip compile --upgrade-package NAME` moves one on. The second file has what the extras need beside the first.
lock:
	$(COMPILE) --extra dev --output-file envs/requirements.txt pyproject.toml
	$(COMPILE) --all-extras --constraint envs/requirements.txt --output-file envs/extras.txt pyproject.toml
	awk '/^[^ ]/ {new = !seen[$$1]++} NR > FNR && new' envs/requirements.txt envs/extras.txt >envs/extras.new
	mv envs/extras.new envs/extras.txt

$(READY): envs/requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes -r envs/requirements.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

$(EXTRAS): $(READY) envs/extras.txt
	$(INSTALL) --require-hashes --no-deps -r envs/extras.txt
	touch $@

clean: ## what `make demo` and the checks made; not data, results or reports
	rm -rf demo .mypy_cache .pytest_cache .ruff_cache .hypothesis
