# Every target sets itself up in .venv, so a fresh clone needs `make demo` and nothing before it.

PYTHON ?= python3
# A pip index with the PyTorch build to install, such as its CPU wheels; empty: pip's own choice.
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help demo test check eval bench soak device docs clean

help: ## show this list
	@echo 'make TARGET [PYTHON=python3.12] [TORCH_INDEX=URL]'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/installed ## render the bundled hum into melody-bridge-demo/
	$(BIN)/melody-bridge demo

test: $(VENV)/installed-dev ## run the tests
	$(BIN)/python -m pytest

check: $(VENV)/installed-dev ## ruff (format and lint) and strict mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

eval: $(VENV)/installed ## measure how well the embedded checkpoint follows melody, tempo and prompt
	$(BIN)/melody-bridge eval

bench: $(VENV)/installed ## how fast the engine is on this machine, beside transformers' generate
	$(BIN)/melody-bridge bench

soak: $(VENV)/installed-dev ## 20 minutes of hard use: capture, rendering, kills and a million bad packets
	MELODY_BRIDGE_HOSTILE_PACKETS=1000000 $(BIN)/python -m pytest -s tests/control/test_hostile.py \
		tests/soak/soak.py

device: $(VENV)/installed-dev ## build the Max for Live device and draw its picture
	$(BIN)/python max_for_live/build.py

docs: $(VENV)/installed ## write the table of options into docs/cli.md
	$(BIN)/python -m bridge.tools.option_table docs/cli.md

clean: ## remove the virtual environment and what was built
	rm -rf $(VENV) build dist melody-bridge-demo

# The stamps are what make a second run quick: only a changed pyproject.toml installs again.
$(VENV)/installed: pyproject.toml | $(BIN)/python
	@$(if $(TORCH_INDEX),$(BIN)/python -c 'import torch' 2>/dev/null \
		|| $(BIN)/python -m pip install --index-url '$(TORCH_INDEX)' torch)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit( \
		"Python 3.11 to 3.13 is needed, this is %d.%d: try make PYTHON=python3.12" % v)'
	@# A venv without pip (Debian without python3-venv) must not pass for one that is done.
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
