package doctor

import (
	"testing"
	"time"

	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/spec"
)

// TestExpiring holds the finding to what its remedy does: apply renews a certificate from the
// last third of its life on, so that none is reported earlier, however short it lasts.
func TestExpiring(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	ca, err := pki.NewCA("etcd")
	if err != nil {
		t.Fatal(err)
	}
	h := spec.Host{Name: "a", Member: "a", Role: spec.RoleDatabase}
	for _, c := range []struct {
		lifetime, left time.Duration
		want           string
	}{
		{365 * day, 365 * day, ""},
		{365 * day, 122 * day, ""},
		{365 * day, 121 * day, "expiring"},
		{60 * day, 21 * day, ""},
		{60 * day, 19 * day, "expiring"},
		{5 * day, 5 * day, ""},
		{5 * day, 2 * day, ""},
		{5 * day, 39 * time.Hour, "expiring"},
		{day, day, ""},
		{day, time.Hour, "expiring"},
		{day, -time.Hour, "expired"},
	} {
		sp := &spec.Spec{}
		sp.TLS.LeafLifetimeDays = int(c.lifetime / day)
		of := certs.Named(sp, h, layout.EtcdClient)
		issued, err := ca.Issue(of.Request)
		if err != nil {
			t.Fatal(err)
		}
		f := Facts{Time: time.Now().Add(c.lifetime - c.left)}
		f.Authorities.Etcd = ca.CertPEM()
		trouble, seen := f.judge(of, Certificate{PEM: string(issued.CertPEM), KeyMatches: true})
		if trouble != c.want {
			t.Errorf("%s left of %s: %q (%s), want %q", c.left, c.lifetime, trouble, seen, c.want)
		}
	}
}
