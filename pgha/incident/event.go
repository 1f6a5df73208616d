package incident

import "time"

// Component is what an event is of.
type Component string

// The components. Host is the machine itself: its kernel, its power, its network. Operator is
// somebody who used pgha.
const (
	Patroni    Component = "patroni"
	PostgreSQL Component = "postgresql"
	Etcd       Component = "etcd"
	HAProxy    Component = "haproxy"
	Keepalived Component = "keepalived"
	Host       Component = "host"
	Operator   Component = "operator"
)

// Event is one thing that happened.
type Event struct {
	// Time is by the clock of the machine that ran Explain: the host's own, corrected by its
	// measured offset.
	Time time.Time `json:"time"`
	// Host is where it was noted, which is where it happened unless Subject says otherwise.
	Host      string    `json:"host"`
	Component Component `json:"component"`
	Kind      Kind      `json:"kind"`
	// Subject is the host or unit that it is about, where that is not Host's component itself.
	Subject string `json:"subject,omitempty"`
	// Text is for people.
	Text string `json:"text"`
	// Evidence is the line, shortened to 400 bytes; for a derived event it says what it is derived
	// from.
	Evidence string `json:"evidence"`
	// Derived: no line says so.
	Derived bool `json:"derived,omitempty"`
	// Count is how many equal events stand here, Last when the last of them was.
	Count int       `json:"count"`
	Last  time.Time `json:"last"`

	fields map[string]string // named groups of the recognizer
}

// Kind is what sort of thing happened.
type Kind string

// The kinds.
const (
	KeyTaken          Kind = "leader_key_taken"
	KeyReleased       Kind = "leader_key_released"
	KeyLost           Kind = "leader_key_lost"
	KeyDeleted        Kind = "leader_key_deleted"
	LeaderSuspected   Kind = "leader_suspected"
	LeaderFenced      Kind = "leader_fenced"
	FenceWithdrawn    Kind = "fence_withdrawn"
	FenceLifted       Kind = "fence_lifted"
	StoodAside        Kind = "stood_aside"
	CameBack          Kind = "came_back"
	LeaderSeen        Kind = "leader_seen"
	Demoted           Kind = "demoted"
	DCSUnreachable    Kind = "dcs_unreachable"
	FailsafeHeld      Kind = "failsafe_held"
	SwitchoverAsked   Kind = "switchover_asked"
	SwitchoverPlanned Kind = "switchover_scheduled"
	FailoverAsked     Kind = "failover_asked"
	DataRemoved       Kind = "data_removed"
	SyncNames         Kind = "synchronous_names"
	SyncReplaced      Kind = "synchronous_replaced"
	Paused            Kind = "paused"
	NoCandidate       Kind = "no_candidate"
	RewindBegan       Kind = "rewind_began"
	RewindDone        Kind = "rewind_done"
	RewindFailed      Kind = "rewind_failed"
	ClusterMade       Kind = "cluster_made"
	CopyBegan         Kind = "copy_began"
	CopyDone          Kind = "copy_done"
	CrashRecovery     Kind = "crash_recovery"
	PatroniSilent     Kind = "patroni_silent"
	PeerRefused       Kind = "peer_refused"
	LocalPosition     Kind = "local_position"
	PromoteRequested  Kind = "promote_requested"
	LastTransaction   Kind = "last_transaction"
	TimelineSwitched  Kind = "timeline_switched"
	TimelineEnded     Kind = "timeline_ended"
	ServerReady       Kind = "server_ready"
	ServerReadOnly    Kind = "server_ready_read_only"
	ServerStarting    Kind = "server_starting"
	ShutdownRequested Kind = "shutdown_requested"
	ShutDown          Kind = "server_shut_down"
	PostmasterDied    Kind = "postmaster_died"
	ServerGone        Kind = "server_gone"
	BackendKilled     Kind = "backend_killed"
	ServerCrashed     Kind = "server_crashed"
	Panic             Kind = "panic"
	DiskFull          Kind = "disk_full"
	OutOfMemory       Kind = "out_of_memory"
	Streaming         Kind = "streaming"
	StreamLost        Kind = "stream_lost"
	PrimaryRefused    Kind = "primary_refused"
	EtcdElected       Kind = "etcd_elected"
	EtcdLeaderLost    Kind = "etcd_leader_lost"
	EtcdPeerLost      Kind = "etcd_peer_lost"
	EtcdPeerBack      Kind = "etcd_peer_back"
	EtcdSlowDisk      Kind = "etcd_slow_disk"
	EtcdSlowApply     Kind = "etcd_slow_apply"
	EtcdSlowHeartbeat Kind = "etcd_slow_heartbeat"
	EtcdMoved         Kind = "etcd_leadership_moved"
	EtcdAlarm         Kind = "etcd_alarm"
	BackendUp         Kind = "backend_up"
	BackendDown       Kind = "backend_down"
	BackendEmpty      Kind = "backend_empty"
	AddressTaken      Kind = "address_taken"
	AddressLeft       Kind = "address_left"
	AddressYielded    Kind = "address_yielded"
	AddressFault      Kind = "address_fault"
	LowerAdvert       Kind = "lower_advert"
	CheckFailed       Kind = "check_failed"
	CheckPassed       Kind = "check_passed"
	UnitStopping      Kind = "unit_stopping"
	UnitStopped       Kind = "unit_stopped"
	UnitStarted       Kind = "unit_started"
	UnitKilled        Kind = "unit_killed"
	UnitFailed        Kind = "unit_failed"
	UnitSignalled     Kind = "unit_signalled"
	UnitResumed       Kind = "unit_resumed"
	UnitOOM           Kind = "unit_out_of_memory"
	KernelOOM         Kind = "kernel_out_of_memory"
	KernelIO          Kind = "kernel_io_error"
	LinkDown          Kind = "link_down"
	LinkUp            Kind = "link_up"
	HostShutdown      Kind = "host_shutdown"
	HostBooted        Kind = "host_booted"
	PowerLost         Kind = "power_lost"
	NetworkCut        Kind = "network_cut"
	HostUnreachable   Kind = "host_unreachable"
	QuorumLost        Kind = "quorum_lost"
	Commanded         Kind = "commanded"
	Operated          Kind = "operated"
)
