package certificates

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pgha/toolkit/pgha/engine"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/event"
	"github.com/pgha/toolkit/pgha/internal/job"
	"github.com/pgha/toolkit/pgha/internal/vault"
	"github.com/pgha/toolkit/pgha/layout"
	"github.com/pgha/toolkit/pgha/patroni"
	"github.com/pgha/toolkit/pgha/pki"
	"github.com/pgha/toolkit/pgha/remote"
)

// RequestOptions say which authority a company is asked to sign.
type RequestOptions struct {
	engine.Operation
	// Authority is etcd or postgres.
	Authority string
	// New makes another key and request in the place of those that are open, and of what was
	// imported for them. Without it a request that is open is returned again.
	New bool
}

// RequestResult is a request for a company's signer. It holds nothing secret.
type RequestResult struct {
	Authority string `json:"authority"`
	Subject   string `json:"subject"`
	// Request is in PEM (PKCS#10), and File where it lies in the state directory, whole.
	Request string `json:"request"`
	File    string `json:"file"`
	// Made: it is new, and its key too.
	Made bool `json:"made"`
	// Names are what the certificates of the authority name, for a signer that constrains names.
	Names []string `json:"names"`
	// LeastDays is how long the certificate has to be valid at least: as long as those that it
	// signs.
	LeastDays int `json:"least_days"`
}

// Request returns a request that a company signs to make the authority an intermediate one of its
// own: RotateCA brings it in after Import. Its key is made in the state directory and leaves it
// never. Refused (errs.ErrRefused) are rest and backup, and every authority while one is being
// replaced. No host is changed but for the generation that it remembers, and repeated it returns
// the same request.
func (c Certificates) Request(ctx context.Context, opts RequestOptions) (RequestResult, error) {
	own, authority, err := c.company(ctx, opts.Authority, opts.DryRun)
	if err != nil {
		return RequestResult{}, err
	}
	request := own.Request()
	r := RequestResult{Authority: name(authority), Subject: vault.CAName(c.site.Spec, authority),
		File: c.site.State.Path(own.RequestFile()), Made: opts.New || request == nil}
	leaf := vault.LeafOf(c.site.Spec, authority)
	r.LeastDays = int(leaf.Lifetime / vault.Day)
	r.Names = namesOf(leaf)
	r.Request = string(request)
	if !r.Made {
		return r, nil
	}
	err = c.keep(ctx, "certificates request", opts.Operation, remote.Change{Kind: "request",
		Name: name(authority), Action: "made, with a new key"},
		func(s *vault.State) error {
			made, err := s.Replacement(authority).Company().Ask(c.site.Spec)
			r.Request = string(made)
			return err
		})
	if opts.DryRun {
		r.Request = ""
	}
	return r, err
}

