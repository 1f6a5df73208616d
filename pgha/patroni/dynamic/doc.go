// Package dynamic knows Patroni's dynamic configuration, which the members share through the DCS:
// its keys, what Patroni refuses or ignores in it, who may lead by it, and what differs between two
// of them. Pure computation.
package dynamic
