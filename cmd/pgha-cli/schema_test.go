package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/urfave/cli/v2"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/advisor"
	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/certificates"
	"github.com/pgha/toolkit/pgha/drill"
	"github.com/pgha/toolkit/pgha/incident"
	"github.com/pgha/toolkit/pgha/patroni"
	patronirest "github.com/pgha/toolkit/pgha/patroni/rest"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/preflight"
	"github.com/pgha/toolkit/pgha/query"
	"github.com/pgha/toolkit/pgha/restore"
	"github.com/pgha/toolkit/pgha/secrets"
)

const schemaFile = "../../docs/output.schema.json"

// answers are the kinds of objects that each command prints with --output json.
var answers = map[string][]any{
	"advise":          {adviceReport{}},
	"apply":           {eventLine{}, planReport{}},
	"config set":      {verb[configResult]{}},
	"config edit":     {verb[configResult]{}},
	"config show":     {pgha.ConfigReport{}},
	"connection":      {pgha.Connection{}},
	"destroy":         {verb[pgha.DestroyResult]{}},
	"doctor":          {typedReport{}, fixAnswer{}},
	"doctor bundle":   {bundleAnswer{}},
	"drill":           {drill.Result{}, scenariosAnswer{}},
	"failover":        {verb[patroni.FailoverResult]{}},
	"history":         {historyAnswer{}, operationsAnswer{}},
	"lab up":          {hostsAnswer{}},
	"lab status":      {hostsAnswer{}},
	"logs":            {pgha.LogEntry{}},
	"pause":           {verb[patroni.PauseResult]{}},
	"plan":            {planReport{}, pgha.Acceptance{}},
	"preflight":       {preflightReport{}},
	"query":           {queryResult{}},
	"recover":         {verb[pgha.RecoverResult]{}},
	"recover state":   {verb[pgha.TakeOverResult]{}},
	"reinit":          {verb[pgha.ReinitializeResult]{}},
	"reload":          {verb[patroni.ReloadResult]{}},
	"reset":           {verb[pgha.ResetResult]{}},
	"restart":         {verb[patroni.RestartResult]{}, verb[patroni.ScheduledRestart]{}},
	"resume":          {verb[patroni.PauseResult]{}},
	"rolling-reboot":  {verb[pgha.RollingRebootResult]{}},
	"secrets decrypt": {filesAnswer{}},
	"secrets encrypt": {encryptedAnswer{}},
	"secrets rotate":  {verb[pgha.RotateResult]{}},
	"spec validate":   {mistakesAnswer{}},
	"start":           {verb[pgha.StartResult]{}},
	"unmanage":        {verb[pgha.UnmanageResult]{}},
	"state pull":      {pulledAnswer{}},
	"state show":      {secrets.Copies{}},
	"status":          {shownStatus{}},
	"stop":            {verb[pgha.StopResult]{}},
	"switchover":      {verb[pgha.SwitchoverResult]{}, verb[patroni.ScheduledSwitchover]{}},
	"vip move":        {verb[pgha.MoveAddressResult]{}},
	"host add":        {verb[pgha.HostResult]{}},
	"host remove":     {verb[pgha.HostResult]{}},
	"host replace":    {verb[pgha.HostResult]{}},
	"change show":     {halfChange{}},
	"backup":          {verb[restore.TakeResult]{}},
	"backup list":     {restore.Contents{}},
	"backup check":    {verb[struct{}]{}},
	"backup expire":   {verb[struct{}]{}},
	"backup drill":    {verb[backup.Proof]{}},
	"restore":         {verb[restore.Result]{}, verb[sightAnswer]{}},
	"restore confirm": {verb[struct{}]{}},
	"restore undo":    {verb[restore.Result]{}},
	"change continue": {verb[pgha.HostResult]{}},
	"change undo":     {verb[pgha.HostResult]{}},
	"sync":            {verb[synchronousResult]{}},
	"verify":          {checksAnswer{}, verb[pgha.DeepVerifyResult]{}},
	"version":         {build{}},
	"why":             {incident.Account{}},

	"certificates clients":   {certificates.Clients{}},
	"certificates list":      {certificates.Inventory{}},
	"certificates import":    {verb[certificates.ImportResult]{}},
	"certificates renew":     {verb[certificates.RenewResult]{}},
	"certificates request":   {verb[certificates.RequestResult]{}},
	"certificates rotate-ca": {verb[certificates.RotateResult]{}},
}

// verb is an operationResult whose Result is an R.
type verb[R any] struct {
	operationResult
	Result R `json:"result,omitempty"`
}

