package pgha

import (
	"os/exec"
	"strings"
	"testing"
)

// TestWhatIsNotCompiled: who imports a small package does not compile the big ones.
func TestWhatIsNotCompiled(t *testing.T) {
	t.Parallel()
	const grpc, client = "google.golang.org/grpc", "go.etcd.io/etcd/client"
	for name, without := range map[string][]string{
		"pki": {grpc, client}, "vip": {grpc, client}, "lb": {grpc, client},
		"patroni": {grpc, client}, "remote": {grpc, client},
		"doctor": {grpc, client}, "incident": {grpc, client},
	} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./"+name).Output()
		if err != nil || !strings.Contains(string(out), "github.com/pgha/toolkit/pgha/"+name+"\n") {
			t.Fatalf("go list -deps ./%s: %v\n%s", name, err, out)
		}
		for dep := range strings.Lines(string(out)) {
			for _, w := range without {
				if strings.HasPrefix(dep, w) {
					t.Errorf("package %s compiles %s", name, strings.TrimSpace(dep))
				}
			}
		}
	}
}
