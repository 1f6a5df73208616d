package monitoring

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/pgha/toolkit/internal/hostport"
	"github.com/pgha/toolkit/pgha/errs"
	"github.com/pgha/toolkit/pgha/spec"
)

// ErrOff: the specification names no network that metrics are read from, so HAProxy and etcd serve
// none.
var ErrOff = errs.New(errs.Refused, "monitoring.networks is empty: HAProxy and etcd serve no metrics")

// Options say how Prometheus finds what it needs.
type Options struct {
	// CAFile is where Prometheus finds the certificates of the authority behind Patroni's REST API:
	// ca/patroni.crt of the state directory. A relative path starts at the folder of the
	// configuration. Default: "patroni-ca.crt".
	CAFile string
}

// interval is the pause between two scrapes of a target. The rules' times are multiples of it.
const interval = "15s"

// scrapeFile is what Prometheus reads of it: a file of scrape_config_files, or a part of
// prometheus.yml.
type scrapeFile struct {
	ScrapeConfigs []job `yaml:"scrape_configs"`
}

type job struct {
	Name     string     `yaml:"job_name"`
	Interval string     `yaml:"scrape_interval"`
	Scheme   string     `yaml:"scheme,omitempty"`
	TLS      *tlsConfig `yaml:"tls_config,omitempty"`
	Targets  []target   `yaml:"static_configs"`
}

type tlsConfig struct {
	CAFile string `yaml:"ca_file"`
}

type target struct {
	Addresses []string          `yaml:"targets,flow"`
	Labels    map[string]string `yaml:"labels,flow"`
}

// The jobs' names are the cluster's with one of these behind it, so that one Prometheus can watch
// several clusters.
const (
	patroniJob = "-patroni"
	etcdJob    = "-etcd"
	haproxyJob = "-haproxy"
)

// Scrape returns a configuration of Prometheus that scrapes every host of the cluster, in YAML: the
// section scrape_configs, to be included by scrape_config_files (Prometheus 2.43 and later) or put
// into prometheus.yml. Every target has the labels cluster and host. The same specification gives
// the same bytes. The error matches ErrOff.
func Scrape(sp *spec.Spec, o Options) ([]byte, error) {
	if err := on(sp); err != nil {
		return nil, err
	}
	file := scrapeFile{[]job{
		{Name: sp.Cluster + patroniJob, Scheme: "https",
			TLS:     &tlsConfig{CAFile: cmp.Or(o.CAFile, "patroni-ca.crt")},
			Targets: targets(sp, sp.Databases(), sp.Patroni.RESTPort)},
		{Name: sp.Cluster + etcdJob, Targets: targets(sp, sp.EtcdHosts(), sp.Monitoring.EtcdPort)},
	}}
	if balancers := sp.Balancers(); len(balancers) > 0 {
		file.ScrapeConfigs = append(file.ScrapeConfigs, job{Name: sp.Cluster + haproxyJob,
			Targets: targets(sp, balancers, sp.Monitoring.HAProxyPort)})
	}
	for i := range file.ScrapeConfigs {
		file.ScrapeConfigs[i].Interval = interval
	}
	return render("Prometheus scrapes the cluster "+sp.Cluster+" with it", file)
}

// on is an error where there is nothing to scrape.
func on(sp *spec.Spec) error {
	if sp.Monitoring.On() {
		return nil
	}
	return errs.WithNext(ErrOff, errs.Text("write the networks that Prometheus is in, such as "+
		"networks: [10.0.0.0/8], into the section monitoring, then %s", errs.Verb("apply")))
}

func targets(sp *spec.Spec, hosts []spec.Host, port int) []target {
	list := make([]target, 0, len(hosts))
	for _, h := range hosts {
		list = append(list, target{Addresses: []string{hostport.Join(h.Address, port)},
			Labels: map[string]string{"cluster": sp.Cluster, "host": h.Name}})
	}
	return list
}

// render makes a file of Prometheus.
func render(purpose string, document any) ([]byte, error) {
	buf := bytes.NewBufferString("# Written by pgha from the specification: " + purpose + ".\n")
	enc := yaml.NewEncoder(buf)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(document), enc.Close()); err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	return buf.Bytes(), nil
}
