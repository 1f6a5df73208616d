//go:build !linux

package lab

import (
	"context"
	"errors"
	"io"
)

// Elsewhere than on Linux the package compiles, so that a program which
// embeds it does, and Start returns ErrRequirements. What is below is
// reached by no call, since nothing ever runs.
var errLinuxOnly = errors.New("a lab needs the Linux kernel")

type cgroups struct{}

func openCgroups() (*cgroups, error)                { return nil, errLinuxOnly }
func (*cgroups) close()                             {}
func (*cgroups) populated(string) bool              { return false }
func (*cgroups) initPID(string) int                 { return 0 }
func (*cgroups) kill(context.Context, string) error { return errLinuxOnly }
func inNetworkNamespace(string, func() error) error { return errLinuxOnly }

func (*Lab) boot(context.Context, *cgroups, hostPlan) error { return errLinuxOnly }

func runIsolated(context.Context, io.Writer, io.Reader, []string, ...string) error {
	return errLinuxOnly
}

func runNsenter(context.Context, []string, []string, Stdio) (int, error) {
	return -1, errLinuxOnly
}
