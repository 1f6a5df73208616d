package patroni

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestALoginThatFailsIsPutBack: the member gets its old file again, and no other is touched.
func TestALoginThatFailsIsPutBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		o.Wait = 5 * time.Second
		newFakePatroni(t, o)
		running(o)
		host := o.Members[1].Target.Executor.(*fakeHost)
		host.files = map[string]string{ConfigPath: "the old one"}
		refused := errors.New("line 9 of pg_hba.conf refuses everybody")
		var tried []string
		o.TryLogins = func(_ context.Context, m Member) error {
			tried = append(tried, m.Name)
			return refused
		}
		err := Bootstrap(t.Context(), o)
		if !errors.Is(err, ErrPutBack) || !errors.Is(err, refused) {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff([]string{second}, tried); diff != "" {
			t.Error(diff)
		}
		if got := host.files[ConfigPath]; got != "the old one" {
			t.Errorf("its config.yml is %.80q", got)
		}
		for _, i := range []int{0, 2} {
			if done := o.Members[i].Target.Executor.(*fakeHost).done; len(done) > 0 {
				t.Errorf("%s was touched:\n%s", o.Members[i].Name, strings.Join(done, "\n"))
			}
		}
	})
}

func TestLoginsAreTriedOnEveryMember(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := fullOptions(t)
		o.Wait = 5 * time.Second
		newFakePatroni(t, o)
		running(o)
		var tried []string
		o.TryLogins = func(_ context.Context, m Member) error {
			tried = append(tried, m.Name)
			return nil
		}
		if err := Bootstrap(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{second, third, first}, tried); diff != "" {
			t.Error(diff)
		}
	})
}
