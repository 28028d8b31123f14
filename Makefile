# ktrial: one non-recursive Makefile. `make help` lists the targets; MODE=release|debug|asan|cov picks a build, V=1 shows commands.
MODE    ?= release
V       ?= 0
PREFIX  ?= /usr/local
VERSION := 0.1.0

B    := build/$(MODE)
GEN  := build/gen
CC   ?= gcc
Q    := $(if $(filter 1,$(V)),,@)

# What Debian 12 calls the things we build and test with. `make deps` installs them; KTRIAL_NO_INSTALL=1 only names them.
PKGS := libevent libevent_pthreads lua5.4 zlib liblz4 libzstd libisal jansson libpcre2-8 libpcap
DEPS := gcc make pkg-config libevent-dev libcunit1-dev libpcap-dev liblua5.4-dev zlib1g-dev liblz4-dev libzstd-dev \
        libsnappy-dev libisal-dev libjansson-dev uthash-dev libpcre2-dev python3 python3-kafka python3-msgpack iproute2 procps
EXTRA := $(if $(filter interop,$(MAKECMDGOALS)),tshark tcpdump python3-venv) $(if $(filter fuzz,$(MAKECMDGOALS)),clang libclang-rt-14-dev)

WARN     := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
OPT_release := -O2 -g
OPT_debug   := -Og -g
OPT_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_cov     := -O0 -g --coverage
CFLAGS   += -std=c17 -D_GNU_SOURCE $(OPT_$(MODE)) $(WARN) -I. -I$(GEN) -DKTRIAL_VERSION='"$(VERSION)"' \
            $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDFLAGS  += $(OPT_$(MODE))
LDLIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lsnappy -lm

ROOMS := base protocol trace rules mock checks decoder net service harness
MSGS  := $(sort $(wildcard protocol/messages/*.msg))
SRC   := $(filter-out protocol/schemac.c,$(wildcard $(ROOMS:%=%/*.c))) $(GEN)/protocol/messages.c
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

deps:
	$(Q)KTRIAL_DEPS="$(DEPS) $(EXTRA)" tests/tools/deps

$(GEN)/schemac: protocol/schemac.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -O1 $(WARN) $< -o $@

$(GEN)/protocol/messages.c: $(GEN)/schemac $(MSGS)
	@mkdir -p $(@D)
	$(Q)$(GEN)/schemac $(GEN)/protocol/messages.h $@ $(MSGS)

$(GEN)/protocol/messages.h: $(GEN)/protocol/messages.c

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

# Fuzz targets: here with a plain driver that replays a corpus; `make fuzz` builds them with libFuzzer.
$(B)/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/driver.o $(B)/libktrial.a
	$(Q)$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

unit: $(B)/unit-tests
	$(Q)$(B)/unit-tests

clean:
	rm -rf build

.PHONY: all help deps unit clean
.SECONDARY:
-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d $(B)/$(GEN)/*/*.d)
