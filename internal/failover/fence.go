package failover

import (
	"encoding/json"
	"math"
	"time"
)

// FencePath is the file in which a host remembers its fence, for as long as it is there.
const FencePath = "/var/lib/pgha-failover/fence"

// AsidePath is the file in which the host of a leader that is cut off remembers the balancers to
// which it lets nothing out, for as long as it does.
const AsidePath = "/var/lib/pgha-failover/aside"

// ReadAside returns the addresses that the file at AsidePath names.
func ReadAside(text []byte) []string {
	var kept struct{ Addresses []string }
	if json.Unmarshal(text, &kept) != nil {
		return nil
	}
	return kept.Addresses
}

// Fence is what a host remembers of its fence.
type Fence struct {
	// Leader is the member to whose host no packet goes out, Address that host's.
	Leader, Address string
	// At is when it was set, by the host's clock; a fence that a boot has put back counts again.
	At time.Time
	// Keep is after how long the host's timer removes it, whatever became of the agent.
	Keep time.Duration
}

// Ends is when the host's timer removes the fence at the latest, but for the seconds between two
// looks of the timer.
func (f Fence) Ends() time.Time { return f.At.Add(f.Keep) }

// ReadFence reads the file at FencePath; false where text is none.
func ReadFence(text []byte) (Fence, bool) {
	var kept struct {
		Leader, Address string
		At, Keep        float64
	}
	if json.Unmarshal(text, &kept) != nil || kept.Leader == "" {
		return Fence{}, false
	}
	seconds, part := math.Modf(kept.At)
	return Fence{Leader: kept.Leader, Address: kept.Address,
		At:   time.Unix(int64(seconds), int64(part*1e9)),
		Keep: time.Duration(kept.Keep * float64(time.Second))}, true
}
