# make demo | test | check | install: each first makes .venv and installs into it, unless that has been done already.

VENV    := .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
LOG     := $(VENV)/install.log
PACKAGES := lit_reenact datamodules callbacks

.PHONY: help demo test check install
help:
	@echo "make demo     two embedded clips -> outputs/demo/reenactment.mp4 and report.html"
	@echo "make test     all tests"
	@echo "make check    style, types and import floors"
	@echo "make install  only .venv with everything in it"

demo: $(STAMP)
	@$(BIN)/lit-reenact demo

test: $(STAMP)
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_imports.py

install: $(STAMP)

# One resolver run: installing a part later would lift numpy to 2.x or exchange torch.
$(STAMP): pyproject.toml constraints.txt .ci/find-python
	@python=$$(bash .ci/find-python) && \
	echo "Making $(VENV) with $$python ($$($$python --version)) and installing; the first time takes some minutes." && \
	{ [ -x $(BIN)/python ] || $$python -m venv $(VENV); } && \
	{ $(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]' -c constraints.txt > $(LOG) 2>&1 & pip=$$!; \
	  while kill -0 $$pip 2>/dev/null; do \
	    sleep 5; \
	    printf '  %s packages found, %s downloaded%s\n' "$$(grep -c ^Collecting $(LOG))" "$$(grep -c '  Downloading' $(LOG))" \
	      "$$(grep -q '^Installing collected' $(LOG) && echo ', installing them')"; \
	  done; \
	  wait $$pip || { tail -n 15 $(LOG); echo "Installing failed; all that pip said is in $(LOG)."; exit 1; }; } && \
	touch $(STAMP) && echo "Installed into $(VENV)."
