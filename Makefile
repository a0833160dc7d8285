# Targets: see `make help`. Every variable can be set on the command line: make install PREFIX=/usr/local DESTDIR=/tmp/x
SHELL      = /bin/bash
.SHELLFLAGS = -euo pipefail -c
.DEFAULT_GOAL = build

# The version and the date of everything built are those of the first numbered heading in CHANGELOG.md.
release   := $(shell sed -n 's/^\#\# \[\([0-9][^]]*\)\] - \([0-9-]*\)$$/\1 \2/p' CHANGELOG.md | head -n1)
VERSION   ?= $(word 1,$(release))
export SOURCE_DATE_EPOCH ?= $(shell date -u -d $(word 2,$(release)) +%s)

GO        ?= go
GO_MIN    := $(shell sed -n 's/^go //p' go.mod)
GOFLAGS_  = -trimpath -buildvcs=false
# GO_STRIP= keeps the debugger's tables, for distributions that part them off.
GO_STRIP  ?= -s -w
LDFLAGS_  = $(GO_STRIP) -buildid= -X main.version=$(VERSION) $(GO_LDFLAGS)
# The server has C code (libpam, the stage between fork and exec): what Debian's hardening flags ask for. CGO_CFLAGS and
# CGO_LDFLAGS of the environment come after ours, so a distribution's win; its _FORTIFY_SOURCE takes the place of ours.
FORTIFY   = $(if $(findstring _FORTIFY_SOURCE,$(CGO_CFLAGS) $(CGO_CPPFLAGS)),,-Wp,-U_FORTIFY_SOURCE,-D_FORTIFY_SOURCE=2)
CGO_ENV   = CGO_ENABLED=1 CGO_CFLAGS="-O2 -g '-ffile-prefix-map=$(CURDIR)=.' -fstack-protector-strong $(FORTIFY) $(CGO_CFLAGS)" \
            CGO_LDFLAGS="-O2 -Wl,-z,relro,-z,now $(if $(filter yes,$(RELR)),-Wl$(comma)-z$(comma)pack-relative-relocs) $(CGO_LDFLAGS)"
comma     = ,
# Packed relative relocations (DT_RELR): the server is 300 KB smaller. It then runs with glibc 2.36 and later only; RELR=no
# for older ones (RHEL 9). Unless given, yes where the linker makes them (an old one warns) and this host's C library reads them.
RELR      ?= $(shell packaging/relr $$($(GO) env CC))

DESTDIR   ?=
PREFIX    ?= /usr
SBINDIR   ?= $(PREFIX)/sbin
BINDIR    ?= $(PREFIX)/bin
MANDIR    ?= $(PREFIX)/share/man
DOCDIR    ?= $(PREFIX)/share/doc
BASHDIR   ?= $(PREFIX)/share/bash-completion/completions
# Debian's zsh looks for packages' completions elsewhere, under /usr but not under /usr/local.
ZSHDIR    ?= $(PREFIX)/share/zsh/$(if $(filter debian/usr,$(DISTRO)$(PREFIX)),vendor-completions,site-functions)
FIREWALLDDIR ?= $(PREFIX)/lib/firewalld/services
SYSCONFDIR ?= /etc
PAMDIR    ?= $(SYSCONFDIR)/pam.d
XINETDDIR ?= $(SYSCONFDIR)/xinetd.d
FAIL2BANDIR ?= $(SYSCONFDIR)/fail2ban
UNITDIR   ?= /usr/lib/systemd/system
CATALOGDIR ?= /usr/lib/systemd/catalog
SYSUSERSDIR ?= /usr/lib/sysusers.d
DISTRO    ?= $(shell . /etc/os-release 2>/dev/null; case " $${ID-} $${ID_LIKE-} " in (*fedora*|*rhel*) echo fedora;; (*suse*) echo suse;; (*debian*) echo debian;; (*) echo other;; esac)
# Which of packaging/pam.d: debian, fedora or suse. From /etc/os-release, unless given.
PAMFAMILY ?= $(DISTRO:other=debian)

include packaging/install.mk
include packaging/release.mk
include tests/check.mk

.PHONY: help build clean
help:
	@echo 'make build            in.rexecd, rexecd, rexec-tlsd, rexec, in.rshd and rsh in build/, version $(VERSION)'
	@echo 'make install          DESTDIR PREFIX SBINDIR BINDIR MANDIR UNITDIR PAMDIR SYSCONFDIR … ; also install-server, install-client, install-rshd, install-rsh'
	@echo 'make uninstall        removes what install put there; edited files in $(SYSCONFDIR) stay'
	@echo 'make demo             a throw-away host: one account, a super-server on port 512, a few commands (root)'
	@echo 'make check            everything but the slow ones: formatting, linters, unit, race, fuzz, end-to-end tests (root)'
	@echo 'make check-platform   systemd as process 1, packages, release (root)'
	@echo 'make check-interop    other clients, scanners, servers, proxies and gateways (root)'
	@echo 'make fuzz             FUZZTIME=1m for each fuzz target'
	@echo 'make bench            compares the server with others, 15 minutes (root)'
	@echo 'make soak             20,000 connections: what do they leave behind? (root)'
	@echo 'make deb rpm          packages in build/packages'
	@echo 'make dist             packages, source, checksums and bill of materials in dist/, reproducible'

build: build/in.rexecd build/in.rshd build/rexecd build/rexec-tlsd build/rexec build/rsh

# go decides what is up to date.
.PHONY: build/in.rexecd build/in.rshd build/rexecd build/rexec-tlsd build/rexec build/rsh have-go
build/in.rexecd build/in.rshd build/rexecd build/rexec-tlsd build/rexec build/rsh: have-go
build/in.rexecd build/in.rshd:
	@mkdir -p build
	$(CGO_ENV) $(GO) build $(GOFLAGS_) -buildmode=pie -ldflags '$(LDFLAGS_)' -o $@ ./cmd/$(@F)
# No C: static, so that the client runs on any distribution, and what listens holds neither libc nor PAM.
build/rexecd build/rexec-tlsd build/rexec build/rsh:
	@mkdir -p build
	CGO_ENABLED=0 $(GO) build $(GOFLAGS_) -ldflags '$(LDFLAGS_)' -o $@ ./cmd/$(@F)

# An old Go says something else, at length. sort -C asks for the two versions in order.
have-go:
	@$(GO) version >/dev/null 2>&1 || { echo 'rexecd needs Go $(GO_MIN) or later, and "$(GO)" does not run: install it, or say GO=/path/to/go' >&2; exit 1; }
	@v=$$({ $(GO) env GOVERSION 2>/dev/null || $(GO) version; } | grep -om1 'go[1-9][0-9.]*'); printf 'go$(GO_MIN)\n%s\n' "$$v" | sort -CV || \
		{ echo "rexecd needs Go $(GO_MIN) or later, and \"$(GO)\" is $$v: install a newer one, or say GO=/path/to/go" >&2; exit 1; }

clean:
	rm -rf build dist
