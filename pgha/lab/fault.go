package lab

import (
	"context"
	"fmt"
)

// Cut pulls the host's network cable: the port on the switch goes down, and
// so does the carrier of enp0s3. The host keeps running, and Exec still
// reaches it. A cut cable stays cut over Kill and StartHost. Cutting it
// twice is fine. The host is named by its host or member name, here and in
// the other faults; an unknown one is ErrUnknownHost.
func (l *Lab) Cut(ctx context.Context, host string) error {
	return l.fault(ctx, host, "cut", "cutting the cable",
		func(h hostPlan) error { return l.setCable(ctx, h, false) })
}

// Heal puts the host's network cable back. Healing a whole one is fine.
func (l *Lab) Heal(ctx context.Context, host string) error {
	return l.fault(ctx, host, "heal", "connecting the cable",
		func(h hostPlan) error { return l.setCable(ctx, h, true) })
}

// Kill takes the host's power away: its link goes down first, so that no
// peer hears a farewell, then the kernel kills all its processes at once,
// and its network stack with every connection is thrown away. Its disk stays
// as it was at that moment; what was written but not yet synchronised
// survives, since this machine keeps its page cache. Killing a dead host is
// fine.
func (l *Lab) Kill(ctx context.Context, host string) error {
	return l.fault(ctx, host, "kill", "cutting the power",
		func(h hostPlan) error { return l.powerOff(ctx, h) })
}

// StartHost gives the host its power back and waits, up to 90 s, until it
// has booted and, if its cable is connected, answers on port 22. Starting a
// running host is fine.
func (l *Lab) StartHost(ctx context.Context, host string) error {
	return l.fault(ctx, host, "start", "giving power",
		func(h hostPlan) error { return l.startHost(ctx, h) })
}

// fault runs one change of a host. It shares the lab with other hosts'
// faults, but not with Start and Down, and has the host for itself.
func (l *Lab) fault(ctx context.Context, host, step, message string,
	fn func(hostPlan) error) error {
	h, err := l.plan(host)
	if err != nil {
		return err
	}
	unlock, err := lock(ctx, l.cache.labLock(l.Name()), false)
	if err != nil {
		return err
	}
	defer unlock()
	unlockHost, err := lock(ctx, l.cache.lock("lab-"+l.Name()+"-"+h.Name), true)
	if err != nil {
		return err
	}
	defer unlockHost()
	if !namespaceExists(lanNamespace(l.Name())) {
		return notRunning(l.Name())
	}
	if err := l.progress.step(h.Name, step, message, func() error { return fn(h) }); err != nil {
		return fmt.Errorf("%s host %s: %w", step, h.Name, err)
	}
	return nil
}

func (l *Lab) setCable(ctx context.Context, h hostPlan, up bool) error {
	if err := markCable(l.hostDir(h.Name), !up); err != nil {
		return err
	}
	if !namespaceExists(hostNamespace(l.Name(), h.Name)) { // without power there is no port
		return nil
	}
	return ip(ctx, cableLine(l.Name(), h.Name, up))
}

func (l *Lab) powerOff(ctx context.Context, h hostPlan) error {
	groups, err := openCgroups()
	if err != nil {
		return err
	}
	defer groups.close()
	if namespaceExists(hostNamespace(l.Name(), h.Name)) {
		// It fails when the port was never made, and then nobody can hear.
		_ = ip(ctx, cableLine(l.Name(), h.Name, false))
	}
	if err := groups.kill(ctx, hostNamespace(l.Name(), h.Name)); err != nil {
		return err
	}
	return removeHostNetwork(ctx, l.Name(), h.Name)
}
