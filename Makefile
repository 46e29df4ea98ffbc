# SPDX-License-Identifier: BSD-2-Clause
#
# make            build everything below $(O)
# make demo       install what is missing, build, and trace a real workload    (as root)
# make check      install what the tests need, build, and run every test       (as root)
# make help       the other targets
#
# V=1 shows commands, O=DIR builds elsewhere, SANITIZE=address,undefined or thread instruments.

VERSION := 0.1.0
O       ?= build
V       ?= 0
SANITIZE ?=
WERROR  ?=

prefix      ?= /usr/local
bindir      ?= $(prefix)/bin
libdir      ?= $(prefix)/lib
includedir  ?= $(prefix)/include
mandir      ?= $(prefix)/share/man
datadir     ?= $(prefix)/share
unitdir     ?= $(prefix)/lib/systemd/system
DESTDIR     ?=

CC       ?= gcc
CLANG    ?= clang
OBJCOPY  ?= objcopy
BPFTOOL  ?= $(or $(shell command -v bpftool 2>/dev/null),/usr/sbin/bpftool)
PKGCONF  ?= pkg-config
PYTHON   ?= python3

PACKAGES := libbpf libelf libdw json-c smartcols liblz4 libzstd
PKG_CFLAGS = $(shell $(PKGCONF) --cflags $(PACKAGES))
PKG_LIBS   = $(shell $(PKGCONF) --libs $(PACKAGES)) -lcsv

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	    -Wwrite-strings -Wvla -Wformat=2 -Wno-format-nonliteral -Wno-missing-field-initializers
CFLAGS   ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DMEMSCOPE_VERSION='"$(VERSION)"' \
	     -DMEMSCOPE_DATADIR='"$(datadir)/memscope"' $(WARNINGS) \
	     $(if $(WERROR),-Werror) -I. -I$(O)/bpf $(PKG_CFLAGS) -pthread -fPIC \
	     $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer) $(CFLAGS)
ALL_LDFLAGS = -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)
ALL_LIBS    = $(PKG_LIBS) -lm $(LIBS)

BPF_ARCH   := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
BPF_CFLAGS  = -g -O2 -mcpu=v3 -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -Wall -Wextra -Wno-unused-parameter \
	      $(if $(WERROR),-Werror) -I. $(shell $(PKGCONF) --cflags libbpf)

# quiet lines
ifeq ($(V),0)
say = @printf '  %-8s %s\n' $(1) $(patsubst $(O)/%,%,$@);
else
say =
endif

BPF_SRC  := $(wildcard bpf/*.bpf.c)
SKELS    := $(BPF_SRC:%.bpf.c=$(O)/%.skel.h)
BELOW    := $(wildcard lib/*.c) $(wildcard arena/*.c) $(wildcard workloads/*.c)
CMD_SRC  := $(wildcard cmd/*.c)
BELOW_OBJ := $(BELOW:%.c=$(O)/%.o)
CMD_OBJ  := $(CMD_SRC:%.c=$(O)/%.o)
UNIT     := $(patsubst %.c,$(O)/%,$(wildcard tests/unit/test_*.c))
HELPERS  := $(patsubst %.c,$(O)/%,$(wildcard tests/helpers/*.c))
BENCH    := $(patsubst %.c,$(O)/%,$(wildcard tests/bench/*.c))
FUZZ     := $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))

# The arena as a library: its own objects, in which only the public header's names are visible.
ARENA_SONAME := libmemscope-arena.so.0
LIBARENA := $(O)/libmemscope-arena.so.$(VERSION)
LIBARENA_OBJ := $(patsubst %.c,$(O)/libarena/%.o,$(wildcard arena/*.c) lib/codec.c lib/parse.c lib/uffd.c)

PROFILES := $(patsubst workloads/profiles/%,%,$(wildcard workloads/profiles/README workloads/profiles/*/*))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help demo check check-guest tests bench-trace bench-codec generate bench clean install uninstall deps FORCE

all: $(O)/memscope $(LIBARENA) $(O)/libmemscope-arena.a $(PROFILES:%=$(O)/workloads/profiles/%)

# ---- flags: a change of them rebuilds what they made ----

