// Command pgha-bench measures what an operator waits for, on labs of its own. Without -operations:
// a fresh apply on a new lab, phase by phase, a second apply, status and verify. With it: the
// seconds without writes, and the rows lost, when the leadership moves and when things break, and
// what clients of the poolers see; with -hosts the same while hosts come and go. With -backups:
// backups, their proof and replicas made of them, beside what the same takes by hand. With -scale:
// a run without changes on 100 simulated hosts, which needs no lab. A lab's image is built
// beforehand and not counted; its lab is removed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/pgha/toolkit/pgha/probe"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are what the command line says.
type options struct {
	runs              int
	name, only        string
	client            probe.Client
	operations, scale bool
	hosts, backups    bool
	sizeMB            int
}

// run measures what the arguments say, and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "error:", err)
		return 64
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch {
	case o.operations:
		err = operate(ctx, o.name, orDefault(o.runs, 10), o.only, o.client)
	case o.hosts:
		err = measureHosts(ctx, o.name, stdout)
	case o.backups:
		err = measureBackups(ctx, o.name, orDefault(o.sizeMB, 2048), stdout)
	case o.scale:
		err = scale(ctx, orDefault(o.runs, 3), stdout)
	default:
		err = provision(ctx, o.name, orDefault(o.runs, 1))
	}
	if err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	return 0
}

// parse reads the command line. A measurement takes minutes and removes a lab: what does not go
// together is refused before it begins.
func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("pgha-bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.runs, "runs", 0,
		"how many labs to provision, or how often to measure each operation or number of hosts "+
			"(0: 1 lab, 10 times, 3 times)")
	flags.StringVar(&o.name, "lab-name", "bench", "the lab's name; a lab of that name is "+
		"removed first")
	flags.BoolVar(&o.operations, "operations", false,
		"measure operations and faults instead of provisioning")
	flags.BoolVar(&o.scale, "scale", false,
		"measure a run without changes on 6 and on 100 simulated hosts instead")
	flags.BoolVar(&o.hosts, "hosts", false,
		"measure hosts that come, go and are replaced instead")
	flags.BoolVar(&o.backups, "backups", false,
		"measure backups instead, and the same by hand")
	flags.IntVar(&o.sizeMB, "size", 0, "MB of the database that is backed up (0: 2048)")
	flags.StringVar(&o.only, "only", "",
		"only these operations, separated by commas: "+strings.Join(operationNames(), ","))
	flags.Func("client", fmt.Sprintf("what the writer does with connections, one of %q (default %q)",
		probe.Clients(), probe.KeepsConnection), func(name string) error {
		if o.client = probe.Client(name); !slices.Contains(probe.Clients(), o.client) {
			return errors.New("there is no such client")
		}
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	_, _, err := selected(o.only)
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("there are options only, and %q is none", flags.Arg(0))
	case o.runs < 0:
		return o, fmt.Errorf("-runs %d: a number of runs is positive", o.runs)
	case o.several():
		return o, errors.New("-operations, -hosts, -backups and -scale are measurements of their own: " +
			"give one of them")
	case o.sizeMB < 0 || o.sizeMB > 0 && !o.backups:
		return o, errors.New("-size is a number of MB, and goes with -backups")
	case o.backups && o.runs > 0:
		return o, errors.New("-backups makes each measurement once: leave -runs out")
	case o.hosts && o.runs > 1:
		return o, errors.New("-hosts makes each change once, because each begins with what the one " +
			"before left: leave -runs out")
	case (o.only != "" || o.client != "") && !o.operations:
		return o, errors.New("-only and -client go with -operations")
	}
	return o, err
}

// several tells whether more than one measurement is wanted.
func (o options) several() bool {
	n := 0
	for _, wanted := range []bool{o.operations, o.hosts, o.backups, o.scale} {
		if wanted {
			n++
		}
	}
	return n > 1
}

func orDefault(n, unset int) int {
	if n == 0 {
		return unset
	}
	return n
}
