package trial

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed try.sh
var tryScript string

// Command is what a host is to run as user postgres, with Input on its standard input; Read reads
// what it prints. It takes a third of a second, leaves nothing behind, and touches no server that
// runs. Where the host has no PostgreSQL of the version it prints nothing.
func Command(s Server) []string {
	return []string{"sh", "-c", tryScript, "try", Programs(s.Version), s.DataDir,
		fmt.Sprint(s.Version)}
}

// Input is what Command reads: the files of the server as it should be, those of the present one,
// with which it is compared where it fails, and the paths that its settings name. It may hold
// secrets that settings have in them.
func Input(s Server, present Present) string {
	var b strings.Builder
	write := func(name string, s Server) {
		fmt.Fprintf(&b, "== %s.conf\n%s== %s.hba\n%s== %s.ident\n", name, s.file(), name,
			s.rules(), name)
		for _, line := range s.Ident {
			b.WriteString(line + "\n")
		}
	}
	write("wanted", s)
	if present.Made {
		now := Server{Version: s.Version, DataDir: s.DataDir, Rules: present.Rules,
			Ident: present.Ident}
		write("present", now.Over(present))
	}
	b.WriteString("== paths\n")
	for _, n := range s.needs() {
		b.WriteString(n.kind + " " + n.path + "\n")
	}
	return b.String()
}
