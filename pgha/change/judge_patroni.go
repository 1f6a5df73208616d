package change

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/spec"
)

// patroni compares what Patroni reads when it starts. What etcd and the server say is what really
// runs; the file counts where they are silent, because it is what apply may rewrite.
func (j *judge) patroni() {
	if j.store != nil && len(j.store.Scopes) > 0 {
		j.scope()
	} else {
		j.same("cluster", j.Cluster, "the cluster's name is", func(_ spec.Host, h Host) string {
			switch {
			case h.Server != nil:
				return h.Server.Scope
			case h.Patroni != nil:
				return h.Patroni.Scope
			}
			return ""
		})
		j.same("patroni.namespace", slashed(j.Patroni.Namespace), "Patroni's keys are below",
			func(_ spec.Host, h Host) string {
				if h.Patroni == nil {
					return ""
				}
				return slashed(h.Patroni.Namespace)
			})
	}
	j.same("patroni.rest_port", number(j.Patroni.RESTPort), "Patroni answers on port",
		func(s spec.Host, h Host) string {
			if m, ok := j.scopeMember(s.Member); ok {
				return portOf(m.REST)
			}
			if h.Patroni == nil {
				return ""
			}
			return number(h.Patroni.RESTPort)
		})
}

// scope looks for the specification's cluster among those that etcd holds.
func (j *judge) scope() {
	names := make([]string, 0, len(j.store.Scopes))
	for _, s := range j.store.Scopes {
		if s.Name == j.Cluster && slashed(s.Namespace) == slashed(j.Patroni.Namespace) {
			j.secondScope(s)
			return
		}
		names = append(names, slashed(s.Namespace)+s.Name)
	}
	is := "etcd holds the cluster " + strings.Join(names, ", ")
	first := j.store.Scopes[0]
	if slashed(first.Namespace) != slashed(j.Patroni.Namespace) {
		j.differ("patroni.namespace", "patroni.namespace is "+j.Patroni.Namespace+", but "+is,
			first.Namespace)
	}
	if first.Name != j.Cluster {
		j.differ("cluster", "cluster is "+j.Cluster+", but "+is, first.Name)
	}
}

// secondScope reports members that live under another name beside own: a member that restarts may
// go to either.
func (j *judge) secondScope(own Scope) {
	for _, s := range j.store.Scopes {
		if s.Name == own.Name && s.Namespace == own.Namespace || len(s.Members) == 0 {
			continue
		}
		j.add(Refusal{Field: "patroni.namespace",
			Problem: fmt.Sprintf(
				"etcd holds a second cluster, %s%s, with the member %s, beside %s%s: each has a "+
					"primary of its own",
				slashed(s.Namespace), s.Name, memberNames(s), slashed(own.Namespace), own.Name),
			Way: "stop patroni.service on the hosts of those members; their data may hold writes " +
				"that the others lack, so keep it until you know"})
	}
}

func memberNames(s Scope) string {
	names := make([]string, len(s.Members))
	for i, m := range s.Members {
		names[i] = m.Name
	}
	return strings.Join(names, ", ")
}

// ownScope is the specification's cluster in etcd.
func (j *judge) ownScope() (Scope, bool) {
	return j.store.Own(j.Spec)
}

// Own is the specification's cluster among those in etcd; false where it has none, or where nobody
// asked it.
func (s *Store) Own(sp *spec.Spec) (Scope, bool) {
	if s == nil {
		return Scope{}, false
	}
	i := slices.IndexFunc(s.Scopes, func(s Scope) bool {
		return s.Name == sp.Cluster && slashed(s.Namespace) == slashed(sp.Patroni.Namespace)
	})
	if i < 0 {
		return Scope{}, false
	}
	return s.Scopes[i], true
}

// scopeMember is a member that lives, wherever its cluster's keys are.
func (j *judge) scopeMember(name string) (ScopeMember, bool) {
	if j.store == nil {
		return ScopeMember{}, false
	}
	for _, s := range j.store.Scopes {
		if i := slices.IndexFunc(s.Members, func(m ScopeMember) bool {
			return m.Name == name
		}); i >= 0 {
			return s.Members[i], true
		}
	}
	return ScopeMember{}, false
}

// slashed is a namespace as Patroni takes it: with one slash at either end.
func slashed(namespace string) string { return "/" + strings.Trim(namespace, "/") + "/" }

// portOf is the port of "host:port".
func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
