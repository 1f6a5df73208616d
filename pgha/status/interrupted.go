package status

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pgha/toolkit/pgha/internal/site"
	"github.com/pgha/toolkit/pgha/record"
)

// Interrupted is the last operation that hosts have recorded, of which nobody has said how it
// ended, although nobody is at it: its program was killed, or lost the hosts. The next operation,
// whatever it is, ends this.
type Interrupted struct {
	// Verb is what was done, Holder who did it, Since when it was begun.
	Verb   string    `json:"verb"`
	Holder string    `json:"holder"`
	Since  time.Time `json:"since"`
	// Leader is the member that was promoted since then, at LedSince; "" when none was.
	Leader   string    `json:"leader,omitempty"`
	LedSince time.Time `json:"led_since,omitzero"`
}

// String is one sentence, with times of the local zone.
func (i Interrupted) String() string {
	text := fmt.Sprintf("%s, begun by %s at %s, was not brought to its end; ", i.Verb, i.Holder,
		i.Since.Local().Format(time.DateTime))
	if i.Leader == "" {
		return text + "nobody was promoted since"
	}
	return text + fmt.Sprintf("%s was promoted at %s", i.Leader,
		i.LedSince.Local().Format(time.TimeOnly))
}

// quiet is how long ago an operation was begun at least that may be called interrupted: the lock of
// one that has just begun was asked for before its record was read.
const quiet = 5 * time.Second

// lastRecord reads the last line of a host's trail.
func lastRecord(text string) record.Operation {
	var r record.Operation
	if json.Unmarshal([]byte(text), &r) != nil {
		return record.Operation{} // there is none, or a power loss has cut it
	}
	return r
}

// interrupted finds the operation in what the hosts have recorded last, if nobody is at it.
func (s *Status) interrupted(said map[string]hostSaid) {
	var last record.Operation
	for _, answer := range said {
		r := answer.last
		if r.Time.After(last.Time) || r.ID == last.ID && r.Finished {
			last = r
		}
	}
	_, unknown := s.Errors[string(PartEtcd)]
	if last.ID == "" || last.Finished || s.Operation != nil || unknown ||
		last.Time.Add(quiet).After(s.Time) {
		return
	}
	s.Interrupted = &Interrupted{Verb: last.Verb, Holder: last.Holder, Since: last.Time}
}

// promoted adds who has led since. Where Patroni does not tell nobody is named.
func (i *Interrupted) promoted(ctx context.Context, c *site.Site) {
	history, err := History(ctx, c)
	if err != nil || len(history) == 0 {
		return
	}
	if last := history[len(history)-1]; last.At.After(i.Since) {
		i.Leader, i.LedSince = last.Leader, last.At
	}
}
