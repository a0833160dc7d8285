# What `make check` and `make check-platform` do, and how they get what they need.

.PHONY: deps check check-platform check-interop interop-deps demo bench soak
.PHONY: code lint unit oldest race fuzz fuzz-short cross measured e2e
TOOLS = build/tools

# Super-servers and old servers that conflict with one another: fetched for the tests, never
# installed on this machine.
DEBS = openbsd-inetd update-inetd tcpd inetutils-inetd xinetd rlinetd ucspi-tcp rsh-server rsh-client inetutils-syslogd python3-firewall fail2ban \
       rsyslog libestr0 libfastjson4 wireguard-tools rsh-redone-client rsh-redone-server prometheus

# need PACKAGES: installs what is missing and nothing else, so that a second run asks nobody and
# works without a network.
define need
	@missing=$$(for p in $(1); do [ "$$(dpkg-query -W -f '$${db:Status-Status}' "$$p" 2>/dev/null || :)" = installed ] || echo "$$p"; done); \
	if [ -n "$$missing" ]; then echo "installing" $$missing; apt-get update -qq; \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing </dev/null >/dev/null; fi
endef

deps: $(TOOLS)/staticcheck $(TOOLS)/nfpm $(TOOLS)/rpmpaths
	$(call need,$$(grep -v '^\#' tests/packages.txt))
	@tests/lab/fetch-debs build/debs $(DEBS) || { apt-get update -qq && tests/lab/fetch-debs build/debs $(DEBS); }
	@tests/platform/build-busybox build/busybox
	@tests/lab/build-inetutils build/inetutils

# Built from the versions and sums in packaging/tools: the product's own go.mod does not name them.
$(TOOLS)/rpmpaths: packaging/tools/rpmpaths/main.go
$(TOOLS)/%: packaging/tools/go.mod packaging/tools/go.sum
	@mkdir -p $(TOOLS)
	cd packaging/tools && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -o $(CURDIR)/$@.new \
		$$($(GO) list -f '{{.ImportPath}}' tool | grep '/$*$$')
	mv $@.new $@

