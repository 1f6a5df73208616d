package patroni

import (
	"fmt"

	"github.com/pgha/toolkit/pgha/errs"
)

// loss is how many bytes the candidate lacks of what is known to have been written; nil when it is
// not known. A synchronous standby has every transaction that was acknowledged.
func (s survey) loss(candidate MemberState) *int64 {
	none := int64(0)
	if s.rules.Synchronous && !s.rules.Quorum && candidate.Role == RoleSyncStandby {
		return &none
	}
	own := s.nodes[candidate.Name].Location
	if own == 0 {
		return nil
	}
	loss := int64(0)
	if s.rules.Quorum {
		// One of the quorum's standbys has everything. Which one is only known when all of them say
		// how far they are.
		for _, m := range s.state.Members {
			if m.Role == RoleQuorumStandby && s.nodes[m.Name].Location == 0 {
				return nil
			}
		}
		if candidate.Role != RoleQuorumStandby {
			return nil
		}
	}
	for _, node := range s.nodes {
		loss = max(loss, own.Behind(node.Location))
	}
	if s.rules.Quorum {
		return &loss
	}
	written, known := s.written(candidate)
	if !known {
		return nil
	}
	loss = max(loss, own.Behind(written))
	return &loss
}

// written is the leader's last position that the DCS knows of. Before Patroni 4.1 the DCS tells
// only how far the candidate was behind it at its own last report, so the figure errs on the safe
// side.
func (s survey) written(candidate MemberState) (LSN, bool) {
	newest, known := LSN(0), false
	for _, m := range s.state.Members {
		if m.LSN == 0 || m.LagBytes == nil || *m.LagBytes < 0 {
			continue
		}
		known = true
		if *m.LagBytes > 0 {
			newest = max(newest, m.LSN+LSN(*m.LagBytes)) //nolint:gosec // not negative
		}
	}
	if known {
		return newest, true
	}
	if m, ok := s.state.Member(candidate.Name); ok && m.LagBytes != nil && *m.LagBytes >= 0 {
		return s.nodes[m.Name].Location + LSN(*m.LagBytes), true //nolint:gosec // not negative
	}
	return 0, false
}

// checkLoss refuses a loss that nobody has accepted.
func (s survey) checkLoss(candidate MemberState, old string, fo FailoverOptions) error {
	loss := s.loss(candidate)
	asynchronous := s.rules.Synchronous && s.rank(candidate) > 0
	if fo.AcceptLoss || loss != nil && *loss <= fo.MaxLossBytes && !asynchronous {
		return nil
	}
	e := &LossError{Candidate: candidate.Name, Bytes: loss, Lost: true}
	if asynchronous {
		e.Why = "it is not a synchronous standby"
	}
	if better, err := s.successor(old, ""); err == nil && better.Name != candidate.Name {
		e.Lost, e.Better = false, better.Name
	}
	return e
}

// LossError says what a failover would lose. It matches ErrLossNotAccepted.
type LossError struct {
	// Candidate is the member that would lead.
	Candidate string
	// Bytes of WAL that are known to have been written and that it lacks; nil when nobody knows.
	Bytes *int64
	// Lost says that no other member that answers has more; otherwise Better is one that has.
	Lost   bool
	Better string
	// Why is a further reason, or "".
	Why string
}

// Error says it in one line.
func (e *LossError) Error() string {
	text := fmt.Sprintf("%s: %s on %s", ErrLossNotAccepted, lossText(e.Bytes), e.Candidate)
	if e.Why != "" {
		text += ": " + e.Why
	}
	return text
}

// Is makes the error match ErrLossNotAccepted.
func (e *LossError) Is(target error) bool { return target == ErrLossNotAccepted }

// Kind returns errs.Refused.
func (e *LossError) Kind() errs.Kind { return errs.Refused }

// Next says what there is to choose from.
func (e *LossError) Next() errs.Next {
	if e.Better != "" {
		return errs.Text("%s has more; name it instead, or accept the loss", e.Better)
	}
	return errs.Text("bring the old leader back if that is possible; otherwise accept the loss")
}

func lossText(bytes *int64) string {
	switch {
	case bytes == nil:
		return "an unknown amount of WAL may be lost"
	case *bytes == 0:
		return "no loss known"
	}
	return fmt.Sprintf("%d bytes of WAL would be lost", *bytes)
}
