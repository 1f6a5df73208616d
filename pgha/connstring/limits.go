package connstring

import "strconv"

// A server that is gone without a word is asked after keepIdle seconds of silence, keepCount times
// keepInterval apart; what was sent to it has to be acknowledged within silent. Connecting to each
// host takes connect at most.
const (
	connect      = 5
	keepIdle     = 10
	keepInterval = 5
	keepCount    = 3
	silent       = keepIdle + keepCount*keepInterval
)

// libpqLimits are libpq's words for them (tcp_user_timeout since version 12). pgx and lib/pq would
// hand all but the first to the server as settings, which refuses them.
func libpqLimits() [][2]string {
	return [][2]string{
		{"connect_timeout", strconv.Itoa(connect)},
		{"keepalives_idle", strconv.Itoa(keepIdle)},
		{"keepalives_interval", strconv.Itoa(keepInterval)},
		{"keepalives_count", strconv.Itoa(keepCount)},
		{"tcp_user_timeout", strconv.Itoa(silent * 1000)},
	}
}

// Limits are the seconds after which a client gives a server up that is gone without a word, as a
// balancer is that has lost its power.
type Limits struct {
	// Connect bounds the connection to each host.
	Connect int `json:"connect_seconds"`
	// Waiting bounds a statement that waits for its answer; 0: nothing bounds it.
	Waiting int `json:"waiting_seconds"`
	// Slow: the driver does not tell a server that is gone from one that is slow, and ends a
	// statement that takes as long, too.
	Slow bool `json:"slow_statements_too"`
}
