package lab

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"github.com/pgha/toolkit/pgha/errs"
)

// ip runs iproute2 with one line of arguments.
func ip(ctx context.Context, line string) error {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "ip", strings.Fields(line)...)
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run ip %s: %w: %s", line, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// ipAll runs several lines and stops at the first that fails.
func ipAll(ctx context.Context, lines ...string) error {
	for _, line := range lines {
		if err := ip(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

func namespaceExists(name string) bool {
	_, err := os.Lstat(namespacePath(name))
	return err == nil
}

func deleteNamespace(ctx context.Context, name string) error {
	if !namespaceExists(name) {
		return nil
	}
	return ip(ctx, "netns delete "+name)
}

// buildLAN makes the namespace that holds the lab's switch, with this
// machine's own address on it. A half-made one is made again.
func buildLAN(ctx context.Context, lab string, addresses network) error {
	ns := lanNamespace(lab)
	if namespaceExists(ns) {
		if ip(ctx, "-n "+ns+" link show "+bridgeName+" up") == nil {
			return nil
		}
		if err := deleteNamespace(ctx, ns); err != nil {
			return err
		}
	}
	return ipAll(ctx,
		"netns add "+ns,
		"-n "+ns+" link set lo up",
		"-n "+ns+" link add "+bridgeName+
			" type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
		"-n "+ns+" address add "+addresses.assigned(addresses.machine())+" dev "+bridgeName,
		"-n "+ns+" link set "+bridgeName+" up",
	)
}

// buildHostNetwork makes the host's own namespace and runs a cable from it
// to the switch. The port on the switch has the host's name.
func buildHostNetwork(ctx context.Context, lab string, addresses network, h hostPlan,
	cable bool) error {
	ns, lan := hostNamespace(lab, h.Name), lanNamespace(lab)
	if err := removeHostNetwork(ctx, lab, h.Name); err != nil {
		return err
	}
	return ipAll(ctx,
		"netns add "+ns,
		"-n "+ns+" link set lo up",
		"-n "+ns+" link add "+hostInterface+" address "+hardwareAddress(h)+" type veth peer name "+
			h.Name+" netns "+lan,
		"-n "+ns+" address add "+addresses.assigned(h.Address)+" dev "+hostInterface,
		"-n "+ns+" link set "+hostInterface+" up",
		"-n "+lan+" link set "+h.Name+" master "+bridgeName,
		cableLine(lab, h.Name, cable),
	)
}

// hardwareAddress stays the same over a power loss, as a real network card's
// does: peers would go on using the old one for several seconds.
func hardwareAddress(h hostPlan) string {
	ip := netip.MustParseAddr(h.Address).AsSlice()
	ip = ip[len(ip)-4:]
	return fmt.Sprintf("02:00:%02x:%02x:%02x:%02x", ip[0], ip[1], ip[2], ip[3])
}

// removeHostNetwork takes the cable away first, by name: the kernel frees a
// deleted namespace later, and its port would be in the way of a new one.
func removeHostNetwork(ctx context.Context, lab, host string) error {
	lan := lanNamespace(lab)
	if namespaceExists(lan) && ip(ctx, "-n "+lan+" link show "+host) == nil {
		if err := ip(ctx, "-n "+lan+" link delete "+host); err != nil {
			return err
		}
	}
	return deleteNamespace(ctx, hostNamespace(lab, host))
}

func cableLine(lab, host string, up bool) string {
	state := "down"
	if up {
		state = "up"
	}
	return "-n " + lanNamespace(lab) + " link set " + host + " " + state
}

// removeNetwork deletes everything of the lab, and tries all of it.
func removeNetwork(ctx context.Context, lab string, hosts []hostPlan) error {
	var failed []error
	for _, h := range hosts {
		failed = append(failed, removeHostNetwork(ctx, lab, h.Name))
	}
	return errs.Join(append(failed, deleteNamespace(ctx, lanNamespace(lab)))...)
}
