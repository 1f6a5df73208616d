package remote

import (
	"strings"
	"testing"
)

// FuzzBatch takes the answers to several questions apart, whatever they are.
func FuzzBatch(f *testing.F) {
	f.Add("one\n", "two", "\n")
	f.Add("", "\npgha-X 0\n", "pgha-MARK 0")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		const mark = "pgha-MARK"
		answers := []string{a, b, c}
		if strings.Contains(strings.Join(answers, "\n"), "\n"+mark+" ") {
			return // the mark is random
		}
		var out strings.Builder
		for _, answer := range answers {
			out.WriteString(answer + "\n" + mark + " 7\n")
		}
		results, err := splitBatch("host", []byte(out.String()), mark, 3)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if string(r.Stdout) != answers[i] || r.ExitCode != 7 {
				t.Errorf("answer %d is %q, exit status %d; want %q", i, r.Stdout, r.ExitCode,
					answers[i])
			}
		}
		_, _ = splitBatch("host", []byte(a+b+c), mark, 3)
	})
}

// FuzzObservation reads what stat, sha256sum, systemctl and dpkg-query print, or anything else.
func FuzzObservation(f *testing.F) {
	f.Add("regular file\t644\troot\troot\t1800000000.5\t/a b\x00", "e3b0  /a b\x00",
		"Id=x.service\nNames=x.service y.service\nActiveState=active\n\n", "pg\tinstalled\t1-1\n",
		"12.5 3")
	f.Add("\t\t\t\t\t\x00", "  \x00", "\n\n=\n", "\t\t\n", "x")
	f.Fuzz(func(t *testing.T, stats, sums, units, packages, clock string) {
		o := &observation{
			files: map[string]fileState{}, units: map[string]unitState{},
			packages: map[string]packageState{},
		}
		o.readFiles(stats, sums)
		o.readUnits(units)
		o.readPackages(packages)
		o.epoch = seconds(clock)
		for name, file := range o.files {
			if strings.Contains(name, "\x00") {
				t.Errorf("file %q", name)
			}
			_ = o.newer([]string{name}, file.changed)
		}
	})
}
