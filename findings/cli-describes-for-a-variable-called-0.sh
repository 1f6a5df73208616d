#!/bin/bash
# Version:  github.com/urfave/cli/v2 2.27.7.
#
# Expected: a program completed by zsh, whose environment says SHELL=/usr/bin/zsh, prints what each
#           command is for beside its name ("name:usage"), as the framework does for zsh.
# Seen:     it prints names alone. The usage comes where an environment variable is set whose name
#           is the digit 0 and whose value ends in "zsh": the library asks the environment for "0",
#           which in a shell is the shell's own name and is never exported.
#
# Needs Go and the network. Ends with 0 if that is still so, with 1 if it has changed.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

cat >go.mod <<'EOF'
module example.org/describes

go 1.24

require github.com/urfave/cli/v2 v2.27.7
EOF
cat >main.go <<'EOF'
package main

import (
	"os"

	"github.com/urfave/cli/v2"
)

func main() {
	app := &cli.App{Name: "tool", EnableBashCompletion: true, HideHelp: true,
		Commands: []*cli.Command{{Name: "fetch", Usage: "bring it here"}}}
	_ = app.Run(os.Args)
}
EOF
GOFLAGS=-mod=mod go build -o tool . 2>/dev/null

with_shell=$(SHELL=/usr/bin/zsh ./tool --generate-bash-completion)
with_0=$(env 0=/usr/bin/zsh ./tool --generate-bash-completion)
printf 'SHELL=/usr/bin/zsh:\n%s\n0=/usr/bin/zsh:\n%s\n' "$with_shell" "$with_0"

[ "$with_shell" = fetch ] && [ "$with_0" = "fetch:bring it here" ]
