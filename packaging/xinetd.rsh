# /etc/xinetd.d/rsh: in.rshd(8) on port 514. Off until `disable = no`; then: service xinetd reload
service shell
{
	disable		= yes
	socket_type	= stream
	protocol	= tcp
	wait		= no
	user		= root
	server		= /usr/sbin/in.rshd
	# IPv4 and IPv6 on one socket.
	flags		= IPv6
	# Running commands in total and, commented out since one host is one source,
	# from one source.
	instances	= 512
	#per_source	= 16
	# Connections a second, and the pause after more than that. The default, 50 10,
	# stops bursts.
	cps		= 500 1
	# Who may connect; the default is everyone.
	#only_from	= 192.0.2.0/24
	log_type	= SYSLOG authpriv
	log_on_failure	= HOST
}
