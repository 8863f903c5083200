# hero_proc: `make help` lists what can be made.

PREFIX ?= /usr
DESTDIR ?=
CC ?= gcc
BUILD ?= build
SANITIZE ?=
WERROR ?=
VERSION := 0.1.0

bindir = $(PREFIX)/bin
libexecdir = $(PREFIX)/libexec
datadir = $(PREFIX)/share
mandir = $(datadir)/man

PKG_CONFIG ?= pkg-config
SERVER_LIBS := $(shell $(PKG_CONFIG) --libs libsystemd json-c sqlite3 2>/dev/null)
CLI_LIBS := $(shell $(PKG_CONFIG) --libs libsystemd json-c 2>/dev/null)
GATEWAY_LIBS := $(shell $(PKG_CONFIG) --libs libsystemd json-c 2>/dev/null) -pthread
LIB_CFLAGS := $(shell $(PKG_CONFIG) --cflags libsystemd json-c sqlite3 2>/dev/null)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wmissing-declarations -Wformat=2 \
        -Wpointer-arith -Wundef -Wswitch-enum -Wimplicit-fallthrough -Wvla -Wwrite-strings \
        -Wno-missing-field-initializers -Werror=implicit-function-declaration \
        -Werror=incompatible-pointer-types -Werror=int-conversion -Werror=return-type
# gcc and clang do not know the same ones; such a flag is used only where the compiler takes it.
flag_if_known = $(shell $(CC) -Werror $(1) -x c -c -o /dev/null /dev/null 2>/dev/null && echo $(1))
WARNINGS += $(foreach flag,-Wlogical-op -Wformat-signedness -Wcast-align=strict,$(call flag_if_known,$(flag)))
WARNINGS := $(WARNINGS)

HARDENING := -fPIE -fstack-protector-strong -fno-common -fvisibility=hidden
LINK_HARDENING := -pie -Wl,-z,relro,-z,now -Wl,--as-needed

ifeq ($(SANITIZE),)
OPTIMIZE ?= -O2
HARDENING += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
OPTIMIZE ?= -O1
HARDENING += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
LINK_HARDENING += -fsanitize=$(SANITIZE)
endif

