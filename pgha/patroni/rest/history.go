package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// HistoryEntry is one change of timeline: the end of one and the beginning of the next.
type HistoryEntry struct {
	// Timeline is the one that ended, at LSN.
	Timeline int64 `json:"timeline"`
	LSN      LSN   `json:"lsn"`
	// Reason is PostgreSQL's.
	Reason string `json:"reason"`
	// At is when the next timeline began; zero when Patroni does not know.
	At time.Time `json:"at"`
	// Leader is the member that was promoted; "" when Patroni does not know.
	Leader string `json:"leader"`
}

// History returns the cluster's changes of timeline, the oldest first. A new cluster has none.
// Changes nothing. Errors match ErrUnavailable.
func (c *Client) History(ctx context.Context) ([]HistoryEntry, error) {
	history, err := Any(ctx, c, func(ctx context.Context, m Member) ([]HistoryEntry, error) {
		body, err := c.call(ctx, m, http.MethodGet, "/history", nil)
		if err != nil {
			return nil, err
		}
		return parseHistory(body)
	})
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return history, nil
}

// parseHistory reads a list of lists; the last two items of each are missing when the DCS was wiped
// in between.
func parseHistory(body []byte) ([]HistoryEntry, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var lines [][]any
	if err := dec.Decode(&lines); err != nil {
		return nil, fmt.Errorf("parse Patroni's answer: %w", err)
	}
	history := make([]HistoryEntry, 0, len(lines))
	for _, line := range lines {
		named := object{}
		for i, value := range line {
			if i < 5 {
				named[[5]string{"timeline", "lsn", "reason", "at", "leader"}[i]] = value
			}
		}
		history = append(history, HistoryEntry{
			Timeline: named.integer("timeline"), LSN: named.position("lsn"),
			Reason: named.text("reason"),
			At:     ParseTime(named.text("at")), Leader: named.text("leader"),
		})
	}
	return history, nil
}
