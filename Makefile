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
CLI_LIBS := $(shell $(PKG_CONFIG) --libs libsystemd json-c smartcols 2>/dev/null)
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
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--wrap=service_status_decide -o $@ $^ $(SERVER_LIBS)

.PHONY: tests
tests: $(PROGRAMS) $(UNIT_TESTS) $(FIXTURES) $(addprefix $(BUILD)/fixture/,jumping_clock.so lying_server)

# -- installing: the tree that users get is the tree that the system tests run --

SYSTEM_UNIT_DIR ?= $(or $(shell $(PKG_CONFIG) --variable=systemdsystemunitdir systemd 2>/dev/null),/usr/lib/systemd/system)
USER_UNIT_DIR ?= $(or $(shell $(PKG_CONFIG) --variable=systemduserunitdir systemd 2>/dev/null),/usr/lib/systemd/user)
SYSUSERS_DIR ?= $(or $(shell $(PKG_CONFIG) --variable=sysusersdir systemd 2>/dev/null),/usr/lib/sysusers.d)
INSTALL ?= install

fill = sed -e 's|@libexecdir@|$(libexecdir)|g' -e 's|@user_line@|$(2)|g' $(1) | sed '/^$$/N;/^\n$$/D' | $(INSTALL) -m 644 /dev/stdin
# Who may do what is decided by the gateway, by who connects: its sockets are for everybody.
fill_socket = sed -e 's|@runtimedir@|$(1)|g' -e 's|@mode@|$(2)|g' -e 's|@whose@|$(3)|g' units/hero_proc-gateway.socket.in | \
        $(INSTALL) -m 644 /dev/stdin

