# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make run    install what is missing and start Interlock on 127.0.0.1:20100
#   make test   install what is missing and run every test

PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .cache/uv/bin/uv)
ARGS ?=
COMPILED_TESTS = $(addprefix tests/,gateway upstreams policy protocol audit telemetry integration/test_two_lanes.py)

.PHONY: run console console-types test test-compiled compiled lint types check format bench clean

run: console
	@.venv/bin/interlock up $(ARGS)

# Built again only when its sources have changed; CONSOLE_BUILD=skip leaves it as it is.
console: .venv/.runnable
	@.venv/bin/python console/build.py --uv $(UV)

# The types of the API, as the console knows them; after every change of a route or a body.
console-types: .venv/.synced
	@PYTHONPATH=. .venv/bin/python console/api_types.py

test: .venv/.synced
	@.venv/bin/pytest $(ARGS)
	@$(if $(filter-out -q,$(ARGS)),,$(MAKE) --no-print-directory test-compiled)

# The modules on the path of a call once more, compiled from the same sources.
test-compiled: compiled
	@cd .cache/compiled && .venv/bin/python -m interlock version | grep --quiet compiled
	@cd .cache/compiled && .venv/bin/pytest -q $(COMPILED_TESTS)

compiled: .venv/.synced
	@.venv/bin/python native/compiled.py .cache/compiled

lint: .venv/.synced
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports

types: .venv/.synced
	.venv/bin/pyright

check: lint types test

# Needs two cores to itself; ARGS="--rounds 3 --seconds 2" makes it shorter.
bench: compiled .cache/bench/fastmcp/.ready .cache/bench/mcp-proxy/.ready
	@.venv/bin/python -m bench $(ARGS)

format: .venv/.synced
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

# The environment is what the lock says, and is brought up to date when the lock changes.
# Its modules are compiled at once: a start is three times as long while each has to be compiled,
# and where Python is told to write no bytecode (as in many containers) that is every start.
SYNC = $(UV) sync --frozen --quiet --no-python-downloads --compile-bytecode --python $(PYTHON)
COMPILE = .venv/bin/python -m compileall -q interlock

.venv/.runnable: pyproject.toml uv.lock | $(UV)
	@$(SYNC) --no-dev --inexact
	@$(COMPILE)
	@touch $@

.venv/.synced: pyproject.toml uv.lock | $(UV)
	@$(SYNC)
	@$(COMPILE)
	@touch $@ .venv/.runnable

# What the bench compares with, each in an environment of its own.
.cache/bench/%/.ready: bench/peers/%.txt | $(UV)
	@$(UV) venv --quiet --clear --no-python-downloads --python $(PYTHON) $(@D)
	@$(UV) pip install --quiet --compile-bytecode --python $(@D)/bin/python -r $<
	@touch $@

.cache/uv/bin/uv:
	@echo "Installing uv into .cache/uv" >&2
	@$(PYTHON) -m venv .cache/uv
	@.cache/uv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.10"

clean:
	rm -rf .venv .cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
