# Packages and releases, byte for byte the same from the same source: sorted, dated by CHANGELOG.md, owned by root.

.PHONY: deb rpm dist
ARCH     = $(shell $(GO) env GOARCH)
NFPM     = build/tools/nfpm
RPMPATHS = build/tools/rpmpaths
PACKAGES = build/packages
# Everything in a package has the release's date and modes that do not depend on the umask.
stamp    = find $(1) -exec touch -h -d @$(SOURCE_DATE_EPOCH) {} + && chmod -R u=rwX,go=rX $(1)

# stage FORMAT FAMILY: what `make install` installs, per package, with what only packages have.
define stage
	rm -rf build/stage/$(1)
	umask 022; for p in server client rshd rsh; do \
		$(MAKE) -s install-$$p DESTDIR="$(CURDIR)/build/stage/$(1)/$$p" PREFIX=/usr SYSCONFDIR=/etc PAMFAMILY=$(2) DISTRO=$(2) >/dev/null; done
	find build/stage/$(1) -path '*/share/man/*' -type f -exec gzip -9n {} +
endef

# Depends on the build that lies in build/: `make build deb` or, for a release, `make dist`.
deb: build $(NFPM)
	$(call stage,deb,debian)
	@# deb.postinst puts it into /etc: see deb.preinst.
	install -d build/stage/deb/server/usr/share/rexecd && mv build/stage/deb/server/etc/pam.d build/stage/deb/server/usr/share/rexecd/
	install -d build/stage/deb/rshd/usr/share/rshd && mv build/stage/deb/rshd/etc/pam.d build/stage/deb/rshd/usr/share/rshd/
	@# One of several alternatives: see rsh.deb.postinst.
	cd build/stage/deb/rsh/usr && for f in bin/rsh share/man/man1/rsh.1.gz; do mv $$f $${f%/*}/rexecd-$${f##*/}; done
	@# Debian's own names for the documentation: copyright instead of LICENSE, its form of changelog, all but small files compressed.
	for p in server:rexecd client:rexec rshd:rshd rsh:rsh; do d=build/stage/deb/$${p%:*}; p=$${p#*:}; \
		doc=$$d/usr/share/doc/$$p; \
		mv $$doc/CHANGELOG.md $$doc/changelog; rm $$doc/LICENSE; \
		printf '%s (%s-1) unstable; urgency=medium\n\n  * Upstream release; changelog.gz lists what changed.\n\n -- %s  %s\n' \
			$$p $(VERSION) '$(MAINTAINER)' "$$(LC_ALL=C date -u -R -d @$(SOURCE_DATE_EPOCH))" >$$doc/changelog.Debian; \
		gzip -9n $$doc/changelog $$doc/changelog.Debian; \
		install -D -m 644 packaging/lintian/$$p $$d/usr/share/lintian/overrides/$$p; done
	$(call stamp,build/stage/deb)
	$(call nfpm,deb,deb,1,rexecd rexec rshd rsh,_$(VERSION)-1_$(ARCH).deb)

RPMARCH = $(subst amd64,x86_64,$(subst arm64,aarch64,$(ARCH)))
rpm: build $(NFPM) $(RPMPATHS)
	$(call stage,rpm,fedora)
	$(call rpm_docs,rpm,1)
	$(call stamp,build/stage/rpm)
	$(call nfpm,rpm,rpm,1,rexecd rexec rshd rsh,-$(VERSION)-1.$(RPMARCH).rpm)
	@# SUSE's PAM files include other stacks; the clients are the same.
	$(call stage,suse,suse)
	$(call rpm_docs,suse,1.suse)
	$(call stamp,build/stage/suse)
	$(call nfpm,rpm,suse,1.suse,rexecd rshd,-$(VERSION)-1.suse.$(RPMARCH).rpm)

# rpm marks documentation as such and keeps a changelog of its own.
define rpm_docs
	for p in server:rexecd client:rexec rshd:rshd rsh:rsh; do d=build/stage/$(1)/$${p%:*}; doc=build/stage/$(1)/$${p#*:}-doc; mkdir -p $$doc/usr/share; \
		mv $$d/usr/share/doc $$doc/usr/share/; if [ -d $$d/usr/share/man ]; then mv $$d/usr/share/man $$doc/usr/share/; fi; done
	printf -- '- semver: %s\n  date: %s\n  packager: %s\n  changes:\n    - note: CHANGELOG.md in the documentation directory lists what changed.\n' \
		$(VERSION)-$(2) "$$(date -u -d @$(SOURCE_DATE_EPOCH) +%FT%TZ)" '$(MAINTAINER)' >build/stage/$(1)/changelog.yaml
endef

# nfpm FORMAT STAGE RELEASE PACKAGES SUFFIX-OF-FILES
# Debian's control file has no field License, and nfpm would write one; rpm wants every file of documentation named as such.
nfpm_yaml_deb = sed /^license:/d packaging/nfpm/$(2).yaml
nfpm_yaml_rpm = echo 'changelog: build/stage/$(1)/changelog.yaml'; cat packaging/nfpm/$(2).yaml; \
	echo '  - {dst: /usr/share/doc/$(2), type: dir}'; cd build/stage/$(1)/$(2)-doc; \
	find . -type f -printf '  - {src: build/stage/$(1)/$(2)-doc/%P, dst: /%P, type: doc}\n' | LC_ALL=C sort; \
	find . -type l -printf '  - {src: %l, dst: /%P, type: symlink}\n' | LC_ALL=C sort
nfpm_one = ( $(call nfpm_yaml_$(1),$(2),$(3)) ) >build/stage/$(2)/$(3).yaml && \
	$(NFPM) package --config build/stage/$(2)/$(3).yaml --packager $(1) --target $(4) >/dev/null$(if $(filter rpm,$(1)), && $(RPMPATHS) $(4))
MAINTAINER ?= The rexecd authors <rexecd@localhost>
define nfpm
	mkdir -p $(PACKAGES)
	umask 022; export VERSION=$(VERSION) ARCH=$(ARCH) STAGE=build/stage/$(2) RELEASE=$(3) MAINTAINER='$(MAINTAINER)'; \
	if grep -q GLIBC_ABI_DT_RELR build/in.rexecd; then export GLIBC=2.36 GLIBC_RELR='libc.so.6(GLIBC_ABI_DT_RELR)(64bit)'; else export GLIBC=2.34 GLIBC_RELR=; fi; \
	$(foreach p,$(4),$(call nfpm_one,$(1),$(2),$(p),$(PACKAGES)/$(p)$(5)) &&) :
endef

# The source as it is committed, or, in an unpacked source tarball, as it lies there.
NAME    = rexecd-$(VERSION)
sources = { git ls-files 2>/dev/null | while IFS= read -r f; do [ ! -e "$$f" ] || echo "$$f"; done | grep . || find . -type f -not -path './build/*' -not -path './dist/*' -not -path './vendor/*' -printf '%P\n'; } | LC_ALL=C sort
tarball = LC_ALL=C tar --create --format=gnu --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_DATE_EPOCH) --mode=u=rwX,go=rX --sort=name

dist: build deb rpm
	rm -rf dist && mkdir dist
	cp $(PACKAGES)/*$(VERSION)-1*.deb $(PACKAGES)/*$(VERSION)-1*.rpm dist/
	$(sources) | $(tarball) --transform 's,^,$(NAME)/,' --files-from=- | gzip -9n >dist/$(NAME).tar.gz
	@# The same with the modules that it needs: builds without a network.
	rm -rf build/vendor && mkdir build/vendor && $(sources) | cpio --quiet -pdm build/vendor
	if [ -d vendor ]; then cp -r vendor build/vendor/; else $(GO) mod vendor -o build/vendor/vendor; fi
	cd build && $(tarball) --transform 's,^vendor,$(NAME),' vendor | gzip -9n >../dist/$(NAME)-vendor.tar.gz
	for b in in.rexecd rexecd rexec-tlsd rexec in.rshd rsh; do $(GO) run ./packaging/sbom build/$$b $(VERSION) >dist/$$b-$(VERSION).cdx.json; done
	cd dist && LC_ALL=C sha256sum -- * >SHA256SUMS
	@cat dist/SHA256SUMS