// What these types write as JSON they choose themselves.
type (
	queryResult struct {
		Member    string              `json:"member"`
		Role      query.QueryRole     `json:"role"`
		ReadOnly  bool                `json:"read_only"`
		Command   string              `json:"command"`
		Columns   []query.QueryColumn `json:"columns"`
		Rows      []map[string]any    `json:"rows"`
		Truncated bool                `json:"truncated"`
		Seconds   float64             `json:"duration_seconds"`
	}
	timing struct {
		Fault   string       `json:"fault"`
		Typical float64      `json:"typical_seconds"`
		Worst   float64      `json:"worst_seconds"`
		Parts   []timingPart `json:"parts"`
		Note    string       `json:"note,omitempty"`
	}
	timingPart struct {
		What    string  `json:"what"`
		Min     float64 `json:"min_seconds"`
		Typical float64 `json:"typical_seconds"`
		Max     float64 `json:"max_seconds"`
		Source  string  `json:"source"`
	}
	facts struct {
		preflight.Facts
		Listeners   map[string]string `json:"listeners"`
		ClockOffset float64           `json:"clock_offset_seconds"`
	}
	loss struct {
		What     string          `json:"what"`
		Hosts    []string        `json:"hosts"`
		Blocked  string          `json:"blocked,omitempty"`
		Typical  float64         `json:"typical_seconds"`
		Worst    float64         `json:"worst_seconds"`
		Risk     advisor.Risk    `json:"risk"`
		Left     string          `json:"left"`
		Survives bool            `json:"survives_next"`
		Fatal    []advisor.Fatal `json:"fatal"`
		Note     string          `json:"note,omitempty"`
	}
)

// TestOutputSchema holds docs/output.schema.json to the types that the commands print (-update
// rewrites it). Each command with --output is in it, each time is a date-time, each duration a
// number of seconds.
func TestOutputSchema(t *testing.T) {
	all := &jsonschema.Schema{
		Schema: "https://json-schema.org/draft/2020-12/schema",
		Title:  "What pgha-cli prints with --output json",
		Description: "$defs has an entry for each command. apply and logs print an object a " +
			"line, the others one object.",
		Defs: map[string]*jsonschema.Schema{
			"failure": schemaOf(t, failure{}), "finding": findingSchema(t),
		},
	}
	for name, kinds := range answers {
		s := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{}}
		for _, kind := range kinds {
			described := schemaOf(t, kind)
			for field, what := range all.Defs["failure"].Properties {
				if described.Properties[field] == nil {
					described.Properties[field] = what
				}
			}
			s.AnyOf = append(s.AnyOf, described)
		}
		s.AnyOf = append(s.AnyOf, all.Defs["failure"])
		all.Defs[name] = s
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, schemaFile, append(text, '\n'))

	everyCommand(wholeProgram(), nil, func(path []string, c *cli.Command) {
		for _, flag := range c.Flags {
			if name := strings.Join(path, " "); flag.Names()[0] == "output" &&
				all.Defs[name] == nil {
				t.Errorf("%s has --output and no schema", name)
			}
		}
	})
}

// schemaOf describes what a value of the type is as JSON.
func schemaOf(t *testing.T, v any) *jsonschema.Schema {
	t.Helper()
	noDurations(t, reflect.TypeOf(v), map[reflect.Type]bool{})
	moment := &jsonschema.Schema{Type: "string", Format: "date-time"}
	known := map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[time.Time]():       moment,
		reflect.TypeFor[patroni.Elapsed](): {Type: "number"},
		reflect.TypeFor[patronirest.LSN](): {Type: "string"},
		reflect.TypeFor[pki.Usage]():       {Type: "string"},
		reflect.TypeFor[typedFinding]():    {Ref: "#/$defs/finding"},
	}
	options := &jsonschema.ForOptions{TypeSchemas: known}
	for own, shown := range map[reflect.Type]any{
		reflect.TypeFor[advisor.TimingPart](): timingPart{},
		reflect.TypeFor[advisor.Timing]():     timing{},
		reflect.TypeFor[advisor.Loss]():       loss{},
		reflect.TypeFor[preflight.Facts]():    facts{},
	} {
		described, err := jsonschema.ForType(reflect.TypeOf(shown), options)
		if err != nil {
			t.Fatal(err)
		}
		known[own] = described
	}
	described, err := jsonschema.ForType(reflect.TypeOf(v), options)
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	return described
}

// findingSchema describes a finding, whose symptoms are findings.
func findingSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	var fields []reflect.StructField
	for _, field := range reflect.VisibleFields(reflect.TypeFor[typedFinding]()) {
		if field.Name != "Symptoms" {
			fields = append(fields, field)
		}
	}
	described := schemaOf(t, reflect.New(reflect.StructOf(fields)).Elem().Interface())
	described.Properties["symptoms"] = &jsonschema.Schema{Type: "array",
		Items: &jsonschema.Schema{Ref: "#/$defs/finding"}}
	return described
}

// noDurations finds fields that would print nanoseconds.
func noDurations(t *testing.T, in reflect.Type, seen map[reflect.Type]bool) {
	t.Helper()
	for in.Kind() == reflect.Pointer || in.Kind() == reflect.Slice || in.Kind() == reflect.Map {
		in = in.Elem()
	}
	if in.Kind() != reflect.Struct || seen[in] || in.Implements(reflect.TypeFor[json.Marshaler]()) {
		return
	}
	seen[in] = true
	for field := range in.NumField() {
		f := in.Field(field)
		if f.Tag.Get("json") == "-" || !f.IsExported() {
			continue
		}
		if f.Type == reflect.TypeFor[time.Duration]() {
			t.Errorf("%s.%s prints nanoseconds", in, f.Name)
		}
		noDurations(t, f.Type, seen)
	}
}
