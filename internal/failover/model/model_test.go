package model

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// others are the steps that are no agent's. Every exploration of a whole cluster must have taken
// them and all of the agents': a model in which one is impossible proves nothing about it.
var others = strings.Fields("EntryEnds Boot Write Flush Complete Connect Load Stops Stand Vote " +
	"Elected Promote Lost Follow")

// TestNoOrderOfStepsLosesACommit explores everything, on clusters of 3, 4 and 5. Those of more than
// 3 take minutes, and are left to make model, which sets PGHA_MODEL.
func TestNoOrderOfStepsLosesACommit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Cluster{
		"3 members, etcd beside":          {Members: 3, Sync: 1, Writes: 2, Regains: 1},
		"3 members, etcd apart":           {Members: 3, Sync: 1, Writes: 2, Regains: 2, Apart: true},
		"3 members, waits for both":       {Members: 3, Sync: 2, Writes: 2, Regains: 1, Apart: true},
		"3 members, one chosen":           {Members: 3, Sync: 1, Voters: 1, Writes: 1, Regains: 1, Apart: true},
		"3 members, one chosen, beside":   {Members: 3, Sync: 1, Voters: 1, Writes: 1, Regains: 1},
		"3 members, paused":               {Members: 3, Sync: 1, Writes: 1, Regains: 1, Apart: true, Pause: true},
		"4 members, waits for 2":          {Members: 4, Sync: 2, Writes: 1, Apart: true},
		"5 members, waits for 1":          {Members: 5, Sync: 1, Regains: 1, Apart: true},
		"5 members, waits for 2":          {Members: 5, Sync: 2, Regains: 1, Apart: true},
		"5 members, etcd beside":          {Members: 5, Sync: 2},
		"5 members, waits for 1, changes": {Members: 5, Sync: 1, Writes: 1, Apart: true},
		"5 members, waits for 2, changes": {Members: 5, Sync: 2, Writes: 1, Apart: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.Members > 3 && os.Getenv("PGHA_MODEL") == "" {
				t.Skip("make model explores it")
			}
			res := Explore(c, Rules{})
			if res.Wrong != "" {
				t.Fatalf("%s, by\n%s", res.Wrong, res.Trace)
			}
			if !res.Fast {
				t.Error("nobody was ever promoted before the old leader knew")
			}
			for _, step := range slices.Concat(AgentSteps(), others) {
				if res.Seen[step] == 0 && (step != "Vote" || c.Voters != 1) {
					t.Errorf("%s never happens", step)
				}
			}
			t.Logf("%d states", res.States)
		})
	}
}

// TestEachGuardIsNeeded takes out one guard of the protocol at a time.
func TestEachGuardIsNeeded(t *testing.T) {
	t.Parallel()
	three := Cluster{Members: 3, Sync: 1, Writes: 1, Regains: 1, Apart: true}
	paused := three
	paused.Pause = true
	const lost, gone = "a commit was acknowledged that the new leader does not have",
		"a fence that was counted is gone while the old leader may still complete commits"
	guards := map[string]struct {
		cluster Cluster
		rules   Rules
		wrong   string
	}{
		// Three would not do: there all voters have to be fenced by either count.
		"FenceFewer":      {Cluster{Members: 4, Sync: 2, Apart: true}, Rules{FenceFewer: true}, lost},
		"DeleteUnchecked": {three, Rules{DeleteUnchecked: true}, lost},
		"IgnoreSync":      {Cluster{Members: 3, Sync: 1, Voters: 1, Writes: 1, Apart: true}, Rules{IgnoreSync: true}, lost},
		"LeaveSync":       {three, Rules{LeaveSync: true}, lost},
		"LiftUnasked":     {three, Rules{LiftUnasked: true}, gone},
		"LiftStopped":     {three, Rules{LiftStopped: true}, gone},
		"KeepReceiver":    {three, Rules{KeepReceiver: true}, gone},
		"TellFirst":       {three, Rules{TellFirst: true}, gone},
		"TellUnguarded":   {three, Rules{TellUnguarded: true}, gone},
		"TimerShort":      {three, Rules{TimerShort: true}, gone},
		"ForgetAtBoot":    {three, Rules{ForgetAtBoot: true}, gone},
		"IgnorePause":     {paused, Rules{IgnorePause: true}, "the leader key of a paused cluster was taken away"},
	}
	for i := range reflect.TypeFor[Rules]().NumField() {
		if name := reflect.TypeFor[Rules]().Field(i).Name; guards[name].cluster.Members == 0 {
			t.Errorf("nothing is said of %s", name)
		}
	}
	for name, g := range guards {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := Explore(g.cluster, g.rules)
			t.Logf("%d states: %s, by\n%s", res.States, res.Wrong, res.Trace)
			if res.Wrong != g.wrong {
				t.Errorf("got %q, want %q, in %d states", res.Wrong, g.wrong, res.States)
			}
		})
	}
}
