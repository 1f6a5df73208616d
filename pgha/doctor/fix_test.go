package doctor

import "testing"

func TestFixable(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		steps []Step
		want  bool
	}{
		{"nothing", nil, false},
		{"a command of a host", on("a", "systemctl start etcd"), true},
		{"apply", apply(), true},
		{"both", append(on("a", "true"), apply()...), true},
		{"a verb with a member", []Step{{Command: "pgha-cli restart postgresql-01"}}, true},
		{"something else here", []Step{{Command: "pgha-cli restartall"}}, false},
		{"one of several", append(apply(), Step{Command: "call somebody"}), false},
	} {
		if got := fixable(tc.steps); got != tc.want {
			t.Errorf("%s: fixable is %v", tc.name, got)
		}
	}
}