ALL_CFLAGS = -std=gnu17 $(OPTIMIZE) -g $(WARNINGS) $(if $(WERROR),-Werror) $(HARDENING) -D_GNU_SOURCE \
        -DHERO_PROC_VERSION='"$(VERSION)"' -DHERO_PROC_BINDIR='"$(bindir)"' -DHERO_PROC_LIBEXECDIR='"$(libexecdir)/hero_proc"' \
        -Isrc $(LIB_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(LINK_HARDENING) $(LDFLAGS)

# A program is src/NAME.c plus whatever it needs of the one archive of everything else.
PROGRAMS := $(patsubst src/%.c,$(BUILD)/%,$(wildcard src/*.c))
LIBRARY_SOURCES := $(wildcard src/*/*.c)
LIBRARY := $(BUILD)/libhero_proc.a
OBJECTS := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(LIBRARY_SOURCES) $(wildcard src/*.c))

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
FIXTURES := $(patsubst tests/fixture/%.c,$(BUILD)/fixture/%,$(wildcard tests/fixture/*.c))

.DEFAULT_GOAL := all
.PHONY: all
all: $(PROGRAMS)  ## build the programs

$(BUILD)/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(LIBRARY): $(patsubst src/%.c,$(BUILD)/obj/%.o,$(LIBRARY_SOURCES))
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/hero_proc_server: LIBS = $(SERVER_LIBS)
$(BUILD)/hero_proc_gateway: LIBS = $(GATEWAY_LIBS)
$(BUILD)/hero_proc: LIBS = $(CLI_LIBS)
$(PROGRAMS): $(BUILD)/%: $(BUILD)/obj/%.o $(LIBRARY)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LIBRARY) $(LIBS)

$(UNIT_TESTS): $(BUILD)/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Itests -MMD -MP -MF $@.d -o $@ $< $(LIBRARY) $(SERVER_LIBS) $(CLI_LIBS) $(GATEWAY_LIBS)

# The unit test of a program runs it.
$(BUILD)/test_hero_proc_notify: | $(BUILD)/hero_proc_notify
$(BUILD)/test_shim_faults: | $(BUILD)/fixture/faulty_hero_proc_notify
$(BUILD)/test_herodemo_server: | $(BUILD)/fixture/herodemo_server

$(FIXTURES): $(BUILD)/fixture/%: tests/fixture/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -MF $@.d -o $@ $<

# What the oracle is tried on: a clock that jumps, and a server that lies.
$(BUILD)/fixture/jumping_clock.so: tests/oracle/jumping_clock.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 -g $(WARNINGS) $(if $(WERROR),-Werror) -D_GNU_SOURCE -fPIC -shared -o $@ $<

$(BUILD)/fixture/lying_server: tests/oracle/lying_server.c $(BUILD)/obj/hero_proc_server.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--wrap=service_status_decide,--wrap=sd_bus_add_fallback_vtable -o $@ $^ $(SERVER_LIBS)

# What tests/faults makes fail: each program as it is, with allocations and system calls that fail when they are told to.
FAULTY := $(patsubst src/%.c,$(BUILD)/fixture/faulty_%,$(wildcard src/*.c))
$(BUILD)/fixture/faulty_hero_proc_server: LIBS = $(SERVER_LIBS)
$(BUILD)/fixture/faulty_hero_proc_gateway: LIBS = $(GATEWAY_LIBS)
$(BUILD)/fixture/faulty_hero_proc: LIBS = $(CLI_LIBS)
$(BUILD)/fixture/faulty_hero_proc_notify: FAULTY_CFLAGS = -DFAULT_PROCESS
$(FAULTY): $(BUILD)/fixture/faulty_%: tests/faults/faulty_program.c $(wildcard tests/faults/*.h) $(BUILD)/obj/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(FAULTY_CFLAGS) $(ALL_LDFLAGS) -rdynamic -Itests -o $@ $< $(BUILD)/obj/$*.o $(LIBRARY) $(LIBS)

# A fuzz target needs clang and SANITIZE=…,fuzzer-no-link: tools/fuzz builds them so.
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
$(FUZZERS): $(BUILD)/%: tests/fuzz/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ $< $(LIBRARY) $(SERVER_LIBS) $(CLI_LIBS) $(GATEWAY_LIBS)

.PHONY: fuzzers
fuzzers: $(FUZZERS)

# What the benchmarks start and compare with.
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
$(BENCH): $(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(CLI_LIBS)

.PHONY: tests
tests: $(PROGRAMS) $(UNIT_TESTS) $(FIXTURES) $(addprefix $(BUILD)/fixture/,jumping_clock.so lying_server) $(FAULTY)

# -- installing: the tree that users get is the tree that the system tests run --

INSTALL ?= install
asked = $(or $(shell $(PKG_CONFIG) --variable=$(2) $(1) 2>/dev/null),$(3))
SYSTEM_UNIT_DIR ?= $(call asked,systemd,systemdsystemunitdir,/usr/lib/systemd/system)
USER_UNIT_DIR ?= $(call asked,systemd,systemduserunitdir,/usr/lib/systemd/user)
SYSUSERS_DIR ?= $(call asked,systemd,sysusersdir,/usr/lib/sysusers.d)
TMPFILES_DIR ?= $(call asked,systemd,tmpfilesdir,/usr/lib/tmpfiles.d)
CATALOG_DIR ?= $(call asked,systemd,catalogdir,/usr/lib/systemd/catalog)
DBUS_DIR ?= $(call asked,dbus-1,datadir,$(datadir))/dbus-1
POLKIT_ACTION_DIR ?= $(call asked,polkit-gobject-1,actiondir,$(datadir)/polkit-1/actions)
BASH_COMPLETION_DIR ?= $(call asked,bash-completion,completionsdir,$(datadir)/bash-completion/completions)
ZSH_COMPLETION_DIR ?= $(datadir)/zsh/vendor-completions
FISH_COMPLETION_DIR ?= $(call asked,fish,completionsdir,$(datadir)/fish/vendor_completions.d)
docdir = $(datadir)/doc/hero_proc

# What is filled in at installing, since folders may be named then.
FILLED := $(BUILD)/filled
.PHONY: FORCE
$(FILLED)/system/%: units/%.in FORCE
	@mkdir -p $(@D)
	@sed -e 's|@libexecdir@|$(libexecdir)|g' -e '/@user_line@/s/.*/User=root/' -e 's|@runtimedir@|/run|g' \
		-e 's|@mode@|0666|g' -e 's|@whose@||g' $< >$@
$(FILLED)/user/%: units/%.in FORCE
	@mkdir -p $(@D)
	@sed -e 's|@libexecdir@|$(libexecdir)|g' -e '/@user_line@/d' -e 's|@runtimedir@|%t|g' \
		-e 's|@mode@|0600|g' -e 's|@whose@| of the user|g' $< >$@

# Each file once, as MODE:SOURCE:PLACE: `install` and `uninstall` cannot part.
INSTALLED = $(foreach program,hero_proc hero_proc_notify,755:$(BUILD)/$(program):$(bindir)/$(program)) \
	$(foreach program,hero_proc_server hero_proc_dialer hero_proc_hands hero_proc_gateway,755:$(BUILD)/$(program):$(libexecdir)/hero_proc/$(program)) \
	644:units/hero.slice:$(SYSTEM_UNIT_DIR)/hero.slice \
	644:units/hero.slice:$(USER_UNIT_DIR)/hero.slice \
	644:$(FILLED)/system/hero_proc.service:$(SYSTEM_UNIT_DIR)/hero_proc.service \
	644:units/hero_proc-diag.socket:$(SYSTEM_UNIT_DIR)/hero_proc-diag.socket \
	644:$(FILLED)/system/hero_proc-dialer.service:$(SYSTEM_UNIT_DIR)/hero_proc-dialer.service \
	644:units/hero_proc-dialer.socket:$(SYSTEM_UNIT_DIR)/hero_proc-dialer.socket \
	644:$(FILLED)/system/hero_proc-hands.service:$(SYSTEM_UNIT_DIR)/hero_proc-hands.service \
	644:units/hero_proc-hands.socket:$(SYSTEM_UNIT_DIR)/hero_proc-hands.socket \
	644:$(FILLED)/user/hero_proc.user.service:$(USER_UNIT_DIR)/hero_proc.service \
	644:$(FILLED)/system/hero_proc-gateway.service:$(SYSTEM_UNIT_DIR)/hero_proc-gateway.service \
	644:$(FILLED)/user/hero_proc-gateway.user.service:$(USER_UNIT_DIR)/hero_proc-gateway.service \
	644:$(FILLED)/system/hero_proc-gateway.socket:$(SYSTEM_UNIT_DIR)/hero_proc-gateway.socket \
	644:$(FILLED)/user/hero_proc-gateway.socket:$(USER_UNIT_DIR)/hero_proc-gateway.socket \
	644:units/hero_proc.sysusers.conf:$(SYSUSERS_DIR)/hero_proc.conf \
	644:units/hero_proc.tmpfiles.conf:$(TMPFILES_DIR)/hero_proc.conf \
	644:catalog/hero_proc.catalog:$(CATALOG_DIR)/hero_proc.catalog \
	644:units/org.hero.Proc1.conf:$(DBUS_DIR)/system.d/org.hero.Proc1.conf \
	644:$(FILLED)/system/org.hero.Proc1.service:$(DBUS_DIR)/system-services/org.hero.Proc1.service \
	644:$(FILLED)/user/org.hero.Proc1.service:$(DBUS_DIR)/services/org.hero.Proc1.service \
	$(foreach file,$(wildcard units/org.hero.Proc1.*.xml),644:$(file):$(DBUS_DIR)/interfaces/$(notdir $(file))) \
	644:units/org.hero.Proc1.policy:$(POLKIT_ACTION_DIR)/org.hero.Proc1.policy \
	644:completion/hero_proc.bash:$(BASH_COMPLETION_DIR)/hero_proc \
	644:completion/_hero_proc:$(ZSH_COMPLETION_DIR)/_hero_proc \
	644:completion/hero_proc.fish:$(FISH_COMPLETION_DIR)/hero_proc.fish \
	$(foreach file,$(wildcard examples/*),644:$(file):$(docdir)/examples/$(notdir $(file))) \
	$(foreach page,$(wildcard man/*.[1-8]),644:$(page):$(mandir)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))

# Nothing is started, enabled or made a user here: that is for packages and administrators.
.PHONY: install
install: all $(filter $(FILLED)/%,$(subst :, ,$(INSTALLED)))  ## install everything below DESTDIR (PREFIX=/usr)
	@set -e; for file in $(INSTALLED); do \
		rest=$${file#*:}; $(INSTALL) -D -m $${file%%:*} "$${rest%%:*}" "$(DESTDIR)$${rest#*:}"; done

.PHONY: uninstall
uninstall:  ## remove what `make install` put there
	@for file in $(INSTALLED); do rm -f "$(DESTDIR)$${file##*:}"; done
	@for folder in $(libexecdir)/hero_proc $(docdir)/examples $(docdir); do \
		rmdir "$(DESTDIR)$$folder" 2>/dev/null || :; done

$(BUILD)/obj/gateway/board_assets.o: $(wildcard src/gateway/board.*)

-include $(OBJECTS:.o=.d) $(UNIT_TESTS:=.d) $(FIXTURES:=.d) $(FUZZERS:=.d) $(BENCH:=.d)

# -- checking --

.PHONY: dependencies
dependencies:  ## install what build, demo and tests need from Debian's packages
	tools/install_dependencies

.PHONY: check
check: dependencies  ## all tests: build, lint, unit, sanitizers, system (as root)
	tools/check

.PHONY: check-unit
check-unit:  ## unit tests only
	tools/check build unit

.PHONY: check-asan
check-asan:  ## unit tests under address and undefined behaviour sanitizers
	tools/check sanitize

.PHONY: check-system
check-system: all tests  ## system tests only, on a private systemd (as root)
	tools/check system

.PHONY: installcheck
installcheck: all tests  ## whether what is installed works on a machine that has never seen it (as root)
	tests/system/run.py -k 'test_install.py*'

.PHONY: measure
measure: all tests  ## print the figures that are promised, at full size (as root; minutes)
	tests/system/measure.py

.PHONY: bench
bench: all $(BENCH) $(FIXTURES)  ## figures beside peers and floor: docs/benchmarks.md with LONG=1 (PART="start list"; SIZES="10 100"; SEED=; QUICK=1: small; as root)
	tools/install_dependencies --bench
	/usr/bin/python3 tests/bench/bench.py $(if $(QUICK),--quick) $(if $(LONG),--long) $(if $(SEED),--seed $(SEED)) $(if $(SIZES),--sizes $(SIZES)) \
		--build $(BUILD) $(PART)

.PHONY: bench-heap
bench-heap: all tests  ## what a service costs the server in memory, by the function that asks for it (valgrind; as root)
	tools/install_dependencies --bench
	/usr/bin/python3 tests/bench/heap_sites.py

.PHONY: lint
lint:  ## layers, formatting, scripts
	tools/check lint

.PHONY: format
format:  ## let clang-format lay out all sources
	git ls-files 'src/*.[ch]' 'tests/*.[ch]' | xargs $(or $(shell command -v clang-format-14),clang-format) -i

.PHONY: check-matrix
check-matrix: all tests  ## system tests on Debian 12 and 13, dbus-daemon and dbus-broker (as root)
	tools/check_matrix

.PHONY: check-bare
check-bare:  ## from bare Debian 12 and 13 by apt to an nginx and a gunicorn that break and heal (as root)
	tools/check_bare

.PHONY: board-shots
board-shots: all tests  ## pictures of the status board in docs/ (as root)
	HERO_SHOTS=$(CURDIR)/docs tests/system/run.py -k test_gateway_board

.PHONY: deb
deb:  ## Debian packages in build/deb, held against lintian (as root where debhelper is not installed)
	tools/build_deb

.PHONY: fuzz
fuzz:  ## fuzz what reads outside data (SECONDS=60 a target; TARGET="http_response …")
	tools/fuzz run --seconds $(or $(SECONDS),60) $(TARGET)

.PHONY: coverage
coverage:  ## lines that the fuzz corpora and the unit tests run, by file
	tools/coverage

ASAN := BUILD=build-asan SANITIZE=address,undefined
.PHONY: faults
faults: all tests  ## fail each allocation and system call in turn, in-process, in server, gateway and verbs (REPORT= keeps; as root; an hour)
	$(MAKE) -s $(ASAN) build-asan/test_faults build-asan/test_shim_faults build-asan/test_store_damage
	/usr/bin/python3 tests/faults/faults_campaign.py --in-process build-asan $(if $(REPORT),--report $(REPORT))

.PHONY: demo
demo:  ## show each failure happening and being caught (as root; KEEP=1 leaves a shell in it)
	@KEEP=$(KEEP) tools/demo

MINUTES ?= 2
SEED ?=
.PHONY: chaos
chaos: all tests  ## break everything at random for MINUTES, and judge what hero_proc said (SEED=, OPTIONS= replay, REPORT= keeps; as root)
	/usr/bin/python3 tests/oracle/campaign.py --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(REPORT),--report $(REPORT)) $(OPTIONS)

.PHONY: clean
clean:  ## remove what was built
	rm -rf build build-*

.PHONY: help
help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | sort | awk -F'\t' '{ printf "  make %-14s %s\n", $$1, $$2 }'
