// Command packages prints the Debian packages that a lab needs on this machine, one a line, so that
// the Makefile and the lab's own check of the machine cannot disagree. Go is left out: it runs this
// program.
package main

import (
	"fmt"

	"github.com/pgha/toolkit/pgha/lab"
)

func main() {
	for _, name := range lab.RequiredPackages() {
		if name != "golang-go" {
			fmt.Println(name)
		}
	}
}