func namesOf(leaf pki.Request) []string {
	list := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPs {
		list = append(list, ip.String())
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// ImportOptions say what a company has signed.
type ImportOptions struct {
	engine.Operation
	// Authority is etcd or postgres.
	Authority string
	// File is the name of what Content was read from, for errors. Content is PEM: the certificate
	// that was made for the request, and those above it up to the root, in any order.
	File    string
	Content []byte
}

// ImportResult is what the next replacement of the authority brings in.
type ImportResult struct {
	Authority string `json:"authority"`
	Seen
	Subject string `json:"subject"`
	// Root is the subject of the one at the end of the chain, and ChainEnds when the first of the
	// chain ends.
	Root      string    `json:"root"`
	ChainEnds time.Time `json:"chain_ends"`
	// Intermediates are how many servers send behind their certificate.
	Intermediates int `json:"intermediates"`
	// Again: it was imported before.
	Again bool `json:"again,omitempty"`
}

// Import judges what a company has signed for the open request, and keeps it in the state
// directory: the next RotateCA of the authority brings it in, and until then nothing uses it. An
// error matches errs.ErrRefused and one of those of pki.ReadSigned, and names the file and the
// certificate in it. Safe to repeat. No host is changed but for the generation that it remembers.
func (c Certificates) Import(ctx context.Context, opts ImportOptions) (ImportResult, error) {
	own, authority, err := c.company(ctx, opts.Authority, opts.DryRun)
	if err != nil {
		return ImportResult{}, err
	}
	chain, err := own.Read(c.site.Spec, opts.Content)
	if err != nil {
		return ImportResult{}, aboutImport(err, opts)
	}
	r, err := imported(authority, chain)
	if err != nil {
		return r, err
	}
	had, _, err := own.Imported()
	if r.Again = err == nil && string(had) == string(chain); r.Again || err != nil {
		return r, err
	}
	return r, c.keep(ctx, "certificates import", opts.Operation, remote.Change{Kind: "authority",
		Name: name(authority), Action: "imported, issued by " + r.Issuer},
		func(s *vault.State) error {
			// The request may be another one by now.
			chain, err := s.Replacement(authority).Company().Read(c.site.Spec, opts.Content)
			if err != nil {
				return aboutImport(err, opts)
			}
			return s.Replacement(authority).Company().Take(chain)
		})
}

// imported describes a chain.
func imported(authority string, chain []byte) (ImportResult, error) {
	r := ImportResult{Authority: name(authority), Seen: seen(chain, time.Now())}
	all, err := pki.InspectAll(chain)
	if err != nil {
		return r, err
	}
	root := all[len(all)-1]
	r.Subject, r.Root, r.Intermediates = all[0].Subject, root.Subject, len(all)-1
	r.ChainEnds = ends(all)
	return r, nil
}

// ends is when the first of a chain ends.
func ends(chain []pki.Info) time.Time {
	return slices.MinFunc(chain, func(a, b pki.Info) int {
		return a.NotAfter.Compare(b.NotAfter)
	}).NotAfter
}

// company is what the state directory has of an authority that a company may sign.
func (c Certificates) company(ctx context.Context, called string, dry bool) (vault.Company, string,
	error) {
	var none vault.Company
	authority, ok := layout.AuthorityNamed(called)
	if !ok {
		return none, "", errs.WithNext(fmt.Errorf("%w: there is no authority %q", patroni.ErrInvalid,
			called), errs.Text("a company can sign postgres and etcd"))
	}
	own := c.site.State.Replacement(authority).Company()
	if err := own.Possible(); err != nil {
		return none, "", err
	}
	if _, err := own.Issuing(); err != nil { // no cluster was applied from here
		return none, "", err
	}
	if own.Progress().Unfinished() {
		return none, "", errs.WithNext(fmt.Errorf("%w: the %s authority is being replaced",
			errs.ErrRefused, called), errs.Text("%s finishes it, %s takes it back",
			errs.Verb("change", "continue"), errs.Verb("change", "undo")))
	}
	if !dry {
		if err := c.site.Writable(); err != nil {
			return none, "", err
		}
	}
	return own, authority, c.judge(ctx)
}

// keep changes the state directory, under the lock of the cluster and with its copies in line.
func (c Certificates) keep(ctx context.Context, verb string, op engine.Operation,
	planned remote.Change, change func(*vault.State) error) error {
	return engine.Operate(ctx, c.site, verb, op, job.LockHosts,
		func(ctx context.Context, run *job.Job) (err error) {
			planned.Host, planned.Planned = "operator", run.Planning()
			if run.Planning() {
				run.Out.Emit(event.Event{Kind: event.Changed, Phase: run.Phase, Host: planned.Host,
					Change: &planned})
				return nil
			}
			s, end, err := settled(run.Site)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, end()) }()
			if err := run.GrowState(ctx, s); err != nil {
				return err
			}
			if err := change(s); err != nil {
				return err
			}
			run.Out.Emit(event.Event{Kind: event.Changed, Phase: run.Phase, Host: planned.Host,
				Change: &planned})
			return run.GrowState(ctx, s)
		})
}

