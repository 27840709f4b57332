# Everything a newcomer needs, with Python 3.11 or later, pip and make.
PYTHON ?= python3
CORES ?= all
CONFIG ?= config.yaml
VENV := .venv
BIN := $(VENV)/bin
RESULTS := $(lastword $(shell sed -n 's/^results: *//p' $(CONFIG)))
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help env run test format verify docs clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

env: $(VENV)/installed ## install the pinned environment, development tools included, into .venv

$(VENV)/installed: envs/requirements.lock envs/dev.lock
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11), 'Python 3.11 or later is needed'"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement envs/requirements.lock --requirement envs/dev.lock
	touch $@

run: env ## run the study of config.yaml (CONFIG="a.yaml b.yaml" for others), then its report
	@$(BIN)/python -m pipeline.unlock --configfile $(CONFIG) --quiet all
	$(BIN)/snakemake --cores $(CORES) --configfile $(CONFIG) --rerun-incomplete --show-failed-logs \
	    --max-checksum-file-size 100000000 --quiet rules host
	@$(MAKE) --no-print-directory $(RESULTS)/report.html
	@echo "page:   $(RESULTS)/page/index.html"
	@echo "report: $(RESULTS)/report.html"

$(RESULTS)/report.html: $(RESULTS)/page/index.html # Snakemake's own report, made again when the page was
	$(BIN)/snakemake --configfile $(CONFIG) --report $@ --quiet all

test: env ## format, lint, types, every test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

format: env ## format the code
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

verify: env ## hold every result against the config; what does not match is due again
	$(BIN)/python -m pipeline.verify --configfiles $(CONFIG)

# What the docs show: pictures of the default study, and of those others that are finished.
PICTURES = $(addprefix $(RESULTS)/figures/,planted_digits/simple_cnn_cam/coherence.png \
    planted_digits/simple_cnn_cam/randomised_maps.png digits/simple_cnn/scores_dots.svg \
    digits/simple_cnn/retraining_curves.svg) \
    $(wildcard results-coherence/figures/*/*/coherence.png results-surfaces/figures/*/*/surfaces.png \
    results-convergence/figures/*/*/convergence.svg \
    $(addprefix results-*metrics/figures/*/*/,ranks_dots.svg agreement_map.svg randomised_maps.png))
TABLES = $(wildcard $(addprefix results-*metrics/tables/,ranks.md agreement.md quality.md scores.md))

docs: ## put tables and pictures of the finished default study, and some of others, into the README and docs/results
	$(BIN)/python -m pipeline.publish --results $(RESULTS) --readme README.md --folder docs/results --table scores \
	    --pictures $(PICTURES) --tables $(TABLES)

clean: ## remove the results of config.yaml, with logs and benchmarks
	rm -rf $(RESULTS) logs benchmarks
