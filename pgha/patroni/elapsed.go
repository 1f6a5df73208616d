package patroni

import (
	"encoding/json"
	"fmt"
	"time"
)

// Elapsed is a time.Duration that is a number of seconds in JSON.
type Elapsed time.Duration

// since returns the time that has passed since start.
func since(start time.Time) Elapsed { return Elapsed(time.Since(start)) }

// Duration returns it as what it is.
func (e Elapsed) Duration() time.Duration { return time.Duration(e) }

// String says it in seconds, with one decimal.
func (e Elapsed) String() string { return fmt.Sprintf("%.1fs", e.Duration().Seconds()) }

// MarshalJSON writes seconds, to the millisecond.
func (e Elapsed) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(e.Duration().Milliseconds()) / 1000)
}

// UnmarshalJSON reads seconds.
func (e *Elapsed) UnmarshalJSON(text []byte) error {
	var seconds float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return fmt.Errorf("read seconds: %w", err)
	}
	*e = Elapsed(seconds * float64(time.Second))
	return nil
}
