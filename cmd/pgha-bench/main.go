// Command pgha-bench measures what an operator waits for, on labs of its own. Without -operations: a fresh apply on a new lab,
// phase by phase, a second apply, status and verify. With it: the seconds without writes, and the rows lost, when the
// leadership moves and when things break. With -scale: a run without changes on 100 simulated hosts, which needs no lab. A
// lab's image is built beforehand and not counted; its lab is removed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

func main() {
	runs := flag.Int("runs", 0, "how many labs to provision, or how often to measure each operation or number of hosts (0: 1 lab, 10 times, 3 times)")
	name := flag.String("lab-name", "bench", "the lab's name; a lab of that name is removed first")
	operations := flag.Bool("operations", false, "measure operations and faults instead of provisioning")
	hosts := flag.Bool("scale", false, "measure a run without changes on 6 and on 100 simulated hosts instead")
	only := flag.String("only", "", "only these operations, separated by commas: "+strings.Join(scenarioNames(), ","))
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch {
	case *operations:
		err = operate(ctx, *name, orDefault(*runs, 10), *only)
	case *hosts:
		err = scale(ctx, orDefault(*runs, 3), os.Stdout)
	default:
		err = provision(ctx, *name, orDefault(*runs, 1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func orDefault(n, unset int) int {
	if n == 0 {
		return unset
	}
	return n
}
