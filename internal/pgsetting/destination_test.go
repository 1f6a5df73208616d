package pgsetting

import "testing"

func TestLogDestination(t *testing.T) {
	t.Parallel()
	for text, wrong := range map[string]bool{"stderr": false, "csvlog, Syslog": false, `"stderr"`: false, "": false, "nowhere": true, "stderr,eventlog": true} {
		if problem, remedy := Of(18).Judge("log_destination", text); (problem != "") != wrong || wrong && remedy == "" {
			t.Errorf("%q: %s; %s", text, problem, remedy)
		}
	}
}
