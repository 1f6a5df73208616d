// Package lab boots real systemd hosts on this one machine: Debian with
// sshd, apt and a network of their own, ready for a cluster to be installed,
// broken and repaired. A host boots in about a second once its image exists.
//
//	l, err := lab.Start(ctx, lab.Options{Name: "demo"})
//	if err != nil {
//		return err
//	}
//	spec, err := l.Spec() // YAML for package pgha
//	...
//	conn, err := l.DialContext(ctx, "tcp", "postgres-01:5432")
//	...
//	err = l.Kill(ctx, "postgres-01") // power loss
//	err = l.StartHost(ctx, "postgres-01")
//	...
//	return l.Down(ctx)
//
// # What a host is
//
// An overlay over one shared image, booted by systemd-nspawn in its own network namespace, mount
// namespace and control group. Interface enp0s3 carries an address of 192.168.0.0/24, from .200 on;
// the virtual IP .210 is free; /etc/hosts knows every host. With Options.IPv6 the network is
// fd00:192:168::/64, with the same endings and no IPv4 beside it. No route leads out. This
// machine's end of the network is 192.168.0.1 (fd00:192:168::1), in a namespace of its own too, so
// that several labs run side by side with the same addresses, and none of them meets the machine's
// network. DialContext and Run work from there.
//
// Root and the users admin (sudo without a password) and operator (sudo with
// the password "lab-operator", which also logs in over SSH) have the lab's
// SSH key. The only apt source is /srv/repo: PostgreSQL, Patroni, etcd,
// HAProxy, keepalived and what they need, out of the release. The same
// PostgreSQL and Patroni packages are in /srv/repo/pgdg too, laid out and
// signed like PostgreSQL's own repository. Lab.EtcdArchive is an archive like
// etcd's release archive, compiled on this machine.
//
// # What it needs
//
// Linux 5.14 or later, root's rights and the packages of RequiredPackages;
// whether systemd runs the machine does not matter. The first Start
// downloads about 150 MB from the Debian mirror that the machine's own apt
// uses, and etcd's modules as the machine's Go is configured to.
//
// # Where it differs from six machines
//
// There is one kernel, so one clock, one page cache (a power loss takes
// no unsynchronised write away) and one set of vm.* and kernel.* settings;
// net.* is each host's own and can be written. Limits, such as the number of
// open files, cannot be raised above the machine's. There is no watchdog
// device, and the disk is shared. This machine's address is exempt from sshd's
// penalties for failed logins.
package lab
