# Lines for /etc/inetd.conf (openbsd-inetd, inetutils-inetd): in.rshd(8) on port 514.
# Where systemd is not running, `rexecd -install rsh` adds them and `rexecd -remove rsh` removes
# them. inetd.conf beside rexecd's documentation explains them.
shell	stream	tcp	nowait.6000	root	/usr/sbin/in.rshd	in.rshd
#shell	stream	tcp6	nowait.6000	root	/usr/sbin/in.rshd	in.rshd
