# Where every file goes, said once: the packages are made from `make install-server`, `install-client`, `install-rshd` and
# `install-rsh` under a DESTDIR. rsh's two are not part of `make install`: nothing pulls them in.

.PHONY: install install-server install-client install-rshd install-rsh
.PHONY: uninstall uninstall-server uninstall-client uninstall-rshd uninstall-rsh
install: install-server install-client
uninstall: uninstall-server uninstall-client

D    = $(DESTDIR)
INST = install -D -m 644
UNITS = rexec.socket rexec@.service rexec-standby.socket rexec-standby.service rexec-tls.socket rexec-tls@.service rexec-report.service rexec-report.timer
RSHUNITS = rsh.socket rsh@.service rsh-standby.socket rsh-standby.service
MONITORING = grafana.json alerts.yml

# Files that an administrator edits are never overwritten by `make install` on a live host: what is there stays.
# The programs' paths in units and entries follow SBINDIR.
sbin_paths = sed 's,/usr/sbin/\(in\.rexecd\|in\.rshd\|rexecd\)\b,$(SBINDIR)/\1,g'
define install_conf
@if [ -e "$(D)$(2)" ]; then echo "kept $(2)"; else \
	$(sbin_paths) $(1) | $(INST) /dev/stdin "$(D)$(2)" && echo "installed $(2)"; fi
endef

# The PAM file for job.conf: the shipped one with pam_unix in place of the host's session modules, pam_systemd among them.
job_pam = sed -e '1s/:/ with the limits of job.conf:/' -e '/^session.*postlogin/d' \
	-e 's/^\(@include common-session\|session *include .*\)$$/session    required     pam_unix.so/'

# On a live host: the units, and the explanations of journalctl -x. Packages have scriptlets and triggers for it.
tell_systemd = $(if $(D),,@if [ -d /run/systemd/system ] && [ "$$(id -u)" = 0 ]; then systemctl daemon-reload; journalctl --update-catalog; fi)

install-server:
	@for b in in.rexecd rexecd rexec-tlsd; do test -x build/$$b || { echo "build/$$b is not there: run make build first" >&2; exit 1; }; done
	for b in in.rexecd rexecd rexec-tlsd; do install -D -m 755 build/$$b "$(D)$(SBINDIR)/$$b"; done
	$(INST) cmd/in.rexecd/in.rexecd.8 "$(D)$(MANDIR)/man8/in.rexecd.8"
	for page in rexecd rexecd-report; do $(INST) cmd/rexecd/$$page.8 "$(D)$(MANDIR)/man8/$$page.8"; done
	$(INST) cmd/rexecd/rexecd.toml.5 "$(D)$(MANDIR)/man5/rexecd.toml.5"
	for page in clients migration tls; do $(INST) cmd/rexecd/rexecd-$$page.7 "$(D)$(MANDIR)/man7/rexecd-$$page.7"; done
	printf '.so man7/rexecd-tls.7\n' | $(INST) /dev/stdin "$(D)$(MANDIR)/man8/rexec-tlsd.8"
	for u in $(UNITS); do \
		$(sbin_paths) systemd/$$u | $(INST) /dev/stdin "$(D)$(UNITDIR)/$$u"; done
	$(INST) systemd/rexecd.catalog "$(D)$(CATALOGDIR)/rexecd.catalog"
	$(INST) packaging/sysusers.conf "$(D)$(SYSUSERSDIR)/rexecd.conf"
	$(INST) packaging/firewalld/rexec.xml "$(D)$(FIREWALLDDIR)/rexec.xml"
	for p in in.rexecd rexecd; do $(INST) packaging/completion/$$p.bash "$(D)$(BASHDIR)/$$p"; \
		$(INST) packaging/completion/_$$p "$(D)$(ZSHDIR)/_$$p"; done
	for f in README.md CHANGELOG.md $(wildcard SECURITY.md) LICENSE packaging/copyright packaging/inetd.conf systemd/rexec@.service.d/job.conf; do \
		$(INST) $$f "$(D)$(DOCDIR)/rexecd/$${f##*/}"; done
	for f in $(MONITORING); do $(INST) packaging/monitoring/$$f "$(D)$(DOCDIR)/rexecd/$$f"; done
	$(job_pam) packaging/pam.d/$(PAMFAMILY) | $(INST) /dev/stdin "$(D)$(DOCDIR)/rexecd/job.pam"
	$(call install_conf,packaging/pam.d/$(PAMFAMILY),$(PAMDIR)/rexec)
	$(call install_conf,packaging/rexecd.toml,$(SYSCONFDIR)/rexecd.toml)
	install -d -m 755 "$(D)$(SYSCONFDIR)/rexecd.toml.d"
	$(call install_conf,packaging/xinetd,$(XINETDDIR)/rexec)
	$(call install_conf,packaging/fail2ban/filter.conf,$(FAIL2BANDIR)/filter.d/rexecd.conf)
	$(call install_conf,packaging/fail2ban/jail.conf,$(FAIL2BANDIR)/jail.d/rexecd.conf)
	$(tell_systemd)

