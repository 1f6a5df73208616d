package verify

import (
	"testing"

	"github.com/pgha/toolkit/pgha/internal/testkit"
)

// TestDeepProblems holds the result of a deep verification against the promise.
func TestDeepProblems(t *testing.T) {
	t.Parallel()
	sp := testkit.Spec(t)
	for _, c := range []struct {
		result DeepVerifyResult
		says   string
	}{
		{DeepVerifyResult{From: "m1", To: "m2", There: 4e9, Back: 2e9, Acknowledged: 100}, ""},
		{
			DeepVerifyResult{From: "m1", To: "m2", There: 4e9, Back: 6e9},
			"6.00s without writes while the leadership moved to m1, slo.switchover is 5s",
		},
		{DeepVerifyResult{Acknowledged: 100, Lost: 1}, "1 of 100 acknowledged rows are lost"},
		{DeepVerifyResult{Missing: map[string]int{"m3": 2}}, "m3 has not got 2"},
	} {
		testkit.CheckSays(t, reasonsMatching(ErrVerify, c.result.problems(sp)), c.says)
	}
}
