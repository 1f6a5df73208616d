package site

import (
	"testing"

	"github.com/pgha/toolkit/pgha/remote/ssh"
)

// FuzzJump reads the jump host of a specification.
func FuzzJump(f *testing.F) {
	f.Add("admin@bastion.example.com:2222")
	f.Add("@:")
	f.Add("[::1]:22")
	f.Fuzz(func(t *testing.T, jump string) {
		j := jumpConfig(jump, ssh.Config{
			User: "me", Address: "192.0.2.1", Port: 2222, Fingerprints: []string{"SHA256:x"},
		})
		if j.Jump != nil || len(j.Fingerprints) > 0 {
			t.Error("the jump host is taken for the host behind it")
		}
	})
}