FLAGS = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(CLANG) $(BPF_CFLAGS)
$(O)/flags: FORCE
	@mkdir -p $(O); echo '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS))' > $@

# ---- BPF ----

$(O)/bpf/%.bpf.o: bpf/%.bpf.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,BPF)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(O)/bpf/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

# ---- C ----

$(O)/%.o: %.c $(O)/flags | $(SKELS)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# A sanitized program must not pick up objects of another build: use another O for it.
$(O)/memscope-below.a: $(BELOW_OBJ)
	$(call say,AR)rm -f $@ && ar rcs $@ $^

$(O)/memscope: $(CMD_OBJ) $(O)/memscope-below.a
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) $(CMD_OBJ) $(O)/memscope-below.a -o $@ $(ALL_LIBS)

$(O)/tests/unit/%: $(O)/tests/unit/%.o $(O)/memscope-below.a
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(shell $(PKGCONF) --libs check) $(ALL_LIBS)

$(O)/tests/helpers/%: $(O)/tests/helpers/%.o
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) $^ -o $@
$(O)/tests/bench/%: $(O)/tests/bench/%.o $(O)/memscope-below.a
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(ALL_LIBS)
$(O)/tests/fuzz/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(O)/tests/fuzz/replay.o $(O)/memscope-below.a
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(ALL_LIBS)

$(O)/libarena/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -fvisibility=hidden -MMD -MP -c $< -o $@

# Signal handlers stay where they are: nodelete.
$(LIBARENA): $(LIBARENA_OBJ)
	$(call say,LINK)$(CC) -shared $(ALL_LDFLAGS) -Wl,-soname,$(ARENA_SONAME) -Wl,-z,nodelete $^ -o $@ \
		$(shell $(PKGCONF) --libs liblz4 libzstd) -lm
	@ln -sf $(@F) $(O)/$(ARENA_SONAME) && ln -sf $(ARENA_SONAME) $(O)/libmemscope-arena.so

$(O)/libmemscope-arena.a: $(LIBARENA_OBJ)
	$(call say,AR)$(LD) -r $^ -o $(O)/libarena/whole.o && \
		$(OBJCOPY) --localize-hidden $(O)/libarena/whole.o && \
		rm -f $@ && ar rcs $@ $(O)/libarena/whole.o

$(O)/memscope-arena.pc: arena/memscope-arena.pc.in Makefile FORCE
	@mkdir -p $(O)
	@sed 's|@prefix@|$(prefix)|; s|@libdir@|$(libdir)|; s|@includedir@|$(includedir)|; s|@version@|$(VERSION)|' $< > $@

-include $(shell find $(O) -name '*.d' 2>/dev/null)

# Beside the program, where it looks first, so that it finds them wherever it was built.
$(O)/workloads/profiles/%: workloads/profiles/%
	@install -D -m 644 $< $@

# ---- generated pages and scripts: committed, so that a build needs no Python ----

generate: $(O)/memscope
	$(call say,GEN)$(PYTHON) man/generate $(O)/memscope .

# ---- the two commands ----

deps:
	@scripts/deps build

demo: deps
	@$(MAKE) --no-print-directory all
	@scripts/demo $(O)/memscope

check:
	@scripts/deps build test guest
	@$(MAKE) --no-print-directory tests

check-guest: all $(HELPERS)
	@scripts/deps guest
	@MEMSCOPE=$(abspath $(O))/memscope O=$(abspath $(O)) tests/run guest

tests: all $(UNIT) $(HELPERS) $(FUZZ)
	@MEMSCOPE=$(abspath $(O))/memscope O=$(abspath $(O)) tests/run $(TESTS)

# ---- benchmarks ----

bench: bench-trace bench-codec bench-arena bench-pool

bench-trace: all $(HELPERS) $(BENCH)
	@MEMSCOPE=$(abspath $(O))/memscope O=$(abspath $(O)) $(O)/tests/bench/trace $(ROUNDS)

bench-codec: $(O)/tests/bench/bench_codec
	@$<

bench-arena: $(O)/tests/bench/bench_arena
	@$<

bench-pool: all
	@MEMSCOPE=$(abspath $(O))/memscope $(PYTHON) tests/bench/pool $(ROUNDS)

