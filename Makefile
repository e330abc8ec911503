.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null)

# Prints every target that carries a description behind two hashes.
.PHONY: help
help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: install
install: .venv/.project ## make the environment in .venv (again when the lock file changed)

.PHONY: serve
serve: install ## upgrade a local SQLite database and serve it on 127.0.0.1: make serve PORT=8001
	@exec $(BIN)/roster serve --upgrade --port=$(PORT)

.PHONY: test
test: install ## run every test on SQLite and on an ephemeral PostgreSQL, with coverage
	$(BIN)/python -m slipcover --json --out=.coverage.json -m pytest $(SPREAD) --durations=25 --durations-min=1
	@$(BIN)/python -m slipcover --merge .coverage.json --out=.coverage.json --fail-under=96
# The hundreds of processes that tests start would each compile the service again.
test test-quick: export PYTHONDONTWRITEBYTECODE :=
# A file's tests run in one process, so that what they share is made once.
SPREAD := -p tests.controller --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

.PHONY: test-quick
test-quick: install ## run the tests on SQLite that are not slow, without coverage
	$(BIN)/python -m pytest $(SPREAD) -m 'not slow and not postgresql'

.PHONY: test-slow
test-slow: install ## try many random changes of random tables: make test-slow SEEDS=2000 FIRST=5000
	ROSTER_RANDOM_TABLES=$(SEEDS) ROSTER_RANDOM_FIRST=$(FIRST) \
	  $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 tests/migrate/property
SEEDS ?= 300
FIRST ?= 1000

.PHONY: check
check: install ## formatting, lint and types, changing nothing
	@$(MAKE) --no-print-directory --keep-going --jobs=4 $(CHECKS)

CHECKS := check-format check-lint check-types check-types-of-revisions
.PHONY: $(CHECKS)
check-format:
	$(BIN)/ruff format --check .
check-lint:
	$(BIN)/ruff check .
check-types:
	$(BIN)/mypy
# By itself: beside the other modules, the folder alembic/ would hide the library.
check-types-of-revisions:
	cd alembic && ../$(BIN)/mypy --config-file=../pyproject.toml --cache-dir=../.mypy_cache/alembic env.py versions/*.py

.PHONY: fmt
fmt: install ## format the code and mend what the linter can
	$(BIN)/ruff check --fix-only --exit-zero .
	$(BIN)/ruff format .

.PHONY: migration
migration: install ## draft a revision from the models: make migration m="add age"
	$(BIN)/alembic revision --autogenerate -m "$$m"
	@printf '%s\n' 'Next:' \
	  '  1. read the draft in alembic/versions/, and write in its docstring why, and what requests notice' \
	  '  2. set NEWEST (and OLDEST, if the models changed) in service/schema_range.py' \
	  '  3. $(BIN)/roster db upgrade && $(BIN)/roster db backfill' \
	  '  4. schemas and tests: docs/adding-a-column.md, docs/adding-a-noun.md' \
	  '  5. make check test'
ifeq ($(MAKECMDGOALS)$(m),migration)
$(error Say what changes: make migration m="add age")
endif

.PHONY: bench
bench: install ## measure the service beside a bare floor on this machine
	$(BIN)/python -m bench
	$(BIN)/python -m bench.logins
	$(BIN)/python -m bench.feed

.PHONY: bench-scale
bench-scale: install ## measure with 10,000 to 1,000,000 users and 1 to 64 callers, and draw the plots of docs/performance.md
	$(BIN)/python -m bench.scale --svg=docs/pictures

.PHONY: bench-migrate
bench-migrate: install ## measure every change of a schema, up and down, beside live traffic
	$(BIN)/python -m bench.migrating

.PHONY: bench-lint
bench-lint: install ## measure which statements keep requests waiting, and which of them the linter and squawk-cli find
	$(BIN)/python -m bench.lint

.PHONY: rehearse
rehearse: install ## serve the previous and the new version while the schema changes: make rehearse ROWS=1000000
	$(BIN)/roster db rehearse --rows=$(ROWS) --seconds=20 --baseline
ROWS ?= 1000000

.PHONY: lock
lock: ## choose the newest versions again and write the lock files (needs the package index)
	@uv='$(UV)'; if [ -z "$$uv" ]; then \
	  test -x .tools/bin/uv || { $(PYTHON) -m venv .tools && .tools/bin/pip install --quiet uv; } || exit 1; \
	  uv=.tools/bin/uv; \
	fi; \
	set -ex; \
	"$$uv" pip compile $(COMPILE) --extra dev pyproject.toml --output-file requirements-dev.lock; \
	"$$uv" pip compile $(COMPILE) --constraint requirements-dev.lock pyproject.toml --output-file requirements.lock; \
	printf 'editables\nhatchling\n' | \
	  "$$uv" pip compile $(COMPILE) --constraint requirements-dev.lock - --output-file requirements-build.lock
COMPILE := --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-emit-index-url --no-strip-extras

.PHONY: clean
clean: ## remove the environment, caches and reports; databases stay
	rm -rf .venv .tools build dist htmlcov .coverage.json \
	  .hypothesis .mypy_cache .pytest_cache .ruff_cache .schemathesis
	find service tests bench alembic -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The environment is made anew, not patched, so that it holds what the lock names and nothing else.
.venv/.locked: requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo 'Roster needs Python 3.11 or newer; "$(PYTHON)" is' \
	    "$$($(PYTHON) --version 2>&1 | head -n 1 || true)." \
	    'Name another one: make PYTHON=python3.13 …' >&2; exit 1; }
ifneq ($(UV),)
	$(UV) venv --quiet --clear --python $(PYTHON) .venv
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $<
else
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
endif
	@touch $@

.venv/.project: .venv/.locked pyproject.toml
ifneq ($(UV),)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endif
	@touch $@
