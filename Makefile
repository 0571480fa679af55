# Everything a newcomer needs: `make report` and `make test` set up the environment themselves.

PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)
export OMP_NUM_THREADS := 1  # one process, one thread: cores are filled by jobs

.DEFAULT_GOAL := help
.PHONY: help env report lab claims test test-cluster test-slow lint bench gpu soak clean

help:  ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' $(MAKEFILE_LIST)

env: .venv/ready  ## set up .venv, with PyTorch and the other packages

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ganbench needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	@echo "Installing PyTorch and the other packages (several GB; minutes on a fast line) ..."
	python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

report: env  ## run the default study and make its report
	ganbench check
	snakemake
	@echo "The report is at results/digits-and-ring/report.html"

lab: env  ## run the two-player laboratory, which decides the claims on small games
	ganbench check config/studies/lab.yaml
	snakemake --configfile config/studies/lab.yaml
	@echo "The report is at results/lab/report.html"

claims: env  ## run the studies that decide the claims, one after the other, and write docs/claims.md; goes on after a kill
	ganbench decide config/studies/lab.yaml $(wildcard config/studies/small/*.yaml)
	@echo "All verdicts are in docs/claims.md"

test: env  ## run the tests of every part: less than five minutes on two cores
	python -m pytest -n 2 --dist worksteal -m "not slow and not cluster"

test-cluster: env  ## run the tests of workflows, and of clusters and servers where these can be had
	python -m pytest -n 4 --dist worksteal -m "cluster and not slow"  # they wait a lot, for servers and schedulers

test-slow: env  ## run the long forms of the tests, half an hour of two cores
	python -m pytest -n 2 --dist worksteal -m slow

lint: env
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow

bench: env  ## measure speed and memory, side by side
	python -m benchmarks.bench

gpu:  ## check and measure training on a GPU, with a Python that has PyTorch, in less than nine minutes
	$(PYTHON) -m benchmarks.gpu

soak: env  ## disturb a study at random for half an hour; it must end as if nothing had happened
	python tests/helpers/soak.py --minutes 30
	GANBENCH_FLIPS=300 python -m pytest tests/workflow/test_damage.py
	GANBENCH_DRAW=$$(date +%s) python -m pytest tests/workflow/test_claim_reruns.py
	GANBENCH_STUDIES=500 python -m pytest -m hypothesis --hypothesis-profile=soak

clean:  ## remove the environment and every result
	rm -rf .venv .snakemake .pytest_cache .ruff_cache .hypothesis ganbench.egg-info
	find results -mindepth 1 ! -name .gitkeep -delete
