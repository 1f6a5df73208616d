package incident

import "time"

// weight is what an event means for the beginning and the end of incidents.
type weight int

const (
	hidden   weight = iota // is used, not shown
	note                   // is shown in an incident and begins none
	recovery               // closes what is open
	effect                 // is a consequence, and begins an incident if nothing else explains it
	trigger                // begins an incident
)

// rule is what is known of a kind of event.
type rule struct {
	weight weight
	// rank orders causes, the most basic first; 0 is never a cause.
	rank int
	// confidence that the event is the cause, if it is chosen.
	confidence Confidence
	// joins is how long equal events count as one.
	joins time.Duration
}

// rules has every kind that is not merely a note.
var rules = map[Kind]rule{
	Operated:          {trigger, 1, Certain, 0},
	PowerLost:         {trigger, 2, Likely, 0},
	KernelOOM:         {trigger, 2, Certain, 0},
	KernelIO:          {trigger, 2, Certain, time.Minute},
	LinkDown:          {trigger, 3, Certain, 0},
	HostShutdown:      {trigger, 3, Certain, time.Minute},
	DiskFull:          {trigger, 4, Certain, time.Minute},
	UnitOOM:           {trigger, 4, Certain, 0},
	EtcdAlarm:         {trigger, 4, Certain, time.Minute},
	NetworkCut:        {trigger, 5, Likely, 0},
	HostUnreachable:   {trigger, 5, Possible, 0},
	QuorumLost:        {trigger, 5, Certain, 0},
	SwitchoverAsked:   {trigger, 6, Certain, 0},
	FailoverAsked:     {trigger, 6, Certain, 0},
	DataRemoved:       {trigger, 6, Certain, 0},
	UnitSignalled:     {trigger, 7, Certain, 0},
	UnitKilled:        {trigger, 8, Certain, 0},
	UnitFailed:        {trigger, 8, Certain, 0},
	UnitStopping:      {trigger, 8, Certain, 0},
	BackendKilled:     {trigger, 9, Certain, 0},
	OutOfMemory:       {trigger, 9, Certain, time.Minute},
	Panic:             {trigger, 9, Certain, 0},
	PostmasterDied:    {trigger, 10, Certain, time.Second},
	ServerGone:        {trigger, 11, Certain, 0},
	PatroniSilent:     {trigger, 12, Likely, 0},
	CheckFailed:       {trigger, 13, Certain, 0},
	ShutdownRequested: {effect, 14, Certain, 0},
	EtcdSlowDisk:      {note, 15, Likely, time.Minute},
	EtcdSlowHeartbeat: {note, 15, Likely, time.Minute},
	EtcdSlowApply:     {note, 0, "", time.Minute},
	DCSUnreachable:    {effect, 16, Possible, time.Minute},
	KeyLost:           {effect, 17, Possible, 10 * time.Second},
	Demoted:           {effect, 18, Possible, 0},
	AddressFault:      {effect, 19, Possible, 0},
	BackendDown:       {effect, 20, Possible, time.Second},
	StreamLost:        {effect, 20, Possible, time.Second},
	AddressTaken:      {effect, 21, Possible, 0},
	KeyTaken:          {effect, 22, Possible, 0},
	UnitStopped:       {effect, 0, "", 0},
	ServerCrashed:     {effect, 0, "", time.Second},
	ShutDown:          {effect, 0, "", 0},
	KeyReleased:       {effect, 0, "", 0},
	KeyDeleted:        {effect, 0, "", 0},
	LeaderSuspected:   {effect, 0, "", 0},
	LeaderFenced:      {effect, 0, "", 0},
	FenceWithdrawn:    {recovery, 0, "", 0},
	FenceLifted:       {recovery, 0, "", 0},
	StoodAside:        {effect, 0, "", 0},
	CameBack:          {recovery, 0, "", 0},
	BackendEmpty:      {note, 0, "", time.Second},
	BackendUp:         {recovery, 0, "", time.Second},
	AddressLeft:       {note, 0, "", 0},
	UnitStarted:       {recovery, 0, "", 0},
	ServerReady:       {recovery, 0, "", 0},
	ServerReadOnly:    {recovery, 0, "", 0},
	Streaming:         {recovery, 0, "", 0},
	LinkUp:            {recovery, 0, "", 0},
	HostBooted:        {recovery, 0, "", 0},
	CheckPassed:       {recovery, 0, "", 0},
	RewindDone:        {recovery, 0, "", time.Second},
	CopyDone:          {recovery, 0, "", 0},
	EtcdPeerLost:      {note, 0, "", time.Minute},
	EtcdPeerBack:      {note, 0, "", time.Second},
	PeerRefused:       {note, 0, "", time.Minute},
	PrimaryRefused:    {note, 0, "", time.Minute},
	FailsafeHeld:      {note, 0, "", time.Minute},
	NoCandidate:       {note, 0, "", time.Minute},
	Paused:            {note, 0, "", time.Minute},
	CrashRecovery:     {note, 0, "", time.Second},
	LowerAdvert:       {hidden, 0, "", time.Minute},
	SyncNames:         {hidden, 0, "", 0},
	SyncReplaced:      {hidden, 0, "", 0},
	LeaderSeen:        {hidden, 0, "", 10 * time.Minute},
	LocalPosition:     {hidden, 0, "", 0},
	LastTransaction:   {hidden, 0, "", 0},
	TimelineEnded:     {hidden, 0, "", 0},
	Commanded:         {note, 0, "", 0},
}

// ruleOf returns what is known of a kind: a note at least.
func ruleOf(k Kind) rule {
	if r, ok := rules[k]; ok {
		return r
	}
	return rule{weight: note}
}
