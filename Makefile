# Everything a newcomer or a CI job needs. Wants GNU make, a POSIX shell and Python 3.11 or newer.
# `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCKS := requirements/core.txt requirements/image.txt requirements/build.txt requirements/dev.txt
# Arguments for `make demo`, for example: make demo ARGS="--days 7 --seed 3"
ARGS ?=
# Long proofs of reliability, each run by itself; docs/reliability.md has their commands and results.
CAMPAIGNS := $(addprefix benchmarks/,backtest_parity.py crash_points.py cut_week.py exposure.py fleet_week.py kill_postgres.py kill_week.py planted_bugs.py reply_matrix.py)
# Test processes.
WORKERS ?= 2
# Tests that take every branch of domain and strategy; only they are watched for coverage.
GATED := tests/unit/domain tests/unit/strategy tests/property tests/engine/test_execution_steps.py tests/engine/test_requests.py tests/engine/test_several_hedges.py tests/engine/test_waiting_trades.py
# The longest tests first; those that share a fixture of their module in one process (tests/conftest.py).
PARALLEL := -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo simulate test quick lint fast nightly check strict conformance pages screenshots site format bench kill-week cut-week planted matrix first-hour lock image-test clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

setup: $(STAMP) ## install the hedgerow command, its extras and the development tools into .venv
	@:

$(STAMP): requirements/dev.txt pyproject.toml
	@sh scripts/setup.sh "$(PYTHON)" "$(VENV)"
	@touch $@

demo: setup ## embedded exchange + bot + report, no key needed (ARGS="--days 7 ...")
	@$(BIN)/hedgerow demo $(ARGS)

simulate: setup ## 2,000 runs of 14 days under random faults; 25 minutes on two free cores (ARGS="--runs 100 ...")
	@$(BIN)/hedgerow simulate --runs 2000 --days 14 --workers $(WORKERS) $(ARGS)

test: setup ## all tests; every branch of domain and strategy must have been taken
	$(BIN)/python -m pytest $(PARALLEL) $(GATED) --cov=hedgerow.domain --cov=hedgerow.strategy --cov-report=
	$(BIN)/coverage report --skip-covered --skip-empty --show-missing --fail-under=100
	$(BIN)/python -m pytest $(PARALLEL) $(GATED:%=--ignore=%)

quick: setup ## before each commit, under a minute on two free cores: format, lint, types, layers, fast tests
	@$(MAKE) --no-print-directory -j 2 lint fast

lint: setup ## format, lint, layers and types (mypy), changing nothing
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

fast: setup ## the fast tests alone (another Python: make fast PYTHON=python3.13 VENV=.venv-3.13)
	$(BIN)/python -m pytest -q $(PARALLEL) -m "not slow" --hypothesis-profile=quick $(ARGS)

nightly: setup ## the properties with ten times as many examples, other ones at each run
	$(BIN)/python -m pytest -q $(PARALLEL) -m hypothesis --hypothesis-profile=nightly

check: setup ## format, lint, spelling, types and layers, changing nothing
	@$(MAKE) --no-print-directory -j 2 --output-sync=target lint strict

strict: setup ## spelling, and types by a second checker (pyright)
	$(BIN)/typos
	$(BIN)/pyright

conformance: setup ## point other people's clients (ccxt, typed-aster) at the emulator; needs node for one of them
	@sh scripts/conformance.sh

pages: setup ## write the tables of the docs that follow from the code anew
	@PYTHONPATH=src:tests $(BIN)/python -m support.pages

site: ## build the documentation as a site into .site; a broken link is an error
	@sh scripts/site.sh

screenshots: setup ## take the pictures of docs/dashboard.md, of the demo and of the browser tests; needs Chromium
	@PYTHONPATH=src:tests $(BIN)/python -m support.demo_pictures docs/images
	@HEDGEROW_DOCS_IMAGES=docs/images $(BIN)/python -m pytest -q tests/browser -k "naked or keyboard"

format: setup ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## measure against the budgets; prints figures, changes nothing
	@for script in $(filter-out benchmarks/_% $(CAMPAIGNS),$(sort $(wildcard benchmarks/*.py))); do \
		echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

kill-week: setup ## kill -9 of the bot 200 times over a simulated week (ARGS="--kills 50 ...")
	@$(BIN)/python benchmarks/kill_week.py --progress $(ARGS)

cut-week: setup ## a simulated week over sockets with the network cut 60 times (ARGS="--cuts 0 ...")
	@$(BIN)/python benchmarks/cut_week.py $(ARGS)

planted: setup ## plant every bug of benchmarks/planted alone, print those that nothing notices (ARGS="--only ...")
	@$(BIN)/python benchmarks/planted_bugs.py --workers $(WORKERS) $(ARGS)

matrix: setup ## every field of every reply with every mutation, against a live bot (ARGS="--sample 500 ...")
	@$(BIN)/python benchmarks/reply_matrix.py --workers $(WORKERS) $(ARGS)

first-hour: ## clone this, install it, do what docs/first_hour.md says; each step checked and timed
	@$(PYTHON) scripts/first_hour.py $(ARGS)

lock: setup ## resolve the dependencies anew and write requirements/ with hashes
	@sh scripts/lock.sh $(BIN)/uv

image-test: ## build the container image and run the bot in it for real
	@bash scripts/image_test.sh

clean: ## remove .venv and everything the tools left behind
	rm -rf $(VENV) .venv-site .site .conformance dist build htmlcov .coverage .coverage.* .pytest_cache .hypothesis .mypy_cache \
		.ruff_cache .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
