package change

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Scopes finds Patroni's clusters among the keys of an etcd: each has a key
// "<namespace>/<scope>/initialize", whose value names its data, and one below "members/" for every
// member that lives.
func Scopes(values map[string]string) []Scope {
	var all []Scope
	for _, key := range slices.Sorted(maps.Keys(values)) {
		prefix, ok := strings.CutSuffix(key, "/initialize")
		if !ok {
			continue
		}
		i := strings.LastIndexByte(prefix, '/')
		s := Scope{Namespace: slashed(prefix[:max(0, i)]), Name: prefix[i+1:],
			SystemIdentifier: values[key]}
		for _, member := range slices.Sorted(maps.Keys(values)) {
			if name, ok := strings.CutPrefix(member, prefix+"/members/"); ok {
				s.Members = append(s.Members, readMember(name, values[member]))
			}
		}
		all = append(all, s)
	}
	return all
}

func readMember(name, value string) ScopeMember {
	var urls struct {
		PostgreSQL string `json:"conn_url"`
		REST       string `json:"api_url"`
	}
	_ = json.Unmarshal([]byte(value), &urls) // a member without addresses is one, too
	return ScopeMember{Name: name, PostgreSQL: addressOf(urls.PostgreSQL),
		REST: addressOf(urls.REST)}
}

// addressOf is the "host:port" of a URL.
func addressOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}