// next is the fingerprint of the imported authority that takes an authority's place, "" for one of
// the tool's own. Nobody falls back from a company's to that by mistake.
func (c Certificates) next(authority string, own bool) (string, error) {
	company := c.site.State.Replacement(authority).Company()
	back := errs.Verb("certificates", "rotate-ca", name(authority), "--own")
	_, fingerprint, err := company.Imported()
	switch {
	case err != nil:
		return "", fmt.Errorf("load the imported %s authority: %w", name(authority), err)
	case own:
		return "", nil
	case fingerprint != "":
		return fingerprint, nil
	case company.Progress().Unfinished():
		return "", nil // begun before there were records: it is there
	case company.Request() != nil:
		return "", errs.WithNext(fmt.Errorf("%w: a company was asked to sign the %s authority, and "+
			"no certificate of it was imported", errs.ErrRefused, name(authority)),
			errs.Text("%s takes it in; %s makes an authority of the tool's own instead",
				errs.Verb("certificates", "import", name(authority), "FILE"), back))
	case company.InForce():
		return "", errs.WithNext(fmt.Errorf("%w: the %s authority is one of your company, and the "+
			"next one would not be", errs.ErrRefused, name(authority)),
			errs.Text("%s asks for the next one; %s goes back to an authority of the "+
				"tool's own", errs.Verb("certificates", "request", name(authority)), back))
	}
	return "", nil
}

// remedies say what to do about what is wrong in a file, in the order in which they are looked for.
var remedies = []struct {
	is   error
	then string
}{
	{pki.ErrPrivateKey, "keep keys out of it: the authority's own never leaves the state directory, " +
		"and the company's is nobody else's"},
	{pki.ErrKeyMismatch, "have the request signed that %s prints; what was signed for an earlier " +
		"one does not fit any more"},
	{pki.ErrIssuerMissing, "add that certificate to the file: cat them together, in any order"},
	{pki.ErrRootMissing, "add the certificates up to the root to the file, in any order"},
	{pki.ErrSignature, "the company has another certificate of that name, or the file was changed " +
		"on its way: get it again from the signer"},
	{pki.ErrStray, "leave it out of the file"},
	{pki.ErrNotYetValid, "look at the clock of this machine, or wait"},
	{pki.ErrExpired, "get the renewed certificate from the signer"},
	{pki.ErrEndsEarly, "have it signed for longer, or lower tls.leaf_lifetime_days of the " +
		"specification"},
	{pki.ErrPathLength, "have it signed by an authority that may have one below it"},
	{pki.ErrWeak, "have it signed with a key of RSA from 2048 bits on or of ECDSA from P-256 on, and " +
		"with SHA-256 or better"},
	{pki.ErrNameExcluded, "%s lists the names that it has to allow"},
	{pki.ErrUsage, "leave its extended key usage out, or put serverAuth and clientAuth in"},
	{pki.ErrNotCA, "sign it with basicConstraints critical,CA:TRUE,pathlen:0, keyUsage critical," +
		"keyCertSign,cRLSign, and both key identifiers"},
	{pki.ErrInvalidPEM, "the file has to be PEM: openssl x509 -in FILE -inform DER makes it of DER"},
	{vault.ErrNoRequest, "%s makes one, which the company signs"},
}

// aboutImport names the file and adds what to do.
func aboutImport(err error, opts ImportOptions) error {
	err = fmt.Errorf("%w: %s: %w", errs.ErrRefused, opts.File, err)
	for _, r := range remedies {
		if !errors.Is(err, r.is) {
			continue
		}
		if !strings.Contains(r.then, "%s") {
			return errs.WithNext(err, errs.Text("%s", r.then))
		}
		return errs.WithNext(err, errs.Text(r.then, errs.Verb("certificates", "request",
			opts.Authority)))
	}
	return err
}
