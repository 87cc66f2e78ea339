# `make help` lists what there is. The longer shell stands in .ci/.

# What the C part is built from: a change to it means building again.
BUILT_FROM := pyproject.toml setup.py $(wildcard csrc/*/*.[ch] csrc/*/*/*.[ch])

BIN := .venv/bin
SECONDS ?= 60
TIMES ?= 20
# Most tests wait for a peer most of the time. A file's tests stay together: they share what is dear to start.
PARALLEL ?= -n 4 --dist loadfile
COUNT ?= 1000000
CLIENTS ?= 1000

.PHONY: demo test http2 strangers attacks kills nodes trixie sid freethreaded bench lint floors format sanitize fuzz coverage wheels smoke docs clean help

demo: .venv/.server ## watch messages arrive from a local channel server
	@$(BIN)/gaechannel demo

test: .venv/.test ## run the tests; ARGS="-k framer" and the like go to pytest
	@.ci/packages test peers || echo "gaechannel: tests of what is missing will be skipped"
	@$(BIN)/pytest $(PARALLEL) $(ARGS)

strangers: .venv/.test ## COUNT=1000000 messages past servers and proxies that do all that was ever seen
	@GAECHANNEL_STRANGERS=$(COUNT) $(BIN)/pytest tests/strangers -k 'browserchannel' $(ARGS)

kills: .venv/.test ## KILLS=100 kills of servers with a state file, and that share a Redis, under load
	@GAECHANNEL_KILLS=$(or $(KILLS),100) $(BIN)/pytest -s tests/server/test_server_restarts.py tests/server/test_shared_nodes.py $(ARGS)

nodes: .venv/.test ## MESSAGES=1000000 through three nodes behind HAProxy under all that may befall them; SEED=…
	@.ci/packages test peers
	@GAECHANNEL_NODES=$(or $(MESSAGES),1000000) GAECHANNEL_SEED=$(or $(SEED),0) GAECHANNEL_AWAY=$(or $(AWAY),60) \
		GAECHANNEL_NODES_RATE=$(or $(RATE),5000) $(BIN)/pytest -s tests/server/test_nodes_under_faults.py $(ARGS)

attacks: .venv/.test ## CLIENTS=1000 receive from a server while strangers attack it
	@GAECHANNEL_ATTACKS=$(CLIENTS) $(BIN)/pytest tests/server/test_server_attacks.py -s $(ARGS)

http2: .venv/.test ## the tests that speak HTTP/2 TIMES=20: here, on trixie, and with the wheel; ON="here trixie wheel"
	@.ci/http2 $(TIMES) $(ON)

trixie sid: ## run the tests in a chroot of that Debian; ARGS as for test
	@.ci/debian $@ $(ARGS)

freethreaded: .venv/.test ## run the tests without the GIL, where GAECHANNEL_FREETHREADED names such a CPython
	@.ci/freethreaded $(ARGS)

bench: .venv/.bench ## measure against other ways to do the same
	@$(BIN)/python bench/run.py

lint: .venv/.lint .venv/.test ## ruff, mypy, clang-format, clang-tidy, cppcheck
	@.ci/lint

floors: .venv/.test ## draw who uses whom, and who waits for which lock, and fail on circles
	@.ci/floors

format: .venv/.lint ## bring the sources into shape
	@.ci/format

sanitize: .venv/.test ## the tests with the C code under ASan and UBSan, and a search for leaks
	@.ci/sanitize

fuzz: .venv/.built ## fuzz the C parser and the session for SECONDS=60, and what makes objects for 10
	@.ci/fuzz $(SECONDS)
	@$(BIN)/python fuzz/fuzz_objects.py 10

coverage: .venv/.test ## which lines of C and Python the tests run
	@.ci/coverage

wheels: .venv/.test .venv/.wheels ## the sdist, and wheels that bring their libcurl; WHEELS="PLATFORM…" for some of them
	@.ci/packages wheels
	@wheels/build $(WHEELS)
	@wheels/check

.PHONY: again
again: ## build the files in dist/ again, from the sources on in another folder, and compare; WHEELS="PLATFORM…"
	@wheels/again $(WHEELS)

smoke: ## let the wheels in dist/ receive messages on systems that have nothing
	@.ci/wheel smoke

.PHONY: browsers
browsers: .venv/.test ## MESSAGES=100000 to pages in real browsers, and the manual's pictures of them
	@GAECHANNEL_BROWSER=$(or $(MESSAGES),100000) GAECHANNEL_SCREENSHOTS=$(CURDIR)/docs/_static \
		$(BIN)/pytest tests/browser $(ARGS)

docs: .venv/.docs ## build the manual into docs/_build
	@$(BIN)/sphinx-build -q -W -n -b html docs docs/_build/html
	@echo docs/_build/html/index.html

.PHONY: links
links: .venv/.docs ## ask every address outside that the manual leads to; needs the network
	@$(BIN)/sphinx-build -q -n -b linkcheck docs docs/_build/links

clean: ## remove all that was built, .venv too
	rm -rf .venv build dist docs/_build gaechannel/*.so *.egg-info .coverage*
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

help: ## print this list
	@sed -nE 's/^([a-z0-9]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.venv/.built: $(BUILT_FROM)
	@.ci/setup

# One stamp for each extra of pyproject.toml that .venv has been given. A change to the C code builds
# again, but is no reason to look at the extras.
.venv/.%: pyproject.toml | .venv/.built
	@.ci/setup $*
