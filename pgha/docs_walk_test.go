package pgha_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// place is a section of a document, "../docs/doctor.md#balancers"; "" after the # is its beginning.
type place struct{ file, anchor string }

var heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)

// anchorOf is what the usual renderers of Markdown call a heading.
func anchorOf(title string) string {
	title = strings.ToLower(strings.ReplaceAll(title, "`", ""))
	return strings.ReplaceAll(regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(title, ""),
		" ", "-")
}

// sections are the texts of a document by their anchors. A section has those below it, too.
func sections(text string) map[string]string {
	all := map[string]string{"": text}
	found := heading.FindAllStringSubmatchIndex(text, -1)
	level := func(i int) int { return strings.IndexByte(text[found[i][0]:], ' ') }
	for i := range found {
		end := len(text)
		for j := i + 1; j < len(found); j++ {
			if level(j) <= level(i) {
				end = found[j][0]
				break
			}
		}
		all[anchorOf(text[found[i][2]:found[i][3]])] = text[found[i][0]:end]
	}
	return all
}

// linksOf are the places of documents that a text leads to.
func linksOf(document, text string) []place {
	var list []place
	for _, m := range linkPattern.FindAllStringSubmatch(text, -1) {
		target, anchor, _ := strings.Cut(m[1], "#")
		if strings.Contains(target, "://") || target != "" && !strings.HasSuffix(target, ".md") {
			continue
		}
		file := document
		if target != "" {
			file = filepath.Join(filepath.Dir(document), target)
		}
		list = append(list, place{file, anchor})
	}
	return list
}

// TestAnchorsAreThere: a link to a section finds it.
func TestAnchorsAreThere(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, document := range documents(t) {
		for _, to := range linksOf(document, read(t, document)) {
			if to.anchor == "" {
				continue
			}
			seen++
			if _, ok := sections(read(t, to.file))[to.anchor]; !ok {
				t.Errorf("%s leads to %s#%s, and there is no such heading", document, to.file,
					to.anchor)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d links to sections found: does this test still read them?", seen)
	}
}

// TestQuestionsAreAnsweredWithinThreeLinks: whoever begins with the README finds each answer within
// three links, in a section that is short enough to be read, and that holds the words which help.
func TestQuestionsAreAnsweredWithinThreeLinks(t *testing.T) {
	t.Parallel()
	distance := map[place]int{{"../README.md", ""}: 0}
	for queue := []place{{"../README.md", ""}}; len(queue) > 0; queue = queue[1:] {
		from := queue[0]
		if distance[from] == 3 {
			continue
		}
		for _, to := range linksOf(from.file, read(t, from.file)) {
			if _, err := os.Stat(to.file); err != nil {
				continue // told by TestDocumentsNameWhatIsThere
			}
			if _, known := distance[to]; !known {
				distance[to] = distance[from] + 1
				queue = append(queue, to)
			}
		}
	}
	for question, answer := range map[string]struct{ file, anchor, words string }{
		"a cluster of my own servers": {"README.md", "on-six-servers-of-your-own",
			"pgha-cli apply"},
		"through a bastion": {"docs/getting-in.md", "ssh", "jump"},
		"a setting that needs a restart": {"docs/operating.md", "restarts-and-configuration",
			"restart --pending"},
		"patch the operating system": {"docs/operating.md", "whole-hosts",
			"rolling-reboot"},
		"who leads after the power was lost": {"docs/operating.md", "when-the-leaders-host-dies",
			"failover"},
		"two of three databases are gone": {"docs/when-hosts-are-lost.md", "recover",
			"recover --from"},
		"one machine is gone": {"docs/when-hosts-are-lost.md", "is-it-this",
			"pgha-cli apply"},
		"a host is dead until Thursday": {"docs/when-a-host-is-dead.md", "work-on-the-others",
			"--without"},
		"etcd has lost its data": {"docs/when-hosts-are-lost.md", "is-it-this", "forms etcd again"},
		"the certificates have expired": {"docs/doctor.md", "certificates-and-permissions",
			"etcd-certificate-expired"},
		"a password has leaked": {"docs/operating.md", "secrets", "secrets rotate"},
		"who changed this file": {"docs/operating.md", "what-somebody-changed-by-hand",
			"plan"},
		"why were there no writes at two": {"docs/why.md", "", "pgha-cli why"},
		"what will a changed field restart": {"docs/changing-the-specification.md", "postgresql",
			"restart"},
		"no row may be lost": {"docs/operating.md", "synchronous-replication",
			"quorum"},
		"what it cannot do": {"README.md", "limits", "second operator"},
		"the full disk": {"docs/doctor.md", "hosts-disks-clocks-software",
			"disk"},
		"import it into a program of my own": {"README.md", "from-go", "pgha.Connect"},
	} {
		file := filepath.Join("..", answer.file)
		steps, reached := distance[place{file, answer.anchor}]
		if !reached { // a page shows its headings
			steps, reached = distance[place{file, ""}]
		}
		if !reached {
			t.Errorf("%s: %s#%s is not within three links of the README", question, answer.file,
				answer.anchor)
			continue
		}
		text := sections(read(t, file))[answer.anchor]
		if !strings.Contains(text, answer.words) {
			t.Errorf("%s: %s#%s, %d links away, does not say %q", question, answer.file,
				answer.anchor, steps,
				answer.words)
		}
		if lines := strings.Count(text, "\n"); lines > 120 {
			t.Errorf("%s: the answer in %s#%s has %d lines", question, answer.file,
				answer.anchor, lines)
		}
	}
}
