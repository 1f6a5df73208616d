// Package monitoring makes what a Prometheus needs to watch a cluster: a configuration that scrapes
// Patroni, etcd and HAProxy on every host, and alert rules.
//
// Both are made from the specification alone, by pure computation; no host is contacted. Where
// metrics are served is Spec.Monitoring's to say, and Apply brings that to the hosts.
package monitoring
