package pgsetting

import "testing"

func TestLogDestination(t *testing.T) {
	t.Parallel()
	for text, wrong := range map[string]bool{
		"stderr": false, "csvlog, Syslog": false, `"stderr"`: false, "": false, "nowhere": true,
		"stderr,eventlog": true,
	} {
		if problem, remedy := Of(18).Judge("log_destination", text); (problem != "") != wrong ||
			wrong && remedy == "" {
			t.Errorf("%q: %s; %s", text, problem, remedy)
		}
	}
}

// TestEnumsOfAnyCase: PostgreSQL does not tell them by case, and lists some with capitals.
func TestEnumsOfAnyCase(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"TLSv1.3", "tlsv1.3", "TLSV1.3"} {
		if problem, _ := Of(18).Judge("ssl_min_protocol_version", text); problem != "" {
			t.Errorf("%q: %s", text, problem)
		}
	}
}
