# ktrial: one non-recursive Makefile. `make help` lists the targets; MODE=release|debug|asan|cov picks a build, V=1 shows commands.
MODE    ?= release
V       ?= 0
PREFIX  ?= /usr/local
VERSION := 0.1.0

B    := build/$(MODE)
GEN  := build/gen
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
ifeq ($(origin CC),default)
CC   := gcc
endif
Q    := $(if $(filter 1,$(V)),,@)

# What Debian 12 calls the things we build and test with. `make deps` installs them; KTRIAL_NO_INSTALL=1 only names them.
PKGS := libevent libevent_pthreads lua5.4 zlib liblz4 libzstd libisal jansson libpcre2-8 libpcap
DEPS := gcc make pkg-config libevent-dev libcunit1-dev libpcap-dev liblua5.4-dev zlib1g-dev liblz4-dev libzstd-dev \
        libsnappy-dev libisal-dev libjansson-dev uthash-dev libpcre2-dev python3 python3-kafka python3-msgpack iproute2 procps curl
EXTRA := $(if $(filter interop,$(MAKECMDGOALS)),tshark tcpdump python3-venv maven openjdk-17-jdk-headless chromium) $(if $(filter fuzz,$(MAKECMDGOALS)),clang libclang-rt-14-dev) $(if $(filter bench,$(MAKECMDGOALS)),librdkafka-dev)

WARN     := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
OPT_release := -O2 -g
OPT_debug   := -Og -g
OPT_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_cov     := -O0 -g --coverage
CFLAGS   += -std=c17 -D_GNU_SOURCE $(OPT_$(MODE)) $(WARN) -I. -I$(GEN) -DKTRIAL_VERSION='"$(VERSION)"' \
            $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
ifdef FUZZING
CFLAGS   += -fsanitize=fuzzer-no-link -Wno-error
endif
LDFLAGS  += $(OPT_$(MODE))
LDLIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lsnappy -lm

