package rig

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// LogSink listens where the system log does, as on any host: without it, a server that logs would save the cost of
// logging. What it hears it gives to hear, or throws away.
func LogSink(hear func([]byte), paths ...string) error {
	for _, path := range paths {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			return fmt.Errorf("listen for log: %w", err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return err
		}
		file, err := c.File()
		if err != nil {
			return err
		}
		fd := int(file.Fd()) // blocking from here on: the sink must cost as little as it can
		go func() {
			runtime.LockOSThread()
			defer runtime.KeepAlive(file)
			buf := make([]byte, 8192)
			for {
				if n, err := syscall.Read(fd, buf); err == nil && hear != nil {
					hear(buf[:n])
				}
			}
		}()
	}
	return nil
}
