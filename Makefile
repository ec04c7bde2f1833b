# Everything a person types. `make` alone lists it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
NAME   ?=
JOBS   ?= 2

# uv does not read pip's configuration: hand it the mirror a company may have set there.
MIRROR = index=$$($(BIN)/python -m pip config get global.index-url 2>/dev/null) && export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$index}";

.DEFAULT_GOAL := help
.PHONY: help run test lint types layers tests compiled compiled-tests bench sample lock clean

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "Slipway needs Python 3.11 or newer on PATH (or make PYTHON=/path/to/python)."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Slipway needs Python 3.11 or newer; $(PYTHON) is older. Try make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.installed: $(BIN)/uv requirements.lock pyproject.toml
	@echo "Installing Slipway"
	@$(MIRROR) $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(MIRROR) $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/.developing: $(VENV)/.installed requirements-dev.lock
	@echo "Installing what the tests need"
	@$(MIRROR) $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

run: $(VENV)/.installed ## Start the studio: make run [ARGS="--no-sample"]
	@exec $(BIN)/slipway up $(ARGS)

test: lint types layers tests compiled-tests ## Lint, types, layers and all tests

lint: $(VENV)/.developing ## Style, by ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.developing ## Types, by mypy
	@$(BIN)/mypy studio endpoints tests benchmarks

layers: $(VENV)/.developing ## Who may import whom, by import-linter
	@$(BIN)/lint-imports

tests: $(VENV)/.developing ## The tests: make tests [ARGS="-k gateway"]
	@SLIPWAY_GATEWAY_COMPILED=off $(BIN)/pytest -n $(JOBS) --dist loadfile $(ARGS)

compiled: $(VENV)/.developing ## Compile the gateway's hot modules into build/, where there is a C compiler
	@$(BIN)/python -m endpoints.gateway.compile --if-needed --if-possible

compiled-tests: compiled ## The gateway's tests once more, on the compiled build
	@if $(BIN)/python -m endpoints.gateway.compile --look; \
	then SLIPWAY_GATEWAY_COMPILED=require $(BIN)/pytest -n $(JOBS) -q -m "not slow" tests/gateway; \
	else echo "skipped: the tests of the compiled gateway, for there is no build"; fi

bench: compiled ## Measure: make bench [NAME=data_plane]
	@$(BIN)/python -m benchmarks $(NAME)

sample: $(BIN)/uv ## Train the sample model, for the command line's tutorial
	@$(MIRROR) $(BIN)/uv run --quiet --no-project --python 3.11 --with-requirements samples/diabetes/requirements.txt python samples/diabetes/train.py samples/diabetes/model

lock: $(BIN)/uv ## Renew the lock files from pyproject.toml
	@$(MIRROR) $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header pyproject.toml --extra postgres -o requirements.lock
	@$(MIRROR) $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header pyproject.toml --extra postgres --group dev -o requirements-dev.lock

clean: ## Remove what make made, but not the studio's data
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache benchmarks/out