# Four packages at a time, on two processors as well: most of these tests wait, too.
go_test = $(GO) test -vet=off -p 4
pkgs  = $(addprefix ./,$(addsuffix /...,$(wildcard pkg cmd)))
shell_scripts = $(shell find .ci tests packaging -type f -exec awk 'FNR==1 && /^\#!\/bin\/(ba)?sh/ {print FILENAME} {nextfile}' {} +)
manuals = $(wildcard cmd/*/*.[1-8])

# What is measured comes first and has the machine to itself. Then two things at a time, since most
# tests wait: one of them compiles and computes, the other runs the binaries in build/, which
# nothing replaces meanwhile. What each prints stays together, all are run whatever fails, and the
# last lines repeat what did.
check: deps build
	@log=build/check.log; make='$(MAKE) --no-print-directory -k'; \
	{ failed=; $$make measured || failed=1; $$make -O -j2 e2e code || failed=1; [ -z "$$failed" ]; } 2>&1 | tee $$log || \
	{ echo 'make check: these failed, see above:'; grep -aE '^ *--- FAIL|^FAIL|^panic: |\*\*\* ' $$log; exit 1; } >&2
	@echo 'make check: all passed'

# One by one, the longest first: they leave no processor idle by themselves.
code:
	@failed=; for t in race oldest unit fuzz-short lint cross; do $(MAKE) --no-print-directory $$t || failed="$$failed $$t"; done; \
		[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

lint: $(TOOLS)/staticcheck
	@out=$$(gofmt -l $$(find . -name '*.go' -not -path './build/*' -not -path './vendor/*')); [ -z "$$out" ] || { echo "gofmt:" $$out >&2; exit 1; }
	$(GO) vet ./...
	$(TOOLS)/staticcheck ./...
	$(GO) test -count=1 ./tests/style
	shellcheck -S warning $(shell_scripts)
	shellcheck -s bash $(wildcard packaging/completion/*.bash)
	$(if $(manuals),mandoc -Tlint -W warning $(manuals))
	out=$$(systemd-analyze verify --man=no $(addprefix systemd/,$(UNITS) $(RSHUNITS)) 2>&1 | grep -v 'rexecd is not executable' || :); \
		[ -z "$$out" ] || { echo "$$out" >&2; exit 1; }

unit:
	$(go_test) $(pkgs)

# With the oldest Go that go.mod permits, which the go command fetches: nothing may need a newer.
oldest: export GOTOOLCHAIN = go$(shell sed -n 's/^go //p' go.mod)
oldest:
	$(GO) vet ./...
	$(go_test) $(pkgs)

# Where goroutines meet.
race:
	$(go_test) -race $(pkgs)

FUZZTIME ?= 1m
# A number of inputs: with a time, the go command sometimes reports its own deadline as a failure.
fuzz-short: FUZZTIME = 3000x
fuzz fuzz-short:
	@for dir in $$(grep -rl '^func Fuzz' --include='*_test.go' pkg cmd | xargs -r -n1 dirname | sort -u); do \
		bin=$(CURDIR)/build/fuzz/$$dir/test; mkdir -p $${bin%/*}; \
		$(GO) test -c -vet=off -fuzz=^Fuzz -o $$bin ./$$dir; \
		for f in $$(cd $$dir && $$bin -test.list '^Fuzz'); do \
			echo "fuzz $$dir $$f"; (cd $$dir && $$bin -test.run '^$$' -test.fuzz "^$$f\$$" -test.fuzztime $(FUZZTIME) \
				-test.fuzzcachedir "$$($(GO) env GOCACHE)/fuzz/rexecd/$$dir"); done; done

# The client and the protocol package are for every system that Go knows.
cross:
	$(if $(wildcard cmd/rexec/*.go),for os in darwin windows freebsd; do echo "vet for $$os"; \
		CGO_ENABLED=0 GOOS=$$os $(GO) vet ./pkg/rexec/... ./cmd/rexec/... ./cmd/rsh; done)

# On the binaries as they are released. Each package has a private host of its own.
e2e_pkgs = $(addprefix ./,$(addsuffix /...,$(wildcard tests/attack tests/e2e tests/rsh tests/client tests/manual tests/lab)) $(wildcard tests/platform))
on_build = REXECD_BIN=$(CURDIR)/build/in.rexecd REXEC_BIN=$(CURDIR)/build/rexec $(GO) test -count=1 -vet=off
# What counts threads and page faults or takes times. Whatever has another name is left to e2e.
measuring = ^(TestNoRefusalTellsByItsTimeOrBytesWhyItIs|TestNothingGetsThroughWhileUsersWork|$(strip \
	)TestARelayOnThisHostLetsNobodyScanItsPorts)$$
measured:
	$(on_build) -p 1 -timeout 20m ./tests/bench/...
	$(on_build) -p 1 -timeout 20m -run '$(measuring)' ./tests/attack
e2e:
	$(on_build) -p 2 -timeout 20m -skip '$(measuring)' $(e2e_pkgs)

# The slow ones: systemd as process 1, packages, the release.
platform_pkgs = $(addprefix ./,$(addsuffix ...,$(wildcard tests/platform/*/)))
check-platform: deps build
	rm -rf build/packages
	$(MAKE) -s deb rpm
	$(on_build) -p 1 -timeout 30m $(platform_pkgs)
	@echo 'make check-platform: all passed'

# Other people's clients, scanners, servers, proxies and gateways. Nothing of theirs is installed.
interop-deps: deps
	@packages=$$(grep -v '^#' tests/interop/packages.txt); \
		tests/interop/fetch build/interop $$packages || { apt-get update -qq && tests/interop/fetch build/interop $$packages; }
check-interop: interop-deps build
	$(on_build) -timeout 10m ./tests/interop
	@echo 'make check-interop: all passed'

demo:
	$(call need,gcc libc6-dev libpam0g-dev util-linux iproute2 systemd openssl)
	@$(MAKE) -s build
	@tests/demo

bench: deps build
	$(GO) run ./tests/bench

soak: deps build
	$(GO) run ./tests/bench -soak
