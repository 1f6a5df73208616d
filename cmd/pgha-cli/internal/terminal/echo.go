//go:build unix

package terminal

import "golang.org/x/sys/unix"

// EchoOff makes a terminal show nothing of what is typed, and changes nothing else: Ctrl-C still
// interrupts. It returns what puts the terminal back.
func EchoOff(fd int) (restore func(), err error) {
	before, err := unix.IoctlGetTermios(fd, ioctlReadTermios)
	if err != nil {
		return nil, err
	}
	silent := *before
	silent.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, ioctlWriteTermios, &silent); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, ioctlWriteTermios, before) }, nil
}
