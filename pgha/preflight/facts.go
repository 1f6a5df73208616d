package preflight

import (
	"encoding/json"
	"time"

	"github.com/pgha/toolkit/pgha/change"
	"github.com/pgha/toolkit/pgha/trial"
)

// Facts is what a host said of itself at one moment.
type Facts struct {
	// Distribution and Release as in /etc/os-release: "debian" "13", "ubuntu" "24.04"; Release is
	// "" for Debian testing.
	Distribution string `json:"distribution"`
	Release      string `json:"release"`
	// Codename is the release's name in package repositories: "trixie", "noble", ...
	Codename string `json:"codename"`
	// Architecture is Debian's name of it: "amd64", "arm64".
	Architecture string `json:"architecture"`
	// Root tells whether commands run as root.
	Root bool `json:"root"`
	// Init tells whether systemd is the host's PID 1.
	Init bool `json:"systemd"`
	// ClockOffset is how far the host's clock is ahead of this machine's, negative if behind: the
	// least that is certain, because nobody knows when in its round trip the look at the clock was.
	ClockOffset time.Duration `json:"clock_offset_seconds"`
	// ClockSynced is what the host's time service says.
	ClockSynced bool `json:"clock_synced"`
	// TimeZone is the host's time zone, "Europe/Madrid".
	TimeZone string `json:"time_zone"`
	// FreeBytes is the space left where PostgreSQL and etcd keep their data.
	FreeBytes int64 `json:"free_bytes"`
	// Listeners maps a TCP port to the program that listens on it ("" when unknown).
	Listeners map[int]string `json:"listeners"`
	// Watchdog tells whether /dev/watchdog exists.
	Watchdog bool `json:"watchdog"`
	// Candidates maps a package to the version that is installed or, where one is missing, those
	// that apt would install.
	Candidates map[string]string `json:"candidates"`
	// OpenFiles is how many files HAProxy may have open on a balancer, 0 elsewhere.
	OpenFiles int `json:"open_files"`
	// EtcdCA is the certificate of the CA that the host's etcd trusts, or Patroni where no etcd is
	// to run there; "" without one.
	EtcdCA string `json:"-"`
	// Pooler: there is one of the cluster's, whether it is to be there or not.
	Pooler bool `json:"-"`
	// Backup: there is a part of the cluster's backups, whether it is to be there or not.
	Backup bool `json:"-"`
	// Running is what of the cluster runs here, and with what.
	Running change.Host `json:"-"`
	// StateNote is what the host remembers of the state directory that it was last worked on with:
	// see JudgeState.
	StateNote []byte `json:"-"`
	// UnfinishedReset reports a reset that was begun and not finished; "" without one.
	UnfinishedReset string `json:"unfinished_reset,omitempty"`
	// Present is what stands in the files of the host's PostgreSQL.
	Present trial.Present `json:"-"`
	// Premises are what lies where the cluster is to be.
	Premises Host `json:"-"`
}

// MarshalJSON writes the clock's offset in seconds.
func (f Facts) MarshalJSON() ([]byte, error) {
	type plain Facts
	return json.Marshal(struct {
		plain
		ClockOffset float64 `json:"clock_offset_seconds"`
	}{plain(f), f.ClockOffset.Seconds()})
}
