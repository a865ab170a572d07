# make demo   set up, play the packaged clip into the live node, print errors, draw a picture
# make test   set up, run the tests
# make lint   set up, check style and types
# make setup  the environment alone: .venv, pinned packages, our messages built into it

PYTHON ?= python3.11
VENV := $(CURDIR)/.venv

# A ROS installation that happens to be sourced is for another Python.
unexport PYTHONPATH PYTHONHOME LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH

.PHONY: setup demo test lint training-setup clean

setup:
	@PYTHON='$(PYTHON)' bash wheels/setup.sh

demo: setup
	@$(VENV)/bin/depthsync demo

test: setup
	@$(VENV)/bin/python -m pytest

lint: setup
	@$(VENV)/bin/python -m ruff check .
	@$(VENV)/bin/python -m ruff format --check .
	@$(VENV)/bin/python -m mypy

training-setup: setup
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		-r wheels/requirements-training.txt

clean:
	rm -rf .venv .build
