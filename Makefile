# Newcomers need two commands: `make demo` and `make test`. Both work on a bare Debian 12.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Set in many containers; every process that the tests start would compile all it imports anew.
unexport PYTHONDONTWRITEBYTECODE
# What the tests call that pip cannot install: command:package pairs.
TEST_TOOLS := chromium:chromium chromedriver:chromium-driver dciodvfy:dicom3tools dsrdump:dcmtk npm:npm \
	Orthanc:orthanc Orthanc:orthanc-dicomweb pg_ctlcluster:postgresql
FHIR_VALIDATOR := 4.12.0
LOCK := $(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-header --no-annotate \
	--python-version 3.11

# $(call apt,PACKAGES): install Debian packages where we may, else say which are missing.
apt = if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
	    -o DPkg::Lock::Timeout=300 install --no-install-recommends $(1) >/dev/null; \
	else \
	  echo "Missing system packages; ask an administrator to install: $(1)" >&2; exit 2; \
	fi

.PHONY: demo test check format lock picture tools clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.runtime  ## an artificial patient, analysed from real DICOM files
	@$(BIN)/calcinosis demo --output calcinosis-demo --force
	@echo "Open calcinosis-demo/report.html in a browser."

test: $(VENV)/.test tools  ## everything that can be tested
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)
	@echo "All tests ran; docs/index.md shows the way on, CONTRIBUTING.md the house."

check: $(VENV)/.test  ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.test  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/.test  ## pin the dependencies of pyproject.toml anew
	$(LOCK) pyproject.toml --extra test --output-file requirements/test.txt
	$(LOCK) pyproject.toml --constraint requirements/test.txt --output-file requirements/runtime.txt

picture: demo tools $(VENV)/.test  ## the pictures of README and manual, from the demo and the lesson
	$(BIN)/python docs/picture.py calcinosis-demo/report.html docs/report.png
	$(BIN)/python docs/worklist.py calcinosis-demo docs/worklist.png
	$(BIN)/calcinosis lesson calcinosis-lesson --force
	$(BIN)/python docs/lesson.py calcinosis-lesson/lesson.html docs/lesson.png

tools: $(VENV)/.runtime
	@missing=; PATH="$$PATH:/usr/sbin"; for pair in $(TEST_TOOLS); do \
	  command -v $${pair%%:*} >/dev/null || missing="$$missing $${pair##*:}"; done; \
	if [ -n "$$missing" ]; then $(call apt,$$missing); fi
	@test -d $(VENV)/lib/node_modules/fhir || npm install --silent --no-audit --no-fund \
	  --global --prefix $(VENV) fhir@$(FHIR_VALIDATOR)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Calcinosis needs Python 3.11 or newer; found $$($(PYTHON) --version)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(call apt,python3-venv); }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt requirements/test.txt pyproject.toml | $(BIN)/python
	@echo "Installing Calcinosis into $(VENV) ..."
	@$(PIP) install --no-compile --requirement requirements/runtime.txt
	@PIP_CONSTRAINT=requirements/test.txt PIP_BUILD_CONSTRAINT=requirements/test.txt \
	  $(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.runtime
	@echo "Installing what the tests need into $(VENV) ..."
	@$(PIP) install --no-compile --requirement requirements/test.txt
	@touch $@

clean:  ## back to a fresh clone
	rm -rf $(VENV) dist build calcinosis-demo calcinosis-lesson calcinosis-report .mypy_cache .ruff_cache \
	  .pytest_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -prune -exec rm -rf {} +
