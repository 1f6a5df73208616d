package probe

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Rows returns the sequence numbers of a run's rows that the table holds, in ascending order. It
// only reads. Ask the leader when the cluster is healthy again, or any member to see what that one
// has.
func Rows(ctx context.Context, conn *pgx.Conn, table pgx.Identifier, run string) ([]int64, error) {
	rows, err := conn.Query(ctx, "SELECT seq FROM "+table.Sanitize()+
		" WHERE run = $1 ORDER BY seq", run)
	if err != nil {
		return nil, fmt.Errorf("read rows of the probe: %w", err)
	}
	seqs, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("read rows of the probe: %w", err)
	}
	return seqs, nil
}

// Comparison holds what was acknowledged against what the table has. Its lists are in ascending
// order.
type Comparison struct {
	// Lost were acknowledged and are not there. A cluster that promises durability has none.
	Lost []int64 `json:"lost"`
	// Arrived and Vanished were of unknown fate: those are there, these are not. Both are allowed.
	Arrived  []int64 `json:"arrived"`
	Vanished []int64 `json:"vanished"`
	// Unexplained are there although they failed or were never tried: somebody else wrote them, or
	// an error was misread.
	Unexplained []int64 `json:"unexplained"`
}

// Compare compares the attempts with the sequence numbers that the table has, in any order.
func (r Result) Compare(present []int64) Comparison {
	c := Comparison{Lost: []int64{}, Arrived: []int64{}, Vanished: []int64{},
		Unexplained: []int64{}}
	rest := make(map[int64]bool, len(present))
	for _, seq := range present {
		rest[seq] = true
	}
	for _, a := range r.Attempts {
		there := rest[a.Seq]
		switch {
		case a.Outcome == Failed:
			continue // if it is there, it stays among the unexplained
		case a.Outcome == Acked && !there:
			c.Lost = append(c.Lost, a.Seq)
		case a.Outcome == Unknown && there:
			c.Arrived = append(c.Arrived, a.Seq)
		case a.Outcome == Unknown:
			c.Vanished = append(c.Vanished, a.Seq)
		}
		delete(rest, a.Seq)
	}
	c.Unexplained = slices.AppendSeq(c.Unexplained, maps.Keys(rest))
	slices.Sort(c.Unexplained)
	return c
}
