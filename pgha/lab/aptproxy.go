package lab

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// aptProxies returns the proxies of the machine's apt configuration, by
// scheme. They may carry a password and go into no log.
func aptProxies(ctx context.Context) map[string]string {
	proxies := map[string]string{}
	for _, scheme := range []string{"http", "https"} {
		out, err := exec.CommandContext(ctx, "apt-config", "shell", "proxy",
			"Acquire::"+scheme+"::Proxy").Output()
		if err != nil {
			continue
		}
		if value := parseAptShell(string(out)); value != "" && value != "DIRECT" {
			proxies[scheme] = value
		}
	}
	return proxies
}

// parseAptShell reads one assignment printed by apt-config: proxy='value'.
func parseAptShell(line string) string {
	_, value, _ := strings.Cut(strings.TrimSpace(line), "=")
	return strings.Trim(value, "'")
}

func aptProxyEnv(ctx context.Context) []string {
	var env []string
	for scheme, proxy := range aptProxies(ctx) {
		env = append(env, scheme+"_proxy="+proxy)
	}
	return env
}

func aptProxyConf(ctx context.Context) []byte {
	var b strings.Builder
	for scheme, proxy := range aptProxies(ctx) {
		fmt.Fprintf(&b, "Acquire::%s::Proxy %q;\n", scheme, proxy)
	}
	return []byte(b.String())
}
