# What each of these does is in companion/clone.py. Without make: python -m companion book
PYTHON ?= python3
export TIER SEED FRESH

.PHONY: help setup book test lint serve bench clean
help setup book test lint serve bench clean:
	@$(PYTHON) -m companion $@
