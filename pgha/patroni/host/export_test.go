package host

// What this package's tests look at beside its exported names.
const (
	CallbackPath = callbackPath
	IdentMap     = identMap
	WatchPath    = watchPath
)

var (
	CallbackScript  = callbackScript
	CheckParameters = checkParameters
	CheckRoles      = checkRoles
	CheckRules      = checkRules
	HBAName         = hbaName
	ReloadOn        = reloadOn
)

func (o Options) HBA() []string             { return o.hba() }
func (o Options) Callback() (string, error) { return o.callback() }
func (o Options) PassFile() []byte          { return o.passFile() }
func (o Options) RolesSQL() string          { return o.rolesSQL() }
func (o Options) FailoverService(m Member) ([]byte, error) {
	return o.failoverService(m)
}
func (o Options) WatchService(m Member) ([]byte, error) { return o.watchService(m) }
