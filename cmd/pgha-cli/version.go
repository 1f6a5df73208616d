package main

import (
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/cmd/pgha-cli/internal/terminal"
	"github.com/pgha/toolkit/pgha"
)

// build says what this program was built from, and for which machine.
type build struct {
	Version string `json:"version"`
	// Commit is empty where the program was not built from a checkout.
	Commit string `json:"commit,omitempty"`
	// Modified says that the checkout had changes that are not in the commit.
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// thisBuild reads what the Go tool recorded in the program.
func thisBuild() build {
	b := build{Version: pgha.Version, Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.checkout(info.Settings)
	}
	return b
}

// checkout takes the commit from the settings of a build.
func (b *build) checkout(settings []debug.BuildSetting) {
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
}

// String is one line, such as "0.1.0 (commit 8408d62a1b2c, modified) go1.26.8 linux/amd64".
func (b build) String() string {
	commit := ""
	if b.Commit != "" {
		commit = " (commit " + b.Commit[:min(12, len(b.Commit))]
		if b.Modified {
			commit += ", modified"
		}
		commit += ")"
	}
	return b.Version + commit + " " + b.Go + " " + b.Platform
}

func versionCommand(out *terminal.Terminal) *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version, and the commit that it was built from",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if wantsJSON(c) {
				return out.JSON(thisBuild())
			}
			out.Printf("%s version %s\n", c.App.Name, thisBuild())
			return nil
		},
	}
}
