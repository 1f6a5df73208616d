package verify

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/hosttest"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/sitetest"
	"github.com/pgha/toolkit/pgha/remote"
)

// TestHeldCertificates: the files of a host are read by one program, the public half of each key by
// another, all in one session; a certificate that is gone is named.
func TestHeldCertificates(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]bool{"all are there": false, "one is gone": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := sitetest.HeldHosts(t)
			h := c.Spec.Databases()[0]
			list, cr := certs.OfHost(c.Spec, h), c.Credentials()
			host := hosttest.New(h.Name, func(*hosttest.Host, remote.Cmd) (remote.Result, error) {
				return remote.Result{}, errors.New("an unexpected question")
			})
			files := map[string]string{}
			for _, of := range list {
				pair := cr.Hosts[h.Name][of.Name]
				files[of.File], files[of.CA] = string(pair.Cert), string(cr.Authority(of.Authority))
				host.Say("openssl pkey -in "+of.Key+" -pubout",
					func() string { return string(publicOf(pair.Key.Reveal())) })
			}
			if gone {
				delete(files, list[2].File)
			}
			host.Say("grep -aHs", func() string {
				var out strings.Builder
				for path, content := range files {
					for line := range strings.Lines(content) {
						fmt.Fprintf(&out, "%s:%s", path, line)
					}
				}
				return out.String()
			})
			target := &remote.Target{Host: remote.Host{Name: h.Name, Address: h.Address},
				Executor: host}
			err := judgeHeld(t.Context(), c, target, h, time.Now())
			if (err != nil) != gone || gone && err.Error() != list[2].File+" holds no certificate" {
				t.Errorf("got %v", err)
			}
			if _, looks := host.Changes(); looks != 1 {
				t.Errorf("%d sessions", looks)
			}
		})
	}
}
