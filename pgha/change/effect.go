package change

// Effect is what apply does about a changed field on a cluster that runs.
type Effect string

// The effects, from the mildest on.
const (
	// Operator changes nothing on the hosts: the field is about this machine, or about what is
	// measured.
	Operator Effect = "operator"
	// Reload brings the new value into the running programs, without a restart and without a lost
	// connection.
	Reload Effect = "reload"
	// RolledRestart restarts a program on one host after the other, each once the one before is
	// healthy.
	RolledRestart Effect = "rolled restart"
	// Ordered is done in steps that clients may notice; the table says how.
	Ordered Effect = "ordered change"
	// Refused is not done on a cluster that runs; Why says the reason, Way what to do.
	Refused Effect = "refused"
)

// Field is a row of the table.
type Field struct {
	// Name is the field's path in a specification: "postgresql.port", "hosts[].address".
	Name string
	// Effect is what a change of it means.
	Effect Effect
	// What says what apply does, in a sentence; empty where Refused.
	What string
	// Why is the reason of a refusal, as a clause that begins in lower case.
	Why string
	// Way is what to do in place of a refused change, as a clause; "%s" stands for the value that
	// is in use.
	Way string
}

// Fields returns the table, in the order of a specification.
func Fields() []Field {
	var all []Field
	for _, section := range [][]Field{generalFields(), hostFields(), postgresqlFields(),
		contentsFields(), etcdFields(),
		patroniFields(), balancerFields(), backupFields(), poolerFields(), operatorFields()} {
		all = append(all, section...)
	}
	return all
}

// field returns the row of a name. The judges' test sees to it that there is one.
func field(name string) Field {
	for _, f := range Fields() {
		if f.Name == name {
			return f
		}
	}
	return Field{Name: name, Effect: Refused}
}
