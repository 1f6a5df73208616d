package trial

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/pgsetting"
)

// Server is a PostgreSQL as it is to run.
type Server struct {
	// Version is the major version, 14 or later.
	Version int
	// DataDir is its data directory. Of what is there only the files that Patroni does not write
	// take part: postgresql.base.conf and postgresql.auto.conf.
	DataDir string
	// Settings by their names in lower case.
	Settings map[string]string
	// Removed are settings that must have no value any more.
	Removed []string
	// Rules are the lines of pg_hba.conf, Ident those of pg_ident.conf.
	Rules, Ident []string
	// New is set before the first start, when the host has no certificates yet: they are not
	// loaded.
	New bool
}

// Programs is the directory of a major version's programs, as Debian's packages have it.
func Programs(version int) string { return fmt.Sprintf("/usr/lib/postgresql/%d/bin", version) }

// libraries is the directory of its loadable modules.
func libraries(version int) string { return fmt.Sprintf("/usr/lib/postgresql/%d/lib", version) }

// Changed names the settings that the present server has otherwise, or has and must not have, in
// order. Two forms of one value are the same.
func (s Server) Changed(present Present) []string {
	catalogue := pgsetting.Of(s.Version)
	var changed []string
	for name, value := range s.Settings {
		if now, set := present.Settings[name]; !set || !catalogue[name].Same(now, value) {
			changed = append(changed, name)
		}
	}
	for _, name := range s.Removed {
		if _, set := present.Settings[name]; set {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed
}

// Differs reports whether the present server has another setting or rule, so that a trial would
// tell something that its start has not told.
func (s Server) Differs(present Present) bool {
	return len(s.Changed(present)) > 0 || !slices.Equal(s.Rules, present.Rules) ||
		!slices.Equal(s.Ident, present.Ident)
}

// Over returns the server with the present settings below its own: what somebody has set by other
// ways stays, and counts where settings have to go together.
func (s Server) Over(present Present) Server {
	all := maps.Clone(present.Settings)
	if all == nil {
		all = map[string]string{}
	}
	for _, name := range s.Removed {
		delete(all, name)
	}
	maps.Copy(all, s.Settings)
	maps.DeleteFunc(all, func(name, _ string) bool { return slices.Contains(byPatroni, name) })
	s.Settings = all
	return s
}

// byPatroni are settings that Patroni gives each member by itself, and that a trial has its own of.
var byPatroni = []string{
	"cluster_name", "config_file", "data_directory", "hba_file", "hot_standby", "ident_file",
	"listen_addresses", "port", "primary_conninfo", "primary_slot_name", "promote_trigger_file",
	"recovery_target", "recovery_target_action", "recovery_target_inclusive", "recovery_target_lsn",
	"recovery_target_name", "recovery_target_time", "recovery_target_timeline",
	"recovery_target_xid",
	"unix_socket_directories",
}

// inData are settings with a file or directory that is meant from the data directory.
var inData = []string{"ssl_ca_file", "ssl_crl_file", "ssl_crl_dir", "ssl_dh_params_file",
	"ssl_cert_file", "ssl_key_file"}

// names are the settings in the order in which they stand in the trial's file, a line each, behind
// the first.
func (s Server) names() []string { return slices.Sorted(maps.Keys(s.Settings)) }

// file is the text of postgresql.conf.
func (s Server) file() string {
	var b strings.Builder
	fmt.Fprintf(&b, "include_if_exists %s\n", quote(path.Join(s.DataDir, "postgresql.base.conf")))
	for _, name := range s.names() {
		value := s.Settings[name]
		if slices.Contains(inData, name) && value != "" && !path.IsAbs(value) {
			value = path.Join(s.DataDir, value)
		}
		fmt.Fprintf(&b, "%s = %s\n", name, quote(value))
	}
	if s.New {
		b.WriteString("ssl = off\n")
	}
	return b.String()
}

func quote(value string) string {
	return `'` + strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(value) + `'`
}

// rules is the text of pg_hba.conf. Files that rules name are meant from the data directory.
func (s Server) rules() string {
	var b strings.Builder
	for _, rule := range s.Rules {
		if words := strings.Fields(rule); strings.Contains(rule, " @") {
			for i, w := range words {
				if name, ok := strings.CutPrefix(w, "@"); ok && name != "" && !path.IsAbs(name) {
					words[i] = "@" + path.Join(s.DataDir, name)
				}
			}
			rule = strings.Join(words, " ")
		}
		b.WriteString(rule + "\n")
	}
	return b.String()
}
