package drill

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/remote"
)

var (
	//go:embed break.sh
	breakScript string
	//go:embed mend.sh
	mendScript string
	//go:embed faults/stop.sh
	stopScript string
	//go:embed faults/cut.sh
	cutScript string
	//go:embed faults/vrrp.sh
	vrrpScript string
	//go:embed faults/filter_undo.sh
	filterUndoScript string
	//go:embed faults/slow.sh
	slowScript string
	//go:embed faults/slow_undo.sh
	slowUndoScript string
)

// unitPrefix begins the names of the timers on the hosts.
const unitPrefix = "pgha-drill-"

// hostFault is something that is broken on a host by a shell script and given back by another. Both
// get the same arguments.
type hostFault struct {
	name        string // of the unit: pgha-drill-<name>
	cause, undo string
	args        []string
}

// The faults on hosts.
func stopUnit(unit string) hostFault {
	return hostFault{name: unit, args: []string{unit}, cause: stopScript,
		undo: `systemctl start "$1"`}
}

func endUnit(unit string) hostFault {
	return hostFault{name: unit, args: []string{unit}, cause: `systemctl stop "$1"`,
		undo: `systemctl start "$1"`}
}

func freeze(unit string) hostFault {
	return hostFault{name: "freeze-" + unit, args: []string{unit},
		cause: `systemctl kill --signal=STOP --kill-whom=main "$1"`,
		undo:  `systemctl kill --signal=CONT --kill-whom=main "$1"`}
}

// cutFrom drops everything from and to the given addresses.
func cutFrom(addresses []string) hostFault {
	return hostFault{name: "cut", args: addresses, cause: cutScript, undo: filterUndoScript}
}

// noVRRP drops the adverts of keepalived.
func noVRRP() hostFault {
	return hostFault{name: "vrrp", cause: vrrpScript, undo: filterUndoScript}
}

// slowTo delays what goes to the given addresses where the kernel can (netem), and drops a part of
// it in any case.
func slowTo(addresses []string) hostFault {
	return hostFault{name: "slow", args: addresses, cause: slowScript, undo: slowUndoScript}
}

// breakHost makes a fault on a host, which its own timer gives back after so long.
func breakHost(ctx context.Context, t *remote.Target, f hostFault, within time.Duration) error {
	argv := append([]string{unitPrefix + f.name, strconv.Itoa(int(within.Seconds())), f.undo,
		f.cause}, f.args...)
	_, err := t.Run(ctx, remote.Cmd{Script: breakScript, Argv: argv, Mutating: true,
		Timeout: time.Minute})
	if err != nil {
		return fmt.Errorf("break %s on %s: %w", f.name, t.Name, err)
	}
	return nil
}

// mendHost gives back what breakHost broke. Nothing happens if the timer did so before, so it is
// safe to repeat.
func mendHost(ctx context.Context, t *remote.Target, f hostFault) error {
	_, err := t.Run(ctx, remote.Cmd{Script: mendScript, Argv: []string{unitPrefix + f.name},
		Mutating: true, Timeout: time.Minute})
	if err != nil {
		return fmt.Errorf("give %s on %s back: %w", f.name, t.Name, err)
	}
	return nil
}

// onHost runs a script on a host.
func onHost(ctx context.Context, t *remote.Target, script string, args ...string) error {
	_, err := t.Run(ctx, remote.Cmd{Script: script, Argv: args, Mutating: true,
		Timeout: time.Minute})
	return err
}

// undone collects what is to be given back, in the order in which it was broken.
type undone []func(context.Context) error

// mend gives everything back, the last first, and continues after an error.
func (u *undone) mend(ctx context.Context) error {
	var failed []error
	for len(*u) > 0 {
		last := len(*u) - 1
		failed = append(failed, (*u)[last](ctx))
		*u = (*u)[:last]
	}
	return errs.Join(failed...)
}
