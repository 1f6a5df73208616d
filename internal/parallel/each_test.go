package parallel

import (
	"errors"
	"fmt"
	"testing"
)

func TestEachRunsAllAtOnceAndKeepsTheOrder(t *testing.T) {
	t.Parallel()
	first := make(chan struct{})
	err := Each([]string{"a", "b", "c"}, func(i int, item string) error {
		if i == 0 {
			<-first // ends only after the last has begun
		}
		if i == 2 {
			close(first)
			return nil
		}
		return errors.New(fmt.Sprint(i, item))
	})
	if want := "2 errors:\n  - 0a\n  - 1b"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := Each(nil, func(int, string) error { return errors.New("called") }); err != nil {
		t.Error(err)
	}
}
