package patroni

import (
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs a test beside others, on a clock of its own that begins now and moves only when everybody waits: limits
// pass in no time, and none before what it limits has had its turn, however slow the machine is. Whoever is in a bubble
// is reached in memory, as waiting for a socket would hold the clock.
func bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	t.Parallel()
	now := time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(now)) // certificates are of today
		test(t)
	})
}
