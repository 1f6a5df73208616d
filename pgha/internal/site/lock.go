package site

import "strings"

// HostLock is the file that is locked on the hosts. It does not outlive a boot.
const HostLock = "/run/pgha.lock"

// LockKey is the key of the cluster's lock in etcd.
func (c *Site) LockKey() string { return "/pgha/" + c.Spec.Cluster + "/lock" }

// ChangeKey is the key in etcd of the record of a change of many steps.
func (c *Site) ChangeKey() string { return "/pgha/" + c.Spec.Cluster + "/change" }

// RestoreKey is where etcd has the restore that nobody has confirmed.
func (c *Site) RestoreKey() string { return "/pgha/" + c.Spec.Cluster + "/restore" }

// HostsKey is the key in etcd of the hosts that the cluster was last brought in line with.
func (c *Site) HostsKey() string { return "/pgha/" + c.Spec.Cluster + "/hosts" }

// StorePrefix is what the names of Patroni's keys in etcd begin with.
func StorePrefix(c *Site) string {
	return "/" + strings.Trim(c.Spec.Patroni.Namespace, "/") + "/" + c.Spec.Cluster + "/"
}
