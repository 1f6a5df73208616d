package lab

import "fmt"

// release is what differs between the Debian releases a lab can run.
type release struct {
	name     string // suite given to debootstrap
	script   string // debootstrap script; an older debootstrap knows no "testing"
	postgres int    // major version of PostgreSQL in the release
	hostEtcd bool   // the release's own etcd is what the lab's spec asks for
}

var releases = [...]release{
	{name: "testing", script: "/usr/share/debootstrap/scripts/sid", postgres: 18},
	{name: "trixie", script: "/usr/share/debootstrap/scripts/sid", postgres: 17, hostEtcd: true},
}

func releaseByName(name string) (release, error) {
	for _, r := range releases {
		if r.name == name {
			return r, nil
		}
	}
	return release{}, fmt.Errorf("%w: release %q: want testing or trixie", ErrInvalid, name)
}
