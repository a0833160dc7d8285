package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"rexecd/pkg/rexec"
)

// checkHost finds what ssh and others take in a host's name.
func checkHost(host string) error {
	user, name, hasUser := strings.Cut(host, "@")
	bare, port, hasPort := strings.Cut(host, ":")
	if strings.HasPrefix(host, "[") {
		bare, port, hasPort = strings.Cut(host, "]:")
		bare = strings.TrimPrefix(bare, "[")
	}
	_, err := parsePort(port)
	switch {
	case host == "":
		return errors.New("the host name is empty")
	case hasUser:
		return fmt.Errorf("%q is not a host: give the user with -l: rexec -l %s %s command", host, user, name)
	case hasPort && err == nil && !isAddress(host):
		return fmt.Errorf("%q is not a host: give the port with -P: rexec -P %s %s command", host, port, bare)
	}
	return nil
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func parsePort(value string) (int, error) {
	port, err := strconv.ParseUint(value, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("%q is not a port: 1 to 65535", value)
	}
	return int(port), nil
}

func parsePorts(value string) (rexec.PortRange, error) {
	low, high, isRange := strings.Cut(value, "-")
	if !isRange {
		high = low
	}
	first, err := parsePort(low)
	if err != nil {
		return rexec.PortRange{}, err
	}
	last, err := parsePort(high)
	if err != nil {
		return rexec.PortRange{}, err
	}
	if last < first {
		return rexec.PortRange{}, fmt.Errorf("%q ends before it begins", value)
	}
	return rexec.PortRange{First: first, Last: last}, nil
}

// parseTime reads seconds, or a number with its unit as in 1m30s.
func parseTime(value string) (time.Duration, error) {
	text := value
	if _, err := strconv.ParseFloat(value, 64); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a time: seconds, or 500ms, 30s, 1m30s", value)
	}
	return d, nil
}
