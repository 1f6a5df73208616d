package vip_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgha/toolkit/internal/golden"
	"github.com/pgha/toolkit/internal/scripttest"
	"github.com/pgha/toolkit/pgha/vip"
)

// reference are the balancers of the reference procedure.
func reference() vip.Options {
	o := vip.Options{Address: netip.MustParseAddr("192.168.0.210")}
	for i := range 3 {
		o.Balancers = append(o.Balancers, vip.Balancer{
			Name: fmt.Sprintf("haproxy-%02d", i+1), Address: fmt.Sprintf("192.168.0.%d", 200+i),
			Interface: "enp0s3",
		})
	}
	return o
}

func TestConfigGolden(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		balancer int
		adjust   func(*vip.Options)
	}{
		"first":  {0, func(*vip.Options) {}},
		"second": {1, func(*vip.Options) {}},
		"tuned": {2, func(o *vip.Options) {
			o.PrefixLen, o.RouterID, o.AdvertInterval, o.Preempt = 24, 7, time.Second, true
			o.CheckPort, o.CheckInterval, o.Fall, o.Rise = 7100, 2*time.Second, 2, 3
			o.Balancers[2].Priority, o.Balancers[2].Interface = 200, "bond0.12"
		}},
		"former": {0, func(o *vip.Options) {
			o.Former = netip.MustParseAddr("192.168.0.209")
		}},
		"former-ipv6": {1, func(o *vip.Options) {
			o.Address, o.Former = netip.MustParseAddr("fd00::210"), netip.MustParseAddr("fd00::209")
			for i := range o.Balancers {
				o.Balancers[i].Address = fmt.Sprintf("fd00::%d", 200+i)
			}
		}},
		"ipv6": {0, func(o *vip.Options) {
			o.Address = netip.MustParseAddr("fd00::210")
			for i := range o.Balancers {
				o.Balancers[i].Address = fmt.Sprintf("fd00::%d", 200+i)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := reference()
			c.adjust(&o)
			got, err := vip.Config(o, c.balancer)
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, filepath.Join("testdata", name+".conf.golden"), got)
			t.Run("keepalived accepts it", func(t *testing.T) {
				t.Parallel()
				if out, err := keepalivedTest(t, got, o.Balancers[c.balancer]); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		})
	}
}

func TestKeepalivedRefusesNonsense(t *testing.T) {
	t.Parallel()
	o := reference()
	cfg, err := vip.Config(o, 0)
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Replace(cfg, []byte("virtual_router_id 51"), []byte("virtual_ruoter_id 51"), 1)
	if out, err := keepalivedTest(t, broken, o.Balancers[0]); err == nil {
		t.Errorf("a misspelt word was accepted\n%s", out)
	}
}

// keepalivedTest runs the validation of the hosts in a network namespace that has the balancer's
// interface.
func keepalivedTest(t *testing.T, cfg []byte, b vip.Balancer) ([]byte, error) {
	t.Helper()
	if _, err := exec.LookPath("keepalived"); err != nil {
		t.Skip("keepalived is not installed here")
	}
	if os.Getuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	dir := t.TempDir()
	conf, script := filepath.Join(dir, "keepalived.conf"), filepath.Join(dir, "check_haproxy.sh")
	check, err := os.ReadFile("check_haproxy.sh")
	if err != nil {
		t.Fatal(err)
	}
	// The user of the hosts is made by Configure; any other than root behaves the same.
	text := strings.NewReplacer("/etc/keepalived/check_haproxy.sh", script,
		"script_user keepalived_script",
		"script_user daemon").Replace(string(cfg))
	scripttest.Program(t, dir, "check_haproxy.sh", string(check))
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const inside = `ip link add "$1" type veth peer name peer0 && ip addr add "$2" dev "$1" && ip link set "$1" up || exit 99
exec sh validate.sh "$3"`
	out, err := exec.CommandContext(t.Context(), "unshare", "--net", "sh", "-c", inside, "inside",
		b.Interface, b.Address+"/24", conf).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && (exit.ExitCode() == 99 ||
		strings.Contains(string(out), "unshare")) {
		t.Skipf("no network namespace can be made here: %s", out)
	}
	return out, err
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		adjust func(*vip.Options)
		want   string // part of the message; "" is valid
	}{
		"reference": {func(*vip.Options) {}, ""},
		"slowest adverts": {func(o *vip.Options) {
			o.AdvertInterval = 40950 * time.Millisecond
		}, ""},
		"no address": {func(o *vip.Options) { o.Address = netip.Addr{} }, "can't be a virtual IP"},
		"multicast": {
			func(o *vip.Options) {
				o.Address = netip.MustParseAddr("224.0.0.18")
			}, "can't be a virtual IP",
		},
		"loopback": {
			func(o *vip.Options) {
				o.Address = netip.MustParseAddr("127.0.0.9")
			}, "can't be a virtual IP",
		},
		"a balancer's address": {
			func(o *vip.Options) { o.Address = netip.MustParseAddr("192.168.0.201") },
			"balancer haproxy-02's own address",
		},
		"other family": {
			func(o *vip.Options) {
				o.Address = netip.MustParseAddr("fd00::1")
			}, "different families",
		},
		"a former address": {func(o *vip.Options) {
			o.Former = netip.MustParseAddr("192.168.0.209")
		}, ""},
		"the former address is the new one": {func(o *vip.Options) { o.Former = o.Address },
			"the former address 192.168.0.210 is the virtual IP itself"},
		"the former address is a balancer's": {func(o *vip.Options) {
			o.Former = netip.MustParseAddr("192.168.0.201")
		}, "192.168.0.201 is balancer haproxy-02's own address"},
		"the former address of the other family": {func(o *vip.Options) {
			o.Former = netip.MustParseAddr("fd00::1")
		}, "different families"},
		"the former address is none": {func(o *vip.Options) {
			o.Former = netip.MustParseAddr("127.0.0.1")
		}, "former address 127.0.0.1 can't be a virtual IP"},
		"prefix too long": {func(o *vip.Options) { o.PrefixLen = 33 }, "prefix length 33"},
		"router ID":       {func(o *vip.Options) { o.RouterID = 256 }, "router ID 256"},
		"adverts too fast": {
			func(o *vip.Options) {
				o.AdvertInterval = time.Millisecond
			}, "advertisement interval 1ms",
		},
		"adverts between steps": {
			func(o *vip.Options) {
				o.AdvertInterval = 205 * time.Millisecond
			}, "advertisement interval 205ms",
		},
		"check port": {func(o *vip.Options) { o.CheckPort = 70000 }, "check port 70000"},
		"check interval": {
			func(o *vip.Options) {
				o.CheckInterval = 500 * time.Millisecond
			}, "check interval 500ms",
		},
		"fall": {func(o *vip.Options) { o.Fall = -1 }, "fall -1"},
		"one balancer": {func(o *vip.Options) { o.Balancers = o.Balancers[:1] },
			"needs two balancers"},
		"same priority": {
			func(o *vip.Options) { o.Balancers[2].Priority = 90 },
			"haproxy-02 and haproxy-03 have the same priority 90",
		},
		"priority of the owner": {func(o *vip.Options) { o.Balancers[0].Priority = 255 },
			"priority 255"},
		"same address": {
			func(o *vip.Options) { o.Balancers[2].Address = "192.168.0.200" }, "the same address",
		},
		"balancer by name": {func(o *vip.Options) { o.Balancers[2].Address = "lb3" },
			"no IP address"},
		"interface with a brace": {
			func(o *vip.Options) { o.Balancers[0].Interface = "eth0 }" }, "name of an interface",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := reference()
			c.adjust(&o)
			err := o.Validate()
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, vip.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want ErrInvalid with %q", err, c.want)
			}
			if _, err := vip.Config(o, 0); !errors.Is(err, vip.ErrInvalid) {
				t.Errorf("Config: got %v, want ErrInvalid", err)
			}
		})
	}
}

func TestConfigNeedsAnInterfaceAndABalancer(t *testing.T) {
	t.Parallel()
	o := reference()
	o.Balancers[1].Interface = ""
	for i, want := range map[int]string{
		1: "haproxy-02: the interface is not known", 3: "no balancer with index 3",
		-1: "no balancer with index -1",
	} {
		if _, err := vip.Config(o, i); !errors.Is(err, vip.ErrInvalid) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("balancer %d: got %v, want %q", i, err, want)
		}
	}
}

func TestConfigRefusesANameThatIsNoWord(t *testing.T) {
	t.Parallel()
	o := reference()
	o.Balancers[0].Name = "lb1\n    script_user root"
	if _, err := vip.Config(o, 0); err == nil {
		t.Error("a line break was rendered")
	}
}
