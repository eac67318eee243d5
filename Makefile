# What each of these does is in companion/clone.py. Without make: python -m companion book
PYTHON ?= python3
export TIER SEED FRESH

TARGETS := help setup book pdf dist launch test lint serve bench faults mutants clean
.PHONY: $(TARGETS)
$(TARGETS):
	@$(PYTHON) -m companion $@
