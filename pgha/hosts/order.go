package hosts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/spec"
)

// order is what is to become of hosts: all that a later run needs to go on.
type order struct {
	// Remove and Add have the hosts as the specification has them: another operator's may lack
	// them by now, or not have them yet.
	Remove []spec.Host `json:"remove,omitempty"`
	Add    []spec.Host `json:"add,omitempty"`
	// Renew has hosts whose machine is another, empty one with the same name and address: what is
	// new of them is the key of their sshd.
	Renew []spec.Host `json:"renew,omitempty"`
	// AddFirst: the new hosts are in before the others go.
	AddFirst bool `json:"add_first,omitempty"`
	// Dead are the names of those of Remove that nobody reached when the change began: what was
	// taken away from them does not come back.
	Dead []string `json:"dead,omitempty"`
	// Clean: the data of removed databases is deleted.
	Clean bool `json:"clean,omitempty"`
	// Force: work that a switchover cuts short is no reason to wait.
	Force bool `json:"force,omitempty"`
}

// inverse is the order that takes this one back. What it added goes with its data, which is a copy.
func (o order) inverse() order {
	return order{Remove: o.Add, Add: o.Remove, AddFirst: true, Clean: len(o.Add) > 0,
		Force: o.Force}
}

// subject names the hosts: "postgres-02", "postgres-02 by postgres-04".
func (o order) subject() string {
	gone, come := names(o.Remove), names(o.Add)
	switch {
	case len(o.Renew) > 0:
		return names(o.Renew)
	case gone == "":
		return come
	case come == "":
		return gone
	}
	return gone + " by " + come
}

func (o order) text() json.RawMessage {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // it has no type that cannot be written
	}
	return text
}

// specifications are the texts and specifications of a change.
type specifications struct {
	file string
	// now is the file's text as it is, after is what it becomes.
	now, after []byte
	// from is the cluster before the change, to after it, and all has the hosts of both.
	from, to, all *spec.Spec
}

// specify makes the specifications of an order. The text is that of file, or the site's own
// specification; it may be that of before or after the change. What would be no valid specification
// is an error that says so.
func (o order) specify(ctx context.Context, c *site.Site, file string) (specifications, error) {
	s := specifications{file: file}
	var err error
	if file != "" {
		if s.now, err = os.ReadFile(file); err != nil {
			return s, fmt.Errorf("read spec: %w", err)
		}
	} else if s.now, err = c.Spec.Marshal(); err != nil {
		return s, err
	}
	var before []byte
	if before, err = editHosts(s.now, o.Add, o.Remove); err == nil {
		s.after, err = o.edit(s.now)
	}
	if err != nil {
		return s, errs.WithNext(err, errs.Text("write the hosts below each other, a dash each: "+
			"- {name: ..., address: ..., role: ...}"))
	}
	if s.from, err = resolved(ctx, c, file, before); err != nil {
		return s, fmt.Errorf("before the change: %w", err)
	}
	if s.to, err = resolved(ctx, c, file, s.after); err != nil {
		return s, fmt.Errorf("after the change: %w", err)
	}
	if s.all = union(s.from, s.to); len(o.Renew) > 0 {
		s.from, s.all = s.to, s.to // of those that only get another key there is nothing of before
	}
	return s, nil
}

// edit returns the text of a specification as it is after the change.
func (o order) edit(text []byte) ([]byte, error) {
	text, err := editHosts(text, o.Remove, o.Add)
	if err != nil {
		return nil, err
	}
	for _, h := range o.Renew {
		sp, err := spec.Parse("specification", text)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(sp.Hosts, func(other spec.Host) bool { return other.Name == h.Name })
		if i < 0 || sp.Hosts[i].SSH.HostKey == h.SSH.HostKey {
			continue
		}
		text, err = spec.Edit(text, []spec.Change{{Value: h.SSH.HostKey,
			Path: []string{"hosts", strconv.Itoa(i), "ssh", "host_key"}}})
		if err != nil {
			return nil, err
		}
	}
	return text, nil
}

// editHosts takes hosts out of a text and puts others in. A balancer that comes back has the
// priority that it had; where another one has moved up to it meanwhile, it gets the next one that
// is free.
func editHosts(text []byte, gone, come []spec.Host) ([]byte, error) {
	edited, err := spec.EditHosts(text, site.HostNames(gone), come)
	if err != nil {
		return nil, err
	}
	if _, err := spec.Parse("specification", edited); err == nil {
		return edited, nil
	}
	come = slices.Clone(come)
	for i := range come {
		come[i].Priority = 0
	}
	again, err := spec.EditHosts(text, site.HostNames(gone), come)
	if err != nil {
		return nil, err
	}
	if _, err := spec.Parse("specification", again); err != nil {
		return edited, nil //nolint:nilerr // who reads it says what is wrong
	}
	return again, nil
}

// resolved reads a text.
func resolved(ctx context.Context, c *site.Site, file string, text []byte) (*spec.Spec, error) {
	name := file
	if name == "" {
		name = "specification"
	}
	sp, err := spec.Parse(name, text)
	if err != nil {
		return nil, err
	}
	if file == "" {
		sp.StateDir = c.Spec.StateDir
	}
	found, err := sp.Resolve(ctx, c.Lookup)
	// A host whose name has no address is one that cannot be reached.
	if unknown := (*spec.LookupError)(nil); found != nil && errors.As(err, &unknown) {
		err = nil
	}
	return found, err
}

// union is a specification with the hosts of both. Of balancers no two have one priority.
func union(from, to *spec.Spec) *spec.Spec {
	all := *from
	all.Hosts = slices.Clone(from.Hosts)
	for i, h := range all.Hosts {
		all.Hosts[i] = bothRoles(from, to, h)
	}
	taken := map[int]bool{}
	for _, h := range from.Hosts {
		taken[h.Priority] = true
	}
	for _, h := range to.Hosts {
		if site.Among(from.Hosts, h.Name) {
			continue
		}
		h = bothRoles(from, to, h)
		for to.Runs(h, spec.RoleBalancer) && taken[h.Priority] && h.Priority > 1 {
			h.Priority--
		}
		taken[h.Priority] = true
		all.Hosts = append(all.Hosts, h)
	}
	return &all
}

// bothRoles is a host with etcd named among its roles, where it runs etcd in either specification
// and one of them says which hosts do.
func bothRoles(from, to *spec.Spec, h spec.Host) spec.Host {
	names := func(sp *spec.Spec) bool {
		return slices.ContainsFunc(sp.Hosts, func(h spec.Host) bool { return h.Has(spec.RoleEtcd) })
	}
	if !names(from) && !names(to) {
		return h
	}
	runs := func(sp *spec.Spec) bool { return site.Among(sp.EtcdHosts(), h.Name) }
	if runs(from) || runs(to) {
		return h.With(spec.RoleEtcd)
	}
	return h
}

// lacking is a specification without hosts.
func lacking(sp *spec.Spec, hosts []spec.Host) *spec.Spec {
	less := *sp
	less.Hosts = site.Without(sp.Hosts, hosts)
	return &less
}