install-client:
	@test -x build/rexec || { echo 'build/rexec is not there: run make build first' >&2; exit 1; }
	install -D -m 755 build/rexec "$(D)$(BINDIR)/rexec"
	$(if $(wildcard cmd/rexec/rexec.1),$(INST) cmd/rexec/rexec.1 "$(D)$(MANDIR)/man1/rexec.1")
	$(INST) cmd/rexec/rexec.toml.5 "$(D)$(MANDIR)/man5/rexec.toml.5"
	$(if $(wildcard packaging/completion/rexec.bash),$(INST) packaging/completion/rexec.bash "$(D)$(BASHDIR)/rexec")
	$(if $(wildcard packaging/completion/_rexec),$(INST) packaging/completion/_rexec "$(D)$(ZSHDIR)/_rexec")
	for f in README.md CHANGELOG.md SECURITY.md LICENSE packaging/copyright; do $(INST) $$f "$(D)$(DOCDIR)/rexec/$${f##*/}"; done

# A file in SYSCONFDIR goes only while it is still as installed.
define uninstall_conf
@if [ -e "$(D)$(2)" ]; then \
	if $(sbin_paths) $(1) | cmp -s - "$(D)$(2)"; then rm -f "$(D)$(2)"; \
	else echo "kept $(2): it was edited"; fi; fi
endef

# On a live host the service ends first: units without a program would go on listening.
uninstall-server:
	$(if $(D),,@if [ -x "$(SBINDIR)/rexecd" ] && [ "$$(id -u)" = 0 ]; then "$(SBINDIR)/rexecd" -remove; \
		if [ -d /run/systemd/system ]; then systemctl disable --now rexec-report.timer 2>/dev/null || :; fi; fi)
	for b in in.rexecd rexecd; do rm -f "$(D)$(SBINDIR)/$$b" "$(D)$(MANDIR)/man8/$$b.8" "$(D)$(BASHDIR)/$$b" "$(D)$(ZSHDIR)/_$$b"; done
	rm -f "$(D)$(SBINDIR)/rexec-tlsd" "$(D)$(MANDIR)/man8/rexec-tlsd.8"
	for u in $(UNITS); do rm -f "$(D)$(UNITDIR)/$$u"; done
	rm -f "$(D)$(MANDIR)/man8/rexecd-report.8" "$(D)$(MANDIR)/man5/rexecd.toml.5" "$(D)$(CATALOGDIR)/rexecd.catalog" "$(D)$(FIREWALLDDIR)/rexec.xml" "$(D)$(SYSUSERSDIR)/rexecd.conf"
	for page in clients migration tls; do rm -f "$(D)$(MANDIR)/man7/rexecd-$$page.7"; done
	rm -rf "$(D)$(DOCDIR)/rexecd"
	$(call uninstall_conf,packaging/pam.d/$(PAMFAMILY),$(PAMDIR)/rexec)
	$(call uninstall_conf,packaging/rexecd.toml,$(SYSCONFDIR)/rexecd.toml)
	rmdir --ignore-fail-on-non-empty "$(D)$(SYSCONFDIR)/rexecd.toml.d" 2>/dev/null || :
	$(call uninstall_conf,packaging/xinetd,$(XINETDDIR)/rexec)
	$(call uninstall_conf,packaging/fail2ban/filter.conf,$(FAIL2BANDIR)/filter.d/rexecd.conf)
	$(call uninstall_conf,packaging/fail2ban/jail.conf,$(FAIL2BANDIR)/jail.d/rexecd.conf)
	$(tell_systemd)

uninstall-client:
	rm -f "$(D)$(BINDIR)/rexec" "$(D)$(MANDIR)/man1/rexec.1" "$(D)$(MANDIR)/man5/rexec.toml.5" "$(D)$(BASHDIR)/rexec" "$(D)$(ZSHDIR)/_rexec"
	rm -rf "$(D)$(DOCDIR)/rexec"

