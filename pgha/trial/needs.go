package trial

import (
	"path"
	"slices"
	"strings"

	"github.com/pgha/toolkit/internal/pgsetting"
)

// need is a path that a setting names and that no start looks for.
type need struct {
	setting string
	// kind is r for a file or directory that is read, x for a program, w for a directory that is
	// written and made where it is missing.
	kind, path string
	// effect says what comes of it when it is missing.
	effect string
}

// sessionLibraries are settings that name libraries which are loaded later than at the start.
var sessionLibraries = map[string]string{
	"session_preload_libraries": "nobody could log in",
	"local_preload_libraries":   "nobody could log in",
	"archive_library":           "no WAL would be archived, and it would fill the disk",
	"jit_provider":              "nothing would be compiled",
}

// programs are settings that hold a command.
var programs = map[string]string{
	"archive_command":         "no WAL would be archived, and it would fill the disk",
	"restore_command":         "nothing would be restored from the archive",
	"archive_cleanup_command": "nothing would be cleaned up in the archive",
	"recovery_end_command":    "it would do nothing at the end of a recovery",
	"ssl_passphrase_command":  "PostgreSQL could not read a key that has a passphrase",
}

// needs are the paths that the settings name.
func (s Server) needs() []need {
	var found []need
	add := func(setting, kind, path, effect string) {
		if path != "" && !strings.ContainsAny(path, "\n") {
			found = append(found, need{setting, kind, path, effect})
		}
	}
	for _, name := range s.names() {
		value := s.Settings[name]
		if effect, ok := sessionLibraries[name]; ok && s.Settings["dynamic_library_path"] == "" {
			for library := range strings.SplitSeq(value, ",") {
				add(name, "r", s.library(name, strings.Trim(library, ` "`)), effect)
			}
		}
		if effect, ok := programs[name]; ok {
			add(name, "x", program(value), effect)
		}
	}
	add("krb_server_keyfile", "r", s.keyFile(), "no login by GSSAPI would work")
	if dir := s.Settings["ssl_crl_dir"]; dir != "" {
		add("ssl_crl_dir", "r", s.inDataDir(dir), "no revoked certificate would be refused")
	}
	add("log_directory", "w", s.logDirectory(), "PostgreSQL would not start")
	return append(found, s.newCertificates()...)
}

// library is the file of a library; "" for none.
func (s Server) library(setting, name string) string {
	dir := libraries(s.Version)
	switch {
	case name == "":
		return ""
	case strings.HasPrefix(name, "$libdir/"):
		name = path.Join(dir, strings.TrimPrefix(name, "$libdir/"))
	case strings.Contains(name, "/"):
	case setting == "local_preload_libraries":
		name = path.Join(dir, "plugins", name)
	default:
		name = path.Join(dir, name)
	}
	return strings.TrimSuffix(name, ".so") + ".so"
}

// program is the first word of a command if that is a path; "" else.
func program(command string) string {
	words := strings.Fields(command)
	if len(words) == 0 || !path.IsAbs(words[0]) ||
		strings.ContainsAny(words[0], `'"$;&|<>*?()`+"`") {
		return ""
	}
	return strings.ReplaceAll(words[0], "%%", "%")
}

func (s Server) inDataDir(file string) string {
	if path.IsAbs(file) {
		return file
	}
	return path.Join(s.DataDir, file)
}

func (s Server) keyFile() string {
	file := strings.TrimPrefix(s.Settings["krb_server_keyfile"], "FILE:")
	if file == "" || strings.Contains(file, ":") {
		return ""
	}
	return s.inDataDir(file)
}

// logDirectory is where a collector writes; one in the data directory is made there.
func (s Server) logDirectory() string {
	on, err := pgsetting.Of(s.Version)["logging_collector"].Normal(s.Settings["logging_collector"])
	if dir := s.Settings["log_directory"]; err == nil && on == "true" && path.IsAbs(dir) {
		return path.Clean(dir)
	}
	return ""
}

// newCertificates are the files that a start with certificates would load.
func (s Server) newCertificates() []need {
	var found []need
	for _, name := range []string{"ssl_ca_file", "ssl_crl_file", "ssl_dh_params_file"} {
		if file := s.Settings[name]; s.New && path.IsAbs(file) {
			found = append(found, need{name, "r", file, "PostgreSQL would not start"})
		}
	}
	return slices.Clip(found)
}
