// Package layout describes what a component puts on a host: packages, users, units, files, ports
// and certificates.
//
// Each component describes itself with one function (etcd.Layout, patroni.Layout, lb.Layout,
// vip.Layout) and makes its own files by it, so that a fact about a host stands in one place. All
// other packages ask the description: which units a host runs, who owns a file, who connects to a
// port. A Layout is plain data; making one contacts no host.
package layout
