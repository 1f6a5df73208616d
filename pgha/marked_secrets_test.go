package pgha_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/jackc/pgx/v5"
	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/pgha"
	"github.com/pgha/toolkit/pgha/accept"
	"github.com/pgha/toolkit/pgha/advisor/measure"
	"github.com/pgha/toolkit/pgha/backup"
	"github.com/pgha/toolkit/pgha/certificates"
	"github.com/pgha/toolkit/pgha/connstring"
	"github.com/pgha/toolkit/pgha/doctor/checkup"
	"github.com/pgha/toolkit/pgha/drill"
	"github.com/pgha/toolkit/pgha/etcd"
	"github.com/pgha/toolkit/pgha/hosts"
	"github.com/pgha/toolkit/pgha/incident"
	"github.com/pgha/toolkit/pgha/inspect"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/journal"
	"github.com/pgha/toolkit/pgha/lab"
	"github.com/pgha/toolkit/pgha/lb"
	"github.com/pgha/toolkit/pgha/monitoring"
	"github.com/pgha/toolkit/pgha/operate"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/patroni/rest"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/pooler"
	"github.com/pgha/toolkit/pgha/power"
	"github.com/pgha/toolkit/pgha/probe"
	"github.com/pgha/toolkit/pgha/provision"
	"github.com/pgha/toolkit/pgha/query"
	"github.com/pgha/toolkit/pgha/recovery"
	"github.com/pgha/toolkit/pgha/remote"
	"github.com/pgha/toolkit/pgha/remote/ssh"
	"github.com/pgha/toolkit/pgha/remote/sudo"
	"github.com/pgha/toolkit/pgha/restore"
	"github.com/pgha/toolkit/pgha/secrets"
	"github.com/pgha/toolkit/pgha/settings"
	"github.com/pgha/toolkit/pgha/spec"
	"github.com/pgha/toolkit/pgha/verify"
	"github.com/pgha/toolkit/pgha/vip"
)

// mark is the content of every secret in these tests. It stands in no other field.
const mark = "marked-secret-7Q"

// configured are all exported structs that a program fills in or is handed credentials in.
// TestEveryOptionsStructIsExamined finds those that are missing here.
func configured() []any {
	return []any{
		pki.KeyPair{}, pki.Leaf{}, pki.VerifyOptions{}, pki.SignedOptions{},
		etcd.Options{}, patroni.Options{},
		connstring.ExportOptions{},
		rest.Options{}, monitoring.Options{},
		patroni.Credentials{},
		patroni.FailoverOptions{}, patroni.PauseOptions{}, patroni.ReinitializeOptions{},
		patroni.RestartOptions{},
		patroni.SetConfigOptions{}, patroni.SwitchoverOptions{}, lb.Options{}, vip.Options{},
		lab.Options{},
		sudo.Options{}, remote.RetryOptions{}, ssh.Config{}, probe.Options{}, spec.Spec{},
		pgha.ConnectOptions{}, accept.AcceptOptions{}, measure.AdviseOptions{},
		inspect.PreflightOptions{},
		journal.LogsOptions{}, operate.FailoverOptions{}, operate.PauseOptions{},
		operate.ReloadOptions{},
		operate.ReinitializeOptions{}, operate.RestartOptions{}, operate.SwitchoverOptions{},
		operate.SynchronousOptions{}, operate.MoveAddressOptions{}, power.MendOptions{}, power.RollingRebootOptions{},
		power.ResetOptions{}, power.DestroyOptions{}, power.UnmanageOptions{},
		power.StartOptions{}, power.StopOptions{}, provision.ApplyOptions{},
		provision.PlanOptions{},
		recovery.FromOptions{}, recovery.TakeOverOptions{}, lab.WipeOptions{},
		pooler.Options{}, pooler.PauseOptions{}, backup.Options{}, restore.Options{}, restore.TakeOptions{},
		certificates.RenewOptions{}, certificates.RotateOptions{},
		certificates.RequestOptions{}, certificates.ImportOptions{},
		hosts.Options{}, hosts.AddOptions{}, hosts.RemoveOptions{}, hosts.ReplaceOptions{},
		query.QueryOptions{}, secrets.RotateOptions{}, settings.SetConfigOptions{},
		verify.DeepVerifyOptions{},
		checkup.Options{}, drill.Options{}, incident.Options{},
		vault.Credentials{}, // of no public package, but the source of all the others
	}
}