# ---- installing ----

MAN1 := $(wildcard man/*.1)
MAN3 := $(wildcard man/*.3)

install: all $(O)/memscope-arena.pc
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(mandir)/man1 \
		$(DESTDIR)$(datadir)/bash-completion/completions $(DESTDIR)$(datadir)/zsh/site-functions \
		$(DESTDIR)$(datadir)/fish/vendor_completions.d
	install -m 755 $(O)/memscope $(DESTDIR)$(bindir)/memscope
	for f in $(PROFILES); do \
		install -D -m 644 workloads/profiles/$$f $(DESTDIR)$(datadir)/memscope/profiles/$$f || exit 1; done
	install -m 644 $(MAN1) $(DESTDIR)$(mandir)/man1/
	install -d $(DESTDIR)$(unitdir)
	sed 's|@bindir@|$(bindir)|' dist/systemd/memscope-pool-maintain.service \
		> $(DESTDIR)$(unitdir)/memscope-pool-maintain.service
	install -m 644 dist/systemd/memscope-pool-maintain.timer $(DESTDIR)$(unitdir)/
	install -m 644 completions/memscope.bash $(DESTDIR)$(datadir)/bash-completion/completions/memscope
	install -m 644 completions/_memscope $(DESTDIR)$(datadir)/zsh/site-functions/_memscope
	install -m 644 completions/memscope.fish $(DESTDIR)$(datadir)/fish/vendor_completions.d/memscope.fish
	install -d $(DESTDIR)$(libdir)/pkgconfig $(DESTDIR)$(includedir)/memscope $(DESTDIR)$(mandir)/man3
	install -m 755 $(LIBARENA) $(DESTDIR)$(libdir)/
	ln -sf $(notdir $(LIBARENA)) $(DESTDIR)$(libdir)/$(ARENA_SONAME)
	ln -sf $(ARENA_SONAME) $(DESTDIR)$(libdir)/libmemscope-arena.so
	install -m 644 $(O)/libmemscope-arena.a $(DESTDIR)$(libdir)/
	install -m 644 $(O)/memscope-arena.pc $(DESTDIR)$(libdir)/pkgconfig/
	install -m 644 arena/memscope_arena.h $(DESTDIR)$(includedir)/memscope/arena.h
	install -m 644 $(MAN3) $(DESTDIR)$(mandir)/man3/

uninstall:
	rm -rf $(DESTDIR)$(datadir)/memscope
	rm -f $(DESTDIR)$(bindir)/memscope $(DESTDIR)$(unitdir)/memscope-pool-maintain.service \
		$(DESTDIR)$(unitdir)/memscope-pool-maintain.timer $(addprefix $(DESTDIR)$(mandir)/man1/,$(notdir $(MAN1))) \
		$(DESTDIR)$(datadir)/bash-completion/completions/memscope \
		$(DESTDIR)$(datadir)/zsh/site-functions/_memscope \
		$(DESTDIR)$(datadir)/fish/vendor_completions.d/memscope.fish \
		$(addprefix $(DESTDIR)$(libdir)/,$(notdir $(LIBARENA)) $(ARENA_SONAME) libmemscope-arena.so \
			libmemscope-arena.a pkgconfig/memscope-arena.pc) \
		$(DESTDIR)$(includedir)/memscope/arena.h \
		$(addprefix $(DESTDIR)$(mandir)/man3/,$(notdir $(MAN3)))
	-rmdir $(DESTDIR)$(includedir)/memscope 2>/dev/null

clean:
	rm -rf $(O)

help:
	@sed -n '3,8s/^# \{0,1\}//p' Makefile
	@echo 'make tests      run every test without installing anything; TESTS="unit cli" runs some suites'
	@echo 'make check-guest  the tests in QEMU guests only'
	@echo 'make bench      all benchmarks; bench-trace: what tracing costs; bench-codec: codecs against a plain loop;'
	@echo '                bench-arena: the arena against plain loops and zram (as root);'
	@echo '                bench-pool: zram by algorithm beside the arena (as root)'
	@echo 'make generate   man pages and completions from the command table'
	@echo 'make install    into DESTDIR and prefix; make uninstall takes it away'
