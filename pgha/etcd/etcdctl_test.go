package etcd

import (
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestEtcdctlScript runs etcdctl.sh before a program that prints what it gets: members and
// certificate are there unless a flag or the environment says otherwise, and never both.
func TestEtcdctlScript(t *testing.T) {
	t.Parallel()
	o := plainOptions()
	const members = "https://192.0.2.1:2379,https://192.0.2.2:2379,https://192.0.2.3:2379"
	const gateway = "/etc/etcd/certs/gateway"
	for name, c := range map[string]struct {
		before string   // lines before the script
		args   []string // of etcdctl
		want   string   // endpoints, certificate, key
	}{
		"bare": {args: []string{"member", "list"},
			want: members + " " + gateway + ".crt " + gateway + ".key"},
		"a flag with =": {args: []string{"--endpoints=https://192.0.2.2:2379", "snapshot", "save", "x"},
			want: "unset " + gateway + ".crt " + gateway + ".key"},
		"flags with a word": {args: []string{"member", "list", "--cert", "c", "--key", "k"},
			want: members + " unset unset"},
		"the environment": {before: "export ETCDCTL_ENDPOINTS=http://other\n",
			want: "http://other " + gateway + ".crt " + gateway + ".key"},
		"a flag beside the environment": {before: "export ETCDCTL_ENDPOINTS=http://other\n",
			args: []string{"--endpoints", "x"},
			want: "unset " + gateway + ".crt " + gateway + ".key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			scripttest.Write(t, dir, "etcdctl", "#!/bin/sh\necho \"${ETCDCTL_ENDPOINTS-unset} "+
				"${ETCDCTL_CERT-unset} ${ETCDCTL_KEY-unset}\"\necho \"$*\"\n")
			r := scripttest.Run{With: "sh", Script: c.before + string(o.etcdctl(o.Members[0])),
				Args:  c.args,
				Paths: map[string]string{"exec '/usr/local/bin/etcdctl'": "exec sh " + dir + "/etcdctl"}}.Do(t)
			want := c.want + "\n" + strings.Join(c.args, " ") + "\n"
			if r.Code != 0 || r.Stdout != want {
				t.Errorf("%+v\nwant %q", r, want)
			}
		})
	}
}