// filled returns a value whose every secret is the mark, and whose lists and maps have one element.
// It leaves pointers empty that lead back to one of the types around it.
func filled(of reflect.Type, around ...reflect.Type) reflect.Value {
	around = append(slices.Clone(around), of)
	v := reflect.New(of).Elem()
	switch {
	case of == reflect.TypeFor[pki.Secret]():
		return reflect.ValueOf(pki.NewSecret([]byte(mark)))
	case of == reflect.TypeFor[*pgx.ConnConfig]():
		config, err := pgx.ParseConfig("host=192.0.2.1")
		if err != nil {
			panic(err)
		}
		config.Password = mark
		return reflect.ValueOf(config)
	case of.Kind() == reflect.Struct && ours(of):
		for i := range of.NumField() {
			if of.Field(i).IsExported() {
				v.Field(i).Set(filled(of.Field(i).Type, around...))
			}
		}
	case of.Kind() == reflect.Slice:
		v = reflect.Append(v, filled(of.Elem(), around...))
	case of.Kind() == reflect.Map:
		v = reflect.MakeMap(of)
		v.SetMapIndex(filled(of.Key(), around...), filled(of.Elem(), around...))
	case of.Kind() == reflect.Pointer && ours(of.Elem()) && !slices.Contains(around, of.Elem()):
		v = reflect.New(of.Elem())
		v.Elem().Set(filled(of.Elem(), around...))
	case of.Kind() == reflect.String:
		v.SetString("plain")
	}
	return v
}

// ours reports whether a type is declared in this module.
func ours(t reflect.Type) bool { return strings.HasPrefix(t.PkgPath(), "github.com/pgha/toolkit/") }

// parts calls see for a value and for every struct of this module inside it: what hides a field
// from one of the ways below, as a function hides its struct from JSON, does not hide the rest.
func parts(v reflect.Value, see func(reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		if !ours(v.Type()) || v.Type() == reflect.TypeFor[pki.Secret]() {
			return
		}
		see(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				parts(v.Field(i), see)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			parts(v.Index(i), see)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			parts(v.MapIndex(key), see)
		}
	case reflect.Pointer:
		parts(v.Elem(), see)
	}
}

// shown are the ways in which a program may show a value by accident, by name.
func shown(value any) map[string]string {
	texts := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x", "%s", "%q"} {
		texts[verb] = fmt.Sprintf(verb, value)
	}
	texts["error"] = fmt.Errorf("options: %v", value).Error()
	text, err := json.Marshal(value)
	texts["json"] = fmt.Sprint(string(text), err)
	texts["yaml"] = marshalYAML(value)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("options", "value", value)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("options", "value", value)
	texts["slog"] = log.String()
	return texts
}

// marshalYAML returns the text, or what the encoder says in panic of a function.
func marshalYAML(value any) (text string) {
	defer func() {
		if refusal := recover(); refusal != nil {
			text = fmt.Sprint(refusal)
		}
	}()
	out, err := yaml.Marshal(value)
	return fmt.Sprint(string(out), err)
}

// shows reports whether a text has the mark in it: as text, as base64 or as the numbers of its
// bytes.
func shows(text string) bool {
	if strings.Contains(text, mark) || strings.Contains(text, hex.EncodeToString([]byte(mark))) ||
		strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(mark))) {
		return true
	}
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	plain := strings.Join(words, " ")
	decimal, prefixed := fmt.Sprintf("%d", []byte(mark)), fmt.Sprintf("% #x", []byte(mark))
	return strings.Contains(plain, strings.Trim(decimal, "[]")) || strings.Contains(plain, prefixed)
}

func TestNoWayOfShowingOptionsShowsASecret(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{}
	for _, empty := range configured() {
		parts(filled(reflect.TypeOf(empty)), func(v reflect.Value) {
			if seen[v.Type()] {
				return
			}
			seen[v.Type()] = true
			for way, text := range shown(v.Interface()) {
				if shows(text) {
					t.Errorf("%s of %s shows a secret", way, v.Type())
				}
			}
		})
	}
	for _, must := range []any{patroni.Member{}, etcd.Member{}, vault.Credentials{},
		spec.Secrets{}} {
		if !seen[reflect.TypeOf(must)] {
			t.Errorf("%T was not reached", must)
		}
	}
}

// TestLeakIsSeen is the proof that the test above can fail: each way shows a secret that is no
// pki.Secret.
func TestLeakIsSeen(t *testing.T) {
	t.Parallel()
	for name, leak := range map[string]any{
		"text":  struct{ Password string }{mark},
		"bytes": struct{ Key []byte }{[]byte(mark)},
	} {
		for way, text := range shown(leak) {
			if !shows(text) {
				t.Errorf("%s hides %s: %s", way, name, text)
			}
		}
	}
}
