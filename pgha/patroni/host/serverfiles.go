package host

import (
	"fmt"
	"slices"
	"strings"
)

// ServerFiles is what the options put into the files of a member's PostgreSQL, in the end.
type ServerFiles struct {
	// Parameters are settings by their names in lower case, Removed those that are taken away.
	Parameters map[string]string
	Removed    []string
	// HBA and Ident are the lines of pg_hba.conf and pg_ident.conf.
	HBA, Ident []string
}

// ServerFiles returns what Patroni will write for the member: the dynamic configuration's settings,
// with those of its config.yml, Extra included, over them. What others have put into the DCS is not
// in it. Pure computation.
func (o Options) ServerFiles(m Member) (ServerFiles, error) {
	doc, err := document(o, m)
	if err != nil {
		return ServerFiles{}, fmt.Errorf("render config.yml of %s: %w", m.Name, err)
	}
	var file struct {
		PostgreSQL struct {
			Parameters map[string]any `yaml:"parameters"`
			HBA        []string       `yaml:"pg_hba"`
			Ident      []string       `yaml:"pg_ident"`
		} `yaml:"postgresql"`
	}
	if err := doc.Decode(&file); err != nil {
		return ServerFiles{}, fmt.Errorf("read config.yml of %s: %w", m.Name, err)
	}
	s := ServerFiles{Parameters: map[string]string{}, HBA: file.PostgreSQL.HBA,
		Ident: file.PostgreSQL.Ident}
	for _, part := range []map[string]any{o.WithDefaults().parameters(),
		file.PostgreSQL.Parameters} {
		for name, value := range part {
			name = strings.ToLower(name)
			if value == nil {
				s.Removed = append(s.Removed, name)
				continue
			}
			s.Parameters[name] = fmt.Sprint(value)
		}
	}
	slices.Sort(s.Removed)
	return s, nil
}
