# Everything a checkout can do. The work is in scripts/; this file knows what has to be installed before.

PYTHON ?=
ARGS ?=
RUN := .venv/bin/python -m
SERVE := .venv/.installed-serve
DEV := .venv/.installed-dev
export PYTHON

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check bench soak format protos lock clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */\1\t/' | expand -t 10

demo: $(SERVE) ## the main job on simulated tiers, without keys or network; ARGS="--help" for more
	$(RUN) specroute demo $(ARGS)

test: check ## the one check with all tests; the same as check

check: $(DEV)
	@scripts/install_buf
	@scripts/install_grpc_js
	scripts/check $(ARGS)

bench: $(DEV) ## every benchmark, one after the other, on a quiet machine
	@set -e; for file in $$(grep -lE '^def main' benchmarks/*.py); do \
	  name=$$(basename $$file .py); echo "== benchmarks.$$name"; \
	  if grep -q SPECROUTE_OUTCOMES $$file && [ -z "$$SPECROUTE_OUTCOMES" ]; then echo "skipped: set SPECROUTE_OUTCOMES"; \
	  else $(RUN) benchmarks.$$name; fi; done

soak: $(DEV) ## the tests that are too long for every check
	$(RUN) pytest -v -m soak $(ARGS)

format: $(DEV) ## format the code and mend what can be mended
	$(RUN) ruff format
	$(RUN) ruff check --fix
	@if PATH="$(CURDIR)/.venv/bin:$$PATH" command -v buf >/dev/null; then PATH="$(CURDIR)/.venv/bin:$$PATH" buf format -w protos; fi

protos: $(DEV) ## generate the code of protos/
	scripts/gen_protos

lock: ## pin the dependencies; ARGS=--upgrade for newer versions
	scripts/lock $(ARGS)

clean: ## remove .venv and everything else that was made here
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

LOCKS := requirements/serve.lock requirements/build.lock

$(SERVE): $(LOCKS) pyproject.toml scripts/install
	scripts/install serve
	@touch $@

# What the checks need contains what the service needs.
$(DEV): requirements/dev.lock $(LOCKS) pyproject.toml scripts/install
	scripts/install dev
	@touch $(SERVE) $@
