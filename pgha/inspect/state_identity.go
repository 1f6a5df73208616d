package inspect

import (
	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/preflight"
)

// StateNotes are the notes among the facts.
func StateNotes(facts map[string]preflight.Facts) map[string][]byte {
	notes := map[string][]byte{}
	for host, f := range facts {
		notes[host] = f.StateNote
	}
	return notes
}

// JudgeState refuses (ErrRefused) to bring hosts in line with a state directory that is not theirs,
// or not any more: by what they remember of it, and by the databases that etcd knows. An etcd that
// was recreated is no reason: the members are brought to it if they are the right ones.
func JudgeState(c *site.Site, facts map[string]preflight.Facts) error {
	if err := c.JudgeState(StateNotes(facts)); err != nil || c.TakesOver {
		return err
	}
	id, err := c.State.Identity()
	if err != nil {
		return err
	}
	for _, h := range c.Spec.Hosts {
		if err := site.JudgeFound(c, id, facts[h.Name].Premises.Cluster, ""); err != nil {
			return err
		}
	}
	return nil
}
