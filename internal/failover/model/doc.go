// Package model explores every order of the steps of a fast failover, and says whether one of them
// loses an acknowledged commit. Nothing imports it; its tests are what it is for.
//
// What is explored: a leader L with its PostgreSQL and its Patroni, up to four other members each
// with a PostgreSQL, a Patroni and an agent, and etcd. Each step of each of them happens at any
// time, or never. That covers what else would have to be modelled one by one: a partition, also
// one that lets packets through in one direction, is messages that do not arrive for a while; a
// process that is paused or has crashed is one whose next step does not come; an agent that is
// wrong about L is one that suspects without a reason, which every agent may.
//
// What is taken for granted is Patroni's own promise, that a leader which can't renew its lease has
// stopped being primary before the lease ends (its watchdog sees to that where the host itself is
// frozen), and that PostgreSQL gets no WAL from a server that is on an older timeline.
//
// One commit is enough: losing any is losing one, and when it is written is as free as everything.
// The steps of the agents have the names that steps.py gives them.
package model
