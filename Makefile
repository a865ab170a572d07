# make demo   set up, play the packaged clip into the live node, print errors, draw a picture
# make test   set up, run the tests
# make setup  the environment alone: .venv, pinned packages, our messages built into it

PYTHON ?= python3.11
VENV := $(CURDIR)/.venv

.PHONY: setup demo test lint training-setup clean

setup:
	@PYTHON='$(PYTHON)' bash wheels/setup.sh

demo: setup
	@$(VENV)/bin/depthsync demo

test: setup
	@$(VENV)/bin/python -m pytest

lint: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

training-setup: setup
	@$(VENV)/bin/pip install -q -r wheels/requirements-training.txt

clean:
	rm -rf .venv .build