# in.rshd, which is administered by rexecd and has its settings. The PAM file is rexec's, with a line on trust.
rsh_pam = sed -e '1,2s,/etc/pam.d/rexec: PAM stack of in.rexecd(8),/etc/pam.d/rsh: PAM stack of in.rshd(8),' \
	-e 's,^\# The password\,.*,\# Accounts that trust other hosts (in.rshd(8)\, "TRUST"; [rsh] trust in rexecd.toml(5)):\n\#auth       sufficient   pam_rhosts.so\n&,'
install-rshd:
	@test -x build/in.rshd || { echo "build/in.rshd is not there: run make build first" >&2; exit 1; }
	install -D -m 755 build/in.rshd "$(D)$(SBINDIR)/in.rshd"
	$(INST) cmd/in.rshd/in.rshd.8 "$(D)$(MANDIR)/man8/in.rshd.8"
	for u in $(RSHUNITS); do $(sbin_paths) systemd/$$u | $(INST) /dev/stdin "$(D)$(UNITDIR)/$$u"; done
	$(INST) packaging/firewalld/rsh.xml "$(D)$(FIREWALLDDIR)/rsh.xml"
	for f in README.md CHANGELOG.md SECURITY.md LICENSE packaging/copyright packaging/inetd.rsh; do \
		$(INST) $$f "$(D)$(DOCDIR)/rshd/$${f##*/}"; done
	@if [ -e "$(D)$(PAMDIR)/rsh" ]; then echo "kept $(PAMDIR)/rsh"; else \
		$(rsh_pam) packaging/pam.d/$(PAMFAMILY) | $(INST) /dev/stdin "$(D)$(PAMDIR)/rsh" && echo "installed $(PAMDIR)/rsh"; fi
	$(call install_conf,packaging/xinetd.rsh,$(XINETDDIR)/rsh)
	$(tell_systemd)

# The right to bind reserved ports, as the packages give it: where setcap(8) is, and on a live host.
install-rsh:
	@test -x build/rsh || { echo 'build/rsh is not there: run make build first' >&2; exit 1; }
	install -D -m 755 build/rsh "$(D)$(BINDIR)/rsh"
	$(INST) cmd/rsh/rsh.1 "$(D)$(MANDIR)/man1/rsh.1"
	$(INST) packaging/completion/rsh.bash "$(D)$(BASHDIR)/rsh"
	$(INST) packaging/completion/_rsh "$(D)$(ZSHDIR)/_rsh"
	for f in README.md CHANGELOG.md SECURITY.md LICENSE packaging/copyright; do $(INST) $$f "$(D)$(DOCDIR)/rsh/$${f##*/}"; done
	$(if $(D),,@if [ "$$(id -u)" = 0 ]; then setcap cap_net_bind_service=ep "$(BINDIR)/rsh"; fi)

uninstall-rshd:
	$(if $(D),,@if [ -x "$(SBINDIR)/rexecd" ] && [ "$$(id -u)" = 0 ]; then "$(SBINDIR)/rexecd" -remove rsh; fi)
	rm -f "$(D)$(SBINDIR)/in.rshd" "$(D)$(MANDIR)/man8/in.rshd.8" "$(D)$(FIREWALLDDIR)/rsh.xml"
	for u in $(RSHUNITS); do rm -f "$(D)$(UNITDIR)/$$u"; done
	rm -rf "$(D)$(DOCDIR)/rshd"
	@if [ -e "$(D)$(PAMDIR)/rsh" ]; then \
		if $(rsh_pam) packaging/pam.d/$(PAMFAMILY) | cmp -s - "$(D)$(PAMDIR)/rsh"; then rm -f "$(D)$(PAMDIR)/rsh"; \
		else echo "kept $(PAMDIR)/rsh: it was edited"; fi; fi
	$(call uninstall_conf,packaging/xinetd.rsh,$(XINETDDIR)/rsh)
	$(tell_systemd)

uninstall-rsh:
	rm -f "$(D)$(BINDIR)/rsh" "$(D)$(MANDIR)/man1/rsh.1" "$(D)$(BASHDIR)/rsh" "$(D)$(ZSHDIR)/_rsh"
	rm -rf "$(D)$(DOCDIR)/rsh"
