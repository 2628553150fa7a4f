# Every target sets itself up in .venv, so a fresh clone needs `make demo` and nothing before it.

PYTHON ?= python3
# A pip index with the PyTorch build to install, such as its CUDA wheels. Empty: the CPU build on Linux
# without an NVIDIA driver, elsewhere pip's own choice.
TORCH_INDEX ?=
# 1: run the slow tests too.
SLOW ?=
# Processes for the tests that can share the machine.
WORKERS ?= auto

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
PYTEST := $(BIN)/python -m pytest
# The version that CI tested.
TORCH_VERSION := $(shell sed -n 's/^torch==//p' constraints.txt)
CPU_INDEX := https://download.pytorch.org/whl/cpu
.DEFAULT_GOAL := help
.PHONY: help demo test check eval bench soak device docs clean

help: ## show this list
	@echo 'make TARGET [PYTHON=python3.12] [TORCH_INDEX=URL] [SLOW=1]'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/installed ## render the bundled hum into melody-bridge-demo/
	$(BIN)/melody-bridge demo

# Tests marked `exclusive` use the sound card or measure time: they run alone, one after another.
test: $(VENV)/installed-dev ## run the tests; SLOW=1: the slow ones too
	@status=0; \
	$(PYTEST) -n $(WORKERS) --dist loadfile -m 'not exclusive$(if $(SLOW),, and not slow)' || status=1; \
	$(PYTEST) -m 'exclusive$(if $(SLOW),, and not slow)' || status=1; \
	exit $$status

check: $(VENV)/installed-dev ## ruff (format and lint) and strict mypy for Linux, macOS and Windows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@# mypy drops a cache that another platform wrote, so each platform has its own.
	printf '%s\n' linux darwin win32 | xargs -P 3 -I PLATFORM \
		$(BIN)/python -m mypy --platform PLATFORM --cache-dir .mypy_cache/PLATFORM

eval: $(VENV)/installed ## measure how well hums become notes, and how well the embedded checkpoint follows
	$(BIN)/melody-bridge eval --hums
	$(BIN)/melody-bridge eval

bench: $(VENV)/installed ## how fast the engine is on this machine, beside transformers' generate
	$(BIN)/melody-bridge bench

soak: $(VENV)/installed-dev ## 75 minutes of hard use: capture, rendering, live loops, floods, kills and a million bad packets
	MELODY_BRIDGE_HOSTILE_PACKETS=1000000 MELODY_BRIDGE_HOSTILE_FRAMES=30000 \
	$(PYTEST) -s --timeout 0 tests/control/test_hostile.py tests/serving/test_hostile.py \
		tests/soak/soak.py

device: $(VENV)/installed-dev ## build the Max for Live device and draw its picture
	$(BIN)/python max_for_live/build.py

docs: $(VENV)/installed ## write the table of options into docs/cli.md, and docs/loop-states.svg
	$(BIN)/python -m bridge.tools.option_table docs/cli.md
	$(BIN)/python -m bridge.tools.loop_states docs/loop-states.svg

clean: ## remove the virtual environment and what was built
	rm -rf $(VENV) build dist melody-bridge-demo

# The stamps make a second run quick: only a change of these two files installs again.
$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	@$(BIN)/python -c 'from importlib.metadata import version; import sys; sys.exit( \
		version("torch").partition("+")[0] != "$(TORCH_VERSION)")' 2>/dev/null || { $(INSTALL_TORCH); }
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt $(VENV)/installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

ifneq ($(TORCH_INDEX),)
INSTALL_TORCH = $(PIP) install --index-url '$(TORCH_INDEX)' 'torch==$(TORCH_VERSION)'
else
# On Linux pip's own choice is the CUDA build, 5.8 GB installed. The CPU build does without it where
# no NVIDIA driver could use it. Without a network this gives up in seconds, and pip chooses below.
INSTALL_TORCH = test "$$(uname -s)" != Linux || test -e /proc/driver/nvidia \
	|| command -v nvidia-smi >/dev/null \
	|| $(PIP) install --quiet --no-deps --timeout 5 --retries 0 --index-url '$(CPU_INDEX)' \
		'torch==$(TORCH_VERSION)' 2>/dev/null \
	|| echo 'the CPU build of PyTorch is out of reach: pip chooses the build'
endif

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit( \
		"Python 3.11 to 3.13 is needed, this is %d.%d: try make PYTHON=python3.12" % v)'
	@# A venv without pip (Debian without python3-venv) must not pass for one that is done.
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
