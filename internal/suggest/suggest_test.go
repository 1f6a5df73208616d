package suggest

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	members := []string{"postgresql-01", "postgresql-02", "pg"}
	for word, want := range map[string]string{
		"postgresql-1":  "postgresql-01",
		"Postgresql-02": "postgresql-02",
		"psotgresql-02": "postgresql-02",
		"gp":            "pg",
		"mysql":         "",
		"":              "",
	} {
		if got := Nearest(word, members); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
