package certificates

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pgha/toolkit/internal/output"
	"github.com/pgha/toolkit/pgha/internal/certs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/internal/wire"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/spec"
)

// hostSaid is what one host has on its disk, and what its servers show.
type hostSaid struct {
	files map[string]string // by path
	err   error
	shown map[string][]Shown // by the name of the certificate in the layout
	pem   map[string][][]byte
}

// lookWithin bounds the look at one host.
const lookWithin = 15 * time.Second

// lookAtHosts asks all hosts that can be asked at the same time.
func lookAtHosts(ctx context.Context, c *site.Site) map[string]hostSaid {
	said := map[string]hostSaid{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, h := range c.Spec.Hosts {
		wg.Go(func() {
			answer := lookAtHost(ctx, c, h)
			mu.Lock()
			defer mu.Unlock()
			said[h.Name] = answer
		})
	}
	wg.Wait()
	return said
}

func lookAtHost(ctx context.Context, c *site.Site, h spec.Host) hostSaid {
	said := hostSaid{shown: map[string][]Shown{}, pem: map[string][][]byte{}}
	t, err := c.Target(h.Name)
	if err != nil {
		said.err = err
		return said
	}
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	var paths []string
	for _, of := range certs.OfHost(c.Spec, h) {
		paths = append(paths, of.File, of.CA)
	}
	if h.Has(spec.RoleBalancer) {
		paths = append(paths, layout.HAProxyCA)
	}
	slices.Sort(paths)
	var wg sync.WaitGroup
	wg.Go(func() {
		res, err := t.Batch(ctx, output.FilesQuestion(slices.Compact(paths)...))
		if said.err = err; err == nil {
			said.files = output.Files(string(res[0].Stdout))
		}
	})
	servers := wire.Of(c, h)
	shown, texts := make([]Shown, len(servers)), make([][]byte, len(servers))
	now := time.Now()
	for i, d := range servers {
		wg.Go(func() { shown[i], texts[i] = show(ctx, t, d, now) })
	}
	wg.Wait()
	for i, d := range servers {
		said.shown[d.Certificate] = append(said.shown[d.Certificate], shown[i])
		said.pem[d.Certificate] = append(said.pem[d.Certificate], texts[i])
	}
	return said
}

// show asks a server for its certificate.
func show(ctx context.Context, t *remote.Target, d wire.Endpoint, now time.Time) (Shown, []byte) {
	s := Shown{Server: d.Name, Port: d.Port}
	state, err := d.Handshake(ctx, t, tls.VersionTLS12, 0, false)
	if err != nil {
		s.Error = strings.Join(strings.Fields(err.Error()), " ")
		return s, nil
	}
	text := shownPEM(state.PeerCertificates[0].Raw)
	s.Seen = seen(text, now)
	return s, text
}

// certificatesOf are those of a host.
func certificatesOf(c *site.Site, h spec.Host, said hostSaid, now time.Time) []Certificate {
	var list []Certificate
	cr := c.Credentials()
	for _, of := range certs.OfHost(c.Spec, h) {
		one := Certificate{Name: of.Label(), Host: h.Name, Component: of.Component,
			Authority: name(of.Authority), File: of.File, Wire: said.shown[of.Name]}
		stored := cr.Hosts[h.Name][of.Name].Cert
		if one.State = seen(stored, now); len(stored) == 0 {
			one.State.Error = "is not there yet"
		}
		if said.err != nil {
			one.Problem = "the host cannot be asked: " + said.err.Error()
			list = append(list, one)
			continue
		}
		text := []byte(said.files[of.File])
		disk := seen(text, now)
		one.Disk = &disk
		one.Due, one.Problem = judged(of, cr, text, now)
		one.Problem = cmp.Or(one.Problem, differences(one, now))
		list = append(list, one)
	}
	return list
}

// judged tells whether a certificate on a host's disk is due, and what is wrong with it.
func judged(of certs.Certificate, cr *vault.Credentials, text []byte,
	now time.Time) (due bool, problem string) {
	if len(text) == 0 {
		return false, "is missing on its host"
	}
	err := of.Judge(cr.Authority(of.Authority), text, true, now)
	var why pki.Reasons
	switch {
	case err == nil:
		return false, ""
	case !errors.As(err, &why):
		return false, "cannot be read as a certificate"
	}
	rest := slices.DeleteFunc(slices.Clone(why), func(err error) bool {
		return errors.Is(err, pki.ErrRenewalDue)
	})
	if len(rest) == 0 {
		return true, ""
	}
	return true, rest.Error()
}

// differences says which places have another certificate than the state directory.
func differences(c Certificate, now time.Time) string {
	if c.State.Error == "" && c.State.SHA256 != c.Disk.SHA256 {
		return "the state directory has another one"
	}
	for _, w := range c.Wire {
		at := "port " + strconv.Itoa(w.Port)
		switch {
		case w.Error != "":
			return at + " shows none: " + w.Error
		case w.SHA256 != c.Disk.SHA256:
			text := at + " shows another one than lies on the disk"
			if ended := w.ended(now); ended != "" {
				text += ", which " + ended
			}
			return text
		}
	}
	return ""
}

// ownCertificates are those that the operator shows.
func ownCertificates(c *site.Site, now time.Time) []Certificate {
	cr := c.Credentials()
	pairs := map[string]pki.KeyPair{layout.EtcdAuthority: cr.EtcdOperator,
		layout.PatroniAuthority: cr.PatroniOperator}
	var list []Certificate
	for _, of := range certs.OfOperator(c.Spec) {
		text := pairs[of.Authority].Cert
		one := Certificate{Name: of.Label(), Authority: name(of.Authority), State: seen(text, now)}
		one.Due, one.Problem = judged(of, cr, text, now)
		list = append(list, one)
	}
	return list
}

// authorities are those of the state directory.
func authorities(c *site.Site, now time.Time) []Authority {
	var list []Authority
	for _, called := range layout.AuthorityNames() {
		authority, _ := layout.AuthorityNamed(called)
		if authority == layout.BackupAuthority && c.Spec.Backup == nil {
			continue
		}
		for _, role := range []struct{ name, suffix string }{{"issues", ""}, {"next", "-next"},
			{"former", "-old"}, {"imported", "-imported"}} {
			file := vault.CAFile(authority+role.suffix, ".crt")
			text, there := c.State.File(file)
			if !there && role.suffix != "" {
				continue
			}
			list = append(list, authorityOf(c, called, authority, role.name, text, now))
			last := &list[len(list)-1]
			last.File = file
			if role.suffix == "" {
				_, last.CutsShort = c.Credentials().Shortened(c.Spec, authority)
			}
		}
		company := c.State.Replacement(authority).Company()
		if _, imported, _ := company.Imported(); imported == "" && company.Request() != nil {
			list = append(list, Authority{Name: called, Role: "requested", Key: true,
				File: company.RequestFile()})
		}
	}
	return list
}

// authorityOf describes an authority and its chain.
func authorityOf(c *site.Site, called, authority, role string, text []byte,
	now time.Time) Authority {
	suffix := map[string]string{"next": "-next", "former": "-old", "imported": "-request"}[role]
	_, key := c.State.File(vault.CAFile(authority+suffix, ".key"))
	a := Authority{Name: called, Role: role, Key: key, Seen: seen(text, now)}
	a.Problem = cmp.Or(a.Error, a.ended(now))
	all, err := pki.InspectAll(text)
	if err != nil {
		return a
	}
	a.ChainEnds = ends(all)
	if len(all) > 1 {
		a.Root = all[len(all)-1].Subject
	}
	if a.Problem == "" && now.After(a.ChainEnds) {
		a.Problem = "one above it ended on " + a.ChainEnds.Format(time.DateTime) + " UTC"
	}
	end := all[0]
	end.NotAfter = a.ChainEnds
	a.Due = role == "issues" && end.NeedsRenewal(now)
	return a
}

// trustOf are the files of authorities on a host.
func trustOf(c *site.Site, h spec.Host, said hostSaid) []Trust {
	files := map[string]Trust{}
	wants := map[string][]byte{layout.HAProxyCA: c.Credentials().PatroniCA}
	for _, of := range certs.OfHost(c.Spec, h) {
		files[of.CA] = Trust{Component: of.Component, Authority: of.Authority}
		wants[of.CA] = c.Credentials().Beside(of.Certificate)
	}
	if h.Has(spec.RoleBalancer) {
		files[layout.HAProxyCA] = Trust{Component: "haproxy", Authority: layout.PatroniAuthority}
	}
	var list []Trust
	for _, path := range slices.Sorted(maps.Keys(files)) {
		t := files[path]
		want := fingerprints(wants[path])
		t.Host, t.File, t.Authority = h.Name, path, name(t.Authority)
		t.SHA256 = fingerprints([]byte(said.files[path]))
		switch {
		case said.err != nil:
			t.Problem = "the host cannot be asked: " + said.err.Error()
		case len(t.SHA256) == 0:
			t.Problem = "holds no authority"
		case !slices.Equal(t.SHA256, want):
			t.Problem = "trusts others than the state directory says"
		}
		list = append(list, t)
	}
	return list
}

// fingerprints are those of the certificates of a bundle, sorted.
func fingerprints(bundle []byte) []string {
	list := []string{}
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if info, err := pki.Inspect(pem.EncodeToMemory(block)); err == nil {
			list = append(list, info.SHA256)
		}
	}
	slices.Sort(list)
	return list
}
