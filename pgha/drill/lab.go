package drill

import "context"

// Lab is what can take a host's power and pull its cable. *lab.Lab is one; so may be a hypervisor
// or a rack's switched power supply with a test cluster on it. Hosts are named as in the
// specification.
type Lab interface {
	// Kill takes the host's power, at once; StartHost gives it back, and returns once the host has
	// booted.
	Kill(ctx context.Context, host string) error
	StartHost(ctx context.Context, host string) error
}