ROOMS := base protocol trace rules mock checks decoder replay net service harness
MSGS  := $(sort $(wildcard protocol/messages/*.msg))
SRC   := $(filter-out protocol/schemac.c,$(wildcard $(ROOMS:%=%/*.c))) $(GEN)/protocol/messages.c $(GEN)/harness/page_data.c
LIB   := $(SRC:%.c=$(B)/%.o)
CLI   := $(patsubst %.c,$(B)/%.o,$(wildcard cli/*.c))
TESTS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/*.c))
FUZZ  := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

all: $(if $(CLI),$(B)/ktrial)

help:
	@echo "make            build $(B)/ktrial            make deps      install what is missing (apt)"
	@echo "make demo       put a client on trial       make check     all offline tests"
	@echo "make interop    tests with registry clients make bench     speed beside a named peer"
	@echo "make fuzz       fuzz each target            make tidy      format and style"
	@echo "make cover      coverage of make unit       make install   into PREFIX=$(PREFIX)"
	@echo "make pairs      known-bad, known-good clients make matrix  the suite x the newest clients"
	@echo "make soak       the suite 20 times on a busy machine"

deps:
	$(Q)KTRIAL_DEPS="$(DEPS) $(EXTRA)" tests/tools/deps

$(GEN)/schemac: protocol/schemac.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -O1 $(WARN) $< -o $@

$(GEN)/protocol/messages.c: $(GEN)/schemac $(MSGS)
	@mkdir -p $(@D)
	$(Q)$(GEN)/schemac $(GEN)/protocol/messages.h $@ $(MSGS)

$(GEN)/protocol/messages.h: $(GEN)/protocol/messages.c

# The page of a run: its files as C strings.
$(GEN)/harness/page_data.c: tests/tools/embed harness/page.html harness/page.css harness/page.js
	@mkdir -p $(@D)
	$(Q)tests/tools/embed harness/page_data.h $(filter harness/%,$^) >$@.new && mv $@.new $@

$(B)/%.o: %.c | $(GEN)/protocol/messages.h
	@mkdir -p $(@D)
	@echo "CC $<"
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(B)/libktrial.a: $(LIB)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/ktrial: $(CLI) $(B)/libktrial.a
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(B)/unit-tests: $(TESTS) $(B)/libktrial.a
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -lcunit -o $@

# ktrial's side of a comparison with an oracle.
$(B)/tool_%: $(B)/tests/oracle/tool_%.o $(B)/tests/records_dump.o $(B)/libktrial.a
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

# Fuzz targets: here with a plain driver that replays a corpus; `make fuzz` builds them with libFuzzer.
$(B)/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(if $(FUZZING),,$(B)/tests/fuzz/driver.o) $(B)/libktrial.a
	$(Q)$(CC) $(LDFLAGS) $(if $(FUZZING),-fsanitize=fuzzer) $^ $(LDLIBS) -o $@

# Targets that install what is missing build in a second make: pkg-config answers only then.
unit: deps
	$(Q)$(MAKE) --no-print-directory $(B)/unit-tests
	$(Q)$(B)/unit-tests

corpus: $(FUZZ:%=$(B)/%)
	$(Q)tests/tools/corpus $(FUZZ:%=$(B)/%)

# Everything that needs no registry. Logs of each step in build/logs. The tutorial waits most of the time.
check: deps
	$(Q)$(MAKE) --no-print-directory all $(B)/unit-tests $(FUZZ:%=$(B)/%)
	$(Q)tests/tools/steps check build/logs "style: tests/style" "unit: $(B)/unit-tests" \
		"corpus: tests/tools/corpus $(FUZZ:%=$(B)/%)" $(foreach t,$(wildcard tests/check/*),"$(notdir $t)$(if $(filter %/tutorial,$t),&): KTRIAL=$(B)/ktrial $t")

# The unit tests and corpora in this MODE (asan in CI), and what a sanitizer build is for.
sanitized: deps
	$(Q)$(MAKE) --no-print-directory all $(B)/unit-tests $(FUZZ:%=$(B)/%)
	$(Q)tests/tools/steps sanitized build/logs/$(MODE) "unit: $(B)/unit-tests" "corpus: tests/tools/corpus $(FUZZ:%=$(B)/%)" \
		$(foreach t,$(wildcard tests/sanitized/*),"$(notdir $t): KTRIAL=$(B)/ktrial $t")

# Clients and oracles from the registries: a seeded sample (SEED=N; printed).
interop: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/tools/steps interop build/logs $(foreach t,$(wildcard tests/interop/*),"$(notdir $t): KTRIAL=$(B)/ktrial $t")

# The library of a client in a version of its own: make client-kafka-python VERSION=3.0.12 (else as pinned;
# VERSION in this file is our own).
client-%:
	$(Q)clients/install $* $(if $(filter command,$(firstword $(origin VERSION))),$(VERSION))

# Versions that are known to be wrong and to be right, the newest of every client, one client under load: tests/tools/ says more.
pairs matrix soak: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)KTRIAL=$(B)/ktrial tests/tools/$@

demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)KTRIAL=$(B)/ktrial tests/tools/demo

# Each program alone: build/release/bench_service start. What is beside bench_*.c is for all of them.
BENCH := $(patsubst bench/%.c,$(B)/%,$(wildcard bench/bench_*.c))
bench: deps
	$(Q)$(MAKE) --no-print-directory all $(BENCH)
	$(Q)KTRIAL=$(B)/ktrial tests/tools/bench $(BENCH)

$(B)/bench_%: $(B)/bench/bench_%.o $(patsubst %.c,$(B)/%.o,$(filter-out $(wildcard bench/bench_*.c),$(wildcard bench/*.c))) $(B)/libktrial.a
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -lz -llz4 -lzstd $(if $(filter %/bench_client,$@),-lrdkafka) -o $@

# FUZZ_SECONDS on each target with libFuzzer; what it finds stays in build/fuzz/TARGET.
fuzz: deps
	$(Q)$(MAKE) --no-print-directory CC=clang B=build/fuzz MODE=asan FUZZING=1 $(FUZZ:%=build/fuzz/%)
	$(Q)tests/tools/fuzz $(or $(FUZZ_SECONDS),60) $(FUZZ)

tidy:
	$(Q)clang-format -i $(wildcard $(ROOMS:%=%/*.[ch]) cli/*.[ch] tests/*.[ch] tests/fuzz/*.[ch] bench/*.[ch])
	$(Q)tests/style

cover:
	$(Q)$(MAKE) --no-print-directory MODE=cov unit
	$(Q)gcov -n $(wildcard build/cov/*/*.gcda) 2>/dev/null | tests/tools/cover

compile_commands.json: Makefile
	$(Q)tests/tools/compile-commands '$(CC) $(CFLAGS)' $(filter-out $(GEN)/%,$(SRC)) $(wildcard cli/*.c tests/*.c) > $@

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/ktrial
	install $(B)/ktrial $(DESTDIR)$(PREFIX)/bin/ktrial
	KTRIAL=$(B)/ktrial tests/tools/man >build/ktrial.1
	install -m 644 build/ktrial.1 $(DESTDIR)$(PREFIX)/share/man/man1/ktrial.1
	cp -R scenarios clients $(DESTDIR)$(PREFIX)/share/ktrial/

clean:
	rm -rf build

.PHONY: all help deps unit corpus check sanitized interop pairs matrix soak demo bench fuzz tidy cover install clean
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
