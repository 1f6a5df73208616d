package lab

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// requirement is a program of this machine and the Debian package with it.
type requirement struct{ program, debian string }

var requirements = [...]requirement{
	{"debootstrap", "debootstrap"},
	{"systemd-nspawn", "systemd-container"},
	{"ip", "iproute2"},
	{"nsenter", "util-linux"},
	{"unshare", "util-linux"},
	{"mount", "mount"},
	{"gpg", "gpg"},
	{"go", "golang-go"},
}

// RequiredPackages returns the Debian packages that a machine needs to build
// and run a lab, sorted. Go itself has to be 1.24 or later (it builds etcd),
// from Debian or from the Go project.
func RequiredPackages() []string {
	packages := []string{"debian-archive-keyring"}
	for _, r := range requirements {
		packages = append(packages, r.debian)
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// checkMachine reports everything that is missing in one error.
func checkMachine() error {
	var missing, packages []string
	if runtime.GOOS != "linux" {
		missing = append(missing, "the Linux kernel")
	}
	if os.Geteuid() != 0 {
		missing = append(missing, "root's rights")
	}
	for _, r := range requirements {
		if _, err := exec.LookPath(r.program); err != nil {
			missing = append(missing, r.program)
			packages = append(packages, r.debian)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	err := fmt.Errorf("check machine: %w: missing %s", ErrRequirements, strings.Join(missing, ", "))
	return withHint(err, requirementHint(packages))
}

func requirementHint(packages []string) string {
	if len(packages) == 0 {
		return "run it on Linux, as root (sudo)"
	}
	slices.Sort(packages)
	return "as root: apt-get install -y " + strings.Join(slices.Compact(packages), " ")
}
