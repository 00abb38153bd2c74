PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH :=
export MPLBACKEND := Agg
export OMP_WAIT_POLICY := passive  # threads that wait leave the core to others

# A lost worker fails the run at once, and a run that hangs ends.
PYTEST := $(BIN)/python -m pytest -n logical --max-worker-restart 0
LIMIT := timeout --foreground --signal INT --kill-after 1m

.PHONY: demo test test-data test-peers test-gymnasium-1.4 format bench docs references clean browser

demo: $(VENV)/core
	$(BIN)/gymworks demo

test: $(VENV)/dev browser
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(LIMIT) 45m $(PYTEST) --dist loadfile -m "not data and not peers"

# What measures on data that the repository does not carry; fails where none is found.
test-data: $(VENV)/dev
	$(LIMIT) 25m $(PYTEST) --dist loadfile -m data

# Other libraries to compare with, Ray clusters, and the newest Gymnasium.
test-peers: $(VENV)/dev browser test-gymnasium-1.4
	$(LIMIT) 30m $(PYTEST) --dist loadfile -m peers

# The conformance kit on the newest Gymnasium, which RLlib does not allow beside it yet; of ids that
# share a class one is enough, as only the library differs from `make test`.
ONE_OF_EACH := not envs: or InceptionV3-2GPU or Mixed or LoopSchedule or CompactFeature or ConvTuning-v1 or AdaptiveSoftmax or Choreography or WoB-United or WoB-Tabs
test-gymnasium-1.4: $(VENV)/dev
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(VENV)/gymnasium-1.4 gymnasium==1.4.0
	PYTHONPATH=$(CURDIR)/$(VENV)/gymnasium-1.4 $(BIN)/python -c "import gymnasium as g; assert g.__version__ == '1.4.0', g"
	PYTHONPATH=$(CURDIR)/$(VENV)/gymnasium-1.4 $(LIMIT) 25m $(PYTEST) -q --dist worksteal -m "not data and not peers" -k "$(ONE_OF_EACH)" tests/envs --ignore tests/envs/web

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/dev
	$(BIN)/python -m experiments.placement.bench

docs: $(VENV)/dev
	$(BIN)/python -m experiments.docs

references: $(VENV)/dev
	$(BIN)/python -m experiments.references

clean:
	rm -rf $(VENV) build dist site runs *.egg-info

$(VENV)/core: setup.cfg constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/dev: setup.cfg constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .[dev]
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps miniwob==1.1.0  # it asks for a newer Gymnasium than RLlib's
	touch $@ $(VENV)/core

# The report tests open pages in Chromium; where it is missing and may be installed, it is.
browser:
	@command -v chromium >/dev/null && command -v chromium-headless-shell >/dev/null && command -v chromedriver >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	       && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver chromium-headless-shell >/dev/null; } \
	  || { echo "Install Chromium and its driver first: apt-get install chromium chromium-driver chromium-headless-shell"; exit 1; }
