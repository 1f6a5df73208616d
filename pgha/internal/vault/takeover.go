package vault

import (
	"path/filepath"

	"github.com/pgha/toolkit/pgha/layout"
)

// While a cluster whose state directory was lost is taken over, ca/former-<authority>.pem holds the
// authorities that its hosts trusted before. Their keys are gone. The files are removed once no
// host trusts them any more.
func formerFile(authority string) string { return filepath.Join("ca", "former-"+authority+".pem") }

// Authorities are the names of all authorities of a cluster.
func Authorities() []string {
	return []string{layout.EtcdAuthority, layout.PatroniAuthority, layout.PostgresAuthority}
}

// Former returns the authorities that hosts trusted before the cluster was taken over, and whether
// they are kept here: until a takeover is finished.
func (s *State) Former(authority string) (bundle []byte, there bool) {
	return s.File(formerFile(authority))
}

// KeepFormer drafts the authorities that hosts trust until the cluster is taken over.
func (s *State) KeepFormer(authority string, bundle []byte) error {
	return s.Keep(formerFile(authority), bundle)
}

// ForgetFormer ends a takeover.
func (s *State) ForgetFormer() error {
	for _, authority := range Authorities() {
		if err := s.Remove(formerFile(authority)); err != nil {
			return err
		}
	}
	return nil
}

// TakingOver tells whether a takeover was begun and is not finished.
func (s *State) TakingOver() bool {
	for _, authority := range Authorities() {
		if _, there := s.Former(authority); there {
			return true
		}
	}
	return false
}
