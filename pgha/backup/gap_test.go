package backup

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgha/toolkit/internal/scripttest"
)

// TestGap: after a failover a segment that is missing has a backup made; without one, and without a
// failover, nothing is done.
func TestGap(t *testing.T) {
	t.Parallel()
	const hash = "-0123456789012345678901234567890123456789.zst"
	archive := func(names ...string) string {
		var files []string
		for _, n := range names {
			if !strings.HasSuffix(n, ".history") {
				n = n[:16] + "/" + n + hash
			}
			files = append(files, fmt.Sprintf(`"18-1/%s":{"type":"file","time":1}`, n))
		}
		return "{" + strings.Join(files, ",") + "}"
	}
	// Timeline 1 ended within its segment 5.
	const (
		last1 = "000000010000000000000003"
		next1 = "000000010000000000000004"
		end1  = "000000010000000000000005"
		own2  = "000000020000000000000005"
		last2 = "000000020000000000000006"
	)
	for name, c := range map[string]struct {
		max, files, want string
		taken            bool
		args             []string
	}{
		"no failover":   {next1, archive(last1, next1), "no failover since backup 20261130-092951F", false, nil},
		"always, whole": {next1, archive(last1, next1), "without a gap", false, []string{"always"}},
		"always, one was given up": {end1, archive(last1, end1),
			"segment 0000000000000004 of the log is missing", true, []string{"always"}},
		"whole": {last2, archive(last1, next1, own2, last2, "00000002.history"),
			"without a gap", false, nil},
		"whole, both timelines have the last": {last2,
			archive(last1, next1, end1, own2, last2, "00000002.history"), "without a gap", false, nil},
		"the former leader's last are missing": {last2, archive(last1, own2, last2, "00000002.history"),
			"segment 0000000000000004 of the log is missing", true, nil},
		"one of the new timeline is missing": {last2, archive(last1, next1, last2, "00000002.history"),
			"segment 0000000000000005 of the log is missing", true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := fmt.Sprintf(`[{"backup":[{"label":"20261130-092951F","database":{"id":1},`+
				`"archive":{"start":%[1]q,"stop":%[1]q}}],"archive":[{"database":{"id":1},"max":%[2]q}]}]`,
				last1, c.max)
			got := scripttest.Run{With: "python3", Script: string(gapProgram), Args: append([]string{"shop"}, c.args...),
				Fakes: map[string]string{"pgbackrest": `case "$*" in
*info) echo '` + info + `';;
*repo-ls*) echo '` + c.files + `';;
*repo-get*history) printf '1\t0/5000120\tno recovery target specified\n';;
esac`}}.Do(t)
			taken := strings.Contains(strings.Join(got.Calls, "\n"), "--type=incr backup")
			if got.Code != 0 || !strings.Contains(got.Stdout, c.want) || taken != c.taken {
				t.Errorf("taken %v: %+v", taken, got)
			}
		})
	}
}
