# make demo | test | test-slow | check | install: each first makes .venv and installs into it, unless that has been done already.

VENV    := .venv
BIN     := $(VENV)/bin
USE     := $(VENV)/.installed
DEVELOP := $(VENV)/.installed-for-development
PYTEST  := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile
LOG     := $(VENV)/install.log
PACKAGES := lit_reenact datamodules callbacks

.PHONY: help demo test test-slow check install
help:
	@echo "make demo     two embedded clips -> outputs/demo/reenactment.mp4 and report.html"
	@echo "make test     the tests; make test-slow those that take long"
	@echo "make check    style, types and import floors"
	@echo "make install  only .venv with everything in it"

demo: $(USE)
	@$(BIN)/lit-reenact demo

test: $(DEVELOP)
	@$(PYTEST) -m "not slow"

test-slow: $(DEVELOP)
	@$(PYTEST) -m slow

check: $(DEVELOP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

install: $(DEVELOP)

# The demo needs only a part of what developing needs. The pins keep a later part from lifting numpy to 2.x or
# exchanging torch.
$(USE): EXTRAS := fast
$(DEVELOP): EXTRAS := dev
$(USE) $(DEVELOP): pyproject.toml constraints.txt .ci/find-python
	@python=$$(bash .ci/find-python) && \
	echo "Making $(VENV) with $$python ($$($$python --version)) and installing; the first time takes some minutes." && \
	{ [ -x $(BIN)/python ] || $$python -m venv $(VENV); } && \
	{ $(BIN)/python -m pip install --disable-pip-version-check -e '.[$(EXTRAS)]' -c constraints.txt > $(LOG) 2>&1 & pip=$$!; \
	  while kill -0 $$pip 2>/dev/null; do \
	    sleep 5; \
	    printf '  %s packages found, %s downloaded%s\n' "$$(grep -c ^Collecting $(LOG))" "$$(grep -c '  Downloading' $(LOG))" \
	      "$$(grep -q '^Installing collected' $(LOG) && echo ', installing them')"; \
	  done; \
	  wait $$pip || { tail -n 15 $(LOG); echo "Installing failed; all that pip said is in $(LOG)."; exit 1; }; } && \
	touch $@ && echo "Installed into $(VENV)."
