# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
# What one types here; every target makes or refreshes the environment in .venv first.

PYTHON ?= python3
VENV   ?= $(CURDIR)/.venv
BIN    := $(VENV)/bin

# ROS finds its packages and libraries in the environment; a sourced distribution stays in front of it.
export VENV
export AMENT_PREFIX_PATH := $(if $(AMENT_PREFIX_PATH),$(AMENT_PREFIX_PATH):)$(VENV)
export LD_LIBRARY_PATH   := $(if $(LD_LIBRARY_PATH),$(LD_LIBRARY_PATH):)$(VENV)/lib

.PHONY: help setup demo demo-sim test bench params clean

help:
	@echo 'make setup   the environment only: .venv with everything needed'
	@echo 'make demo    run the pipeline on the bundled recording and write a report'
	@echo 'make demo-sim  simulate a robot, run the pipeline on it and compare with the truth'
	@echo 'make test    formatting, lint, types and tests'
	@echo 'make bench   measure speed and accuracy'
	@echo 'make params  write config/ and docs/parameters.md from the declared parameters'
	@echo 'make clean   remove .venv and what builds left behind'

setup:
	@$(PYTHON) scripts/setup_environment.py

demo: setup
	@$(BIN)/event-perception demo

demo-sim: setup
	@$(BIN)/event-perception demo --sim

bench: setup
	@$(BIN)/event-perception bench

test: setup
	@$(BIN)/python scripts/run_tests.py

params: setup
	@$(BIN)/python scripts/write_parameters.py

clean:
	rm -rf $(VENV) build install log event_perception.egg-info