.PHONY: install
install: all  ## install everything below DESTDIR (PREFIX=/usr)
	$(INSTALL) -d $(DESTDIR)$(bindir) $(DESTDIR)$(libexecdir)/hero_proc $(DESTDIR)$(SYSTEM_UNIT_DIR) $(DESTDIR)$(USER_UNIT_DIR)
	$(INSTALL) -d $(DESTDIR)$(datadir)/dbus-1/system.d $(DESTDIR)$(datadir)/dbus-1/system-services $(DESTDIR)$(datadir)/dbus-1/services
	$(INSTALL) -d $(DESTDIR)$(datadir)/polkit-1/actions
	$(INSTALL) -m 755 $(BUILD)/hero_proc $(BUILD)/hero_proc_notify $(DESTDIR)$(bindir)/
	$(INSTALL) -m 755 $(BUILD)/hero_proc_server $(BUILD)/hero_proc_gateway $(DESTDIR)$(libexecdir)/hero_proc/
	$(call fill,units/hero_proc.service.in) $(DESTDIR)$(SYSTEM_UNIT_DIR)/hero_proc.service
	$(call fill,units/hero_proc.user.service.in) $(DESTDIR)$(USER_UNIT_DIR)/hero_proc.service
	$(call fill,units/hero_proc-gateway.service.in) $(DESTDIR)$(SYSTEM_UNIT_DIR)/hero_proc-gateway.service
	$(call fill,units/hero_proc-gateway.user.service.in) $(DESTDIR)$(USER_UNIT_DIR)/hero_proc-gateway.service
	$(call fill_socket,/run,0666,) $(DESTDIR)$(SYSTEM_UNIT_DIR)/hero_proc-gateway.socket
	$(call fill_socket,%t,0600, of the user) $(DESTDIR)$(USER_UNIT_DIR)/hero_proc-gateway.socket
	$(INSTALL) -m 644 units/hero.slice $(DESTDIR)$(SYSTEM_UNIT_DIR)/
	$(INSTALL) -m 644 units/hero.slice $(DESTDIR)$(USER_UNIT_DIR)/
	$(INSTALL) -m 644 units/org.hero.Proc1.conf $(DESTDIR)$(datadir)/dbus-1/system.d/
	$(INSTALL) -m 644 units/org.hero.Proc1.policy $(DESTDIR)$(datadir)/polkit-1/actions/
	$(INSTALL) -d $(DESTDIR)$(SYSUSERS_DIR)
	$(INSTALL) -m 644 units/hero_proc.sysusers.conf $(DESTDIR)$(SYSUSERS_DIR)/hero_proc.conf
	$(call fill,units/org.hero.Proc1.service.in,User=root) $(DESTDIR)$(datadir)/dbus-1/system-services/org.hero.Proc1.service
	$(call fill,units/org.hero.Proc1.service.in,) $(DESTDIR)$(datadir)/dbus-1/services/org.hero.Proc1.service
	for page in man/*.[1-8]; do \
		$(INSTALL) -D -m 644 $$page $(DESTDIR)$(mandir)/man$${page##*.}/$${page#man/}; done

-include $(OBJECTS:.o=.d) $(UNIT_TESTS:=.d) $(FIXTURES:=.d)

.PHONY: uninstall
uninstall:  ## remove what `make install` put there
	rm -f $(DESTDIR)$(bindir)/hero_proc $(DESTDIR)$(bindir)/hero_proc_notify
	rm -f $(DESTDIR)$(libexecdir)/hero_proc/hero_proc_server $(DESTDIR)$(libexecdir)/hero_proc/hero_proc_gateway
	for unit in hero_proc-gateway.service hero_proc-gateway.socket; do \
		rm -f $(DESTDIR)$(SYSTEM_UNIT_DIR)/$$unit $(DESTDIR)$(USER_UNIT_DIR)/$$unit; done
	rm -f $(DESTDIR)$(SYSTEM_UNIT_DIR)/hero_proc.service $(DESTDIR)$(SYSTEM_UNIT_DIR)/hero.slice
	rm -f $(DESTDIR)$(USER_UNIT_DIR)/hero_proc.service $(DESTDIR)$(USER_UNIT_DIR)/hero.slice
	rm -f $(DESTDIR)$(datadir)/dbus-1/system.d/org.hero.Proc1.conf $(DESTDIR)$(datadir)/polkit-1/actions/org.hero.Proc1.policy
	rm -f $(DESTDIR)$(SYSUSERS_DIR)/hero_proc.conf
	rm -f $(DESTDIR)$(datadir)/dbus-1/system-services/org.hero.Proc1.service $(DESTDIR)$(datadir)/dbus-1/services/org.hero.Proc1.service
	for page in man/*.[1-8]; do rm -f $(DESTDIR)$(mandir)/man$${page##*.}/$${page#man/}; done
	-rmdir $(DESTDIR)$(libexecdir)/hero_proc

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

.PHONY: measure
measure: all tests  ## print the figures that are promised, at full size (as root; minutes)
	tests/system/measure.py

.PHONY: lint
lint:  ## layers, formatting, scripts
	tools/check lint

.PHONY: format
format:  ## let clang-format lay out all sources
	git ls-files 'src/*.[ch]' 'tests/*.[ch]' | xargs $(or $(shell command -v clang-format-14),clang-format) -i

.PHONY: deb
deb:  ## Debian packages in build/deb, held against lintian (as root where debhelper is not installed)
	tools/build_deb

.PHONY: demo
demo:  ## show each failure happening and being caught (as root; KEEP=1 leaves a shell in it)
	@KEEP=$(KEEP) tools/demo

MINUTES ?= 2
SEED ?=
.PHONY: chaos
chaos: all tests  ## break everything at random for MINUTES, and judge what hero_proc said (SEED= replays; as root)
	/usr/bin/python3 tests/oracle/campaign.py --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(if $(REPORT),--report $(REPORT))

.PHONY: clean
clean:  ## remove what was built
	rm -rf build build-*

.PHONY: help
help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | sort | awk -F'\t' '{ printf "  make %-14s %s\n", $$1, $$2 }'
