package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/pgha/toolkit/pgha/drill"
)

var (
	//go:embed page.html.tmpl
	pageTemplate string
	//go:embed timeline.html.tmpl
	timelineTemplate string
	//go:embed style.css
	style string
	//go:embed script.js
	script string
)

// HTML writes the page of Write to w. The links to the CSV files are left out, as they are not
// there. Errors are those of w.
func HTML(w io.Writer, r drill.Result) error { return writeHTML(w, r, nil) }

// document is a page with what the browser needs.
type document struct {
	page
	Policy string
	Style  template.CSS
	Script template.JS
	Files  []string
}

// writeHTML writes the page; files are the names of the CSV files beside it.
func writeHTML(w io.Writer, r drill.Result, files []string) error {
	t, err := template.New("page").Parse(pageTemplate)
	if err == nil {
		_, err = t.New("timeline").Parse(timelineTemplate)
	}
	if err != nil {
		return fmt.Errorf("read the report's template: %w", err)
	}
	d := document{page: pageOf(r), Policy: policy(), Style: template.CSS(style),
		Script: template.JS(script),
		Files:  files}
	if err := t.Execute(w, d); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// policy allows the page's own style and script, and nothing else: no request leaves the page.
func policy() string {
	return fmt.Sprintf(
		"default-src 'none'; style-src '%s'; script-src '%s'; img-src data:; base-uri 'none'; "+
			"form-action 'none'",
		digest(style), digest(script))
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
