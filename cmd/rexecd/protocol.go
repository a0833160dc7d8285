package main

// The service that is installed, checked or supervised: rexec's, unless the arguments
// name rsh's. It is chosen once, before anything is done.
var (
	service     = "rexec" // the PAM service, and the units' name
	portName    = "exec"  // in services(5), inetd.conf and xinetd.conf
	execPort    = 512     // everywhere since 4.2BSD
	handlerName = "in.rexecd"

	// Units that listen on the port: one process for each connection, or some kept ready.
	socketUnit  = "rexec.socket"
	standbyUnit = "rexec-standby.socket"

	xinetdConf = "/etc/xinetd.d/rexec"
)

// choose chooses rsh's.
func choose(name string) {
	service, portName, execPort, handlerName = name, "shell", 514, "in.rshd"
	socketUnit, standbyUnit, xinetdConf = "rsh.socket", "rsh-standby.socket", "/etc/xinetd.d/rsh"
	pamTemplate = "/usr/share/rshd/pam.d/rsh"
}

// again is how to run this program for the service that was chosen.
func again(flag string) string {
	if service == "rexec" {
		return "rexecd " + flag
	}
	return "rexecd " + flag + " " + service
}
