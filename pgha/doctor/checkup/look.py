"""Written by pgha: asks the Patroni and the etcd of this host, and reads Patroni's files. Prints one JSON object."""
import glob, json, re, socket, ssl, sys, threading

rest, etcd, etcd_port, data, etcd_data, *pairs = sys.argv[1:]
timeout, etcd_port = 1.5, int(etcd_port)


def context(certs, cert):
    # Only looked at: what is wrong with a certificate is judged from its file, and must not hide the rest.
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    try:
        c.load_cert_chain(certs + cert + ".crt", certs + cert + ".key")
    except OSError:
        pass
    return c


def ask(host, port, ctx, method, path, body=""):
    # HTTP/1.0: the answer ends with the connection. To import http.client takes as long as Python takes to begin.
    question = "%s %s HTTP/1.0\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s" % (method, path, host, len(body), body)
    with ctx.wrap_socket(socket.create_connection((host.strip("[]"), port), timeout)) as conn:
        conn.sendall(question.encode())
        head, _, answer = b"".join(iter(lambda: conn.recv(1 << 16), b"")).partition(b"\r\n\r\n")
    if not head:
        raise ConnectionError("it hung up without an answer")
    return answer.decode("utf-8", "replace")


def patroni():
    ctx = context("/etc/patroni/certs/", "rest-client")
    host, port = rest.rsplit(":", 1)
    own = json.loads(ask(host, int(port), ctx, "GET", "/patroni"))
    out = {
        "state": own.get("state", ""), "role": own.get("role", ""), "timeline": own.get("timeline") or 0,
        "system_id": own.get("database_system_identifier") or "", "version": own.get("patroni", {}).get("version", ""),
        "paused": bool(own.get("pause")), "last_seen": own.get("dcs_last_seen") or 0,
        "pending_restart": sorted(own.get("pending_restart_reason") or {}) or (["a setting"] if own.get("pending_restart") else []),
    }
    try:
        members = json.loads(ask(host, int(port), ctx, "GET", "/cluster"))["members"]
        out["members"] = [{
            "name": m["name"], "role": m["role"], "state": m["state"], "timeline": m.get("timeline") or 0,
            "lag": m["lag"] if isinstance(m.get("lag"), int) else -1,
        } for m in members]
    except Exception:
        pass
    return out


def percentile(metrics):
    name, last = "etcd_disk_wal_fsync_duration_seconds", 0.0
    total = re.search(r"^%s_count (\S+)" % name, metrics, re.M)
    if not total or float(total[1]) < 100:
        return 0
    for bound, count in re.findall(r'^%s_bucket{le="([^"]+)"} (\S+)' % name, metrics, re.M):
        if bound != "+Inf":
            last = float(bound)
        if float(count) >= 0.99 * float(total[1]):
            return last
    return last


def store():
    ctx = context("/etc/etcd/certs/", "gateway")

    def call(path, body="{}"):
        answer = json.loads(ask(etcd, etcd_port, ctx, "POST", path, body))
        if "code" in answer:
            raise RuntimeError(answer.get("message") or answer.get("error"))
        return answer

    status = call("/v3/maintenance/status")
    members = call("/v3/cluster/member/list", '{"linearizable":false}').get("members", [])
    metrics = ask(etcd, etcd_port, ctx, "GET", "/metrics")
    quota = re.search(r"^etcd_server_quota_backend_bytes (\S+)", metrics, re.M)
    return {
        "id": status["header"]["member_id"], "cluster_id": status["header"]["cluster_id"], "leader": status.get("leader", ""),
        "revision": int(status["header"].get("revision", 0)), "version": status.get("version", ""),
        "db_size": int(status.get("dbSize", 0)), "db_in_use": int(status.get("dbSizeInUse", 0)),
        "alarms": sorted({a["alarm"] for a in call("/v3/maintenance/alarm").get("alarms", [])}),
        "members": {m["ID"]: m.get("name", "") for m in members},
        "fsync_seconds": percentile(metrics), "quota": int(float(quota[1])) if quota else 0,
    }


def files():
    out = {"certificates": [certificate(*c.split("|")) for c in pairs]}
    try:
        import yaml
        with open("/etc/patroni/config.yml") as f:
            config = yaml.load(f, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        out["hba_wanted"] = [" ".join(str(l).split()) for l in config["postgresql"].get("pg_hba") or []]
        for key in ("scope", "name", "restapi", "etcd3"):
            config[key]
    except Exception as e:
        out["config_error"] = "%s: %s" % (type(e).__name__, " ".join(str(e).split())[:300])
    lines = (" ".join(l.split("#")[0].split()) for l in read(data + "/pg_hba.conf").splitlines())
    out["hba"] = [l for l in lines if l]
    state = re.search(r'^ETCD_INITIAL_CLUSTER_STATE="?(\w+)', read("/etc/etcd/etcd.env"), re.M)
    out["initial_state"] = state[1] if state else ""
    out["etcd_data"] = bool(glob.glob(glob.escape(etcd_data) + "/member/wal/*.wal"))
    pid = read(data + "/postmaster.pid").split("\n")[0].strip()
    out["postmaster"] = int(pid) if pid.isdigit() and read("/proc/%s/comm" % pid) == "postgres\n" else 0
    return out


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def certificate(name, cert, key):
    """A certificate, and whether the key beside it belongs to it. The key does not leave the host."""
    out = {"name": name, "pem": read(cert).strip(), "key_matches": True}
    if not out["pem"]:
        out["error"] = "cannot be read"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key)
    except OSError:
        out["key_matches"] = False
    return out


def guarded(f):
    try:
        return f()
    except Exception as e:
        return {"error": "%s: %s" % (type(e).__name__, e)}


answers = {}


def job(name, f):
    answers[name] = guarded(f)


# What does not run here has no address.
parts = [("files", files)] + [("patroni", patroni)] * bool(rest) + [("etcd", store)] * bool(etcd)
jobs = [threading.Thread(target=job, args=part) for part in parts]
for j in jobs:
    j.start()
for j in jobs:
    j.join()
print(json.dumps(answers))
