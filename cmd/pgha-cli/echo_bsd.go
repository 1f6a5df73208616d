//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package main

import "golang.org/x/sys/unix"

const ioctlReadTermios, ioctlWriteTermios = unix.TIOCGETA, unix.TIOCSETA
