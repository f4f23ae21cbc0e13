"""A burst of logins on a simulated iLO, to a notification by way of metrics: the daemon's own page, Prometheus with the rules that
are shipped, Alertmanager with its example, a webhook. All of it is real, on loopback."""

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
SHIPPED = HERE.parent.parent / "config"
sys.path.insert(0, str(HERE.parent / "interop"))

from world import LEAKER, PASSWORDS, REAPER, SESSIONS, Failure, Simulator, expect, wait_for  # noqa: E402

LIMIT = 10
# What libraries of Prometheus' own authors say of OpenMetrics, in the system's Python, for which Debian has them.
PARSER = "import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as read; " \
    "print(len([sample for family in read(sys.stdin.read()) for sample in family.samples]))"

CONFIG = """\
mode: {mode}
poll: {{ every: 1s, fastest: 500ms }}
pressure: {{ limit: {limit} }}
caps: {{ per_visit: 50, share_of_seen: 100%, per_ilo_minute: 100 }}
policies:
  default:
    reap: [{{ id: never-used, never_used: true, idle: 10m }}]
  quick:
    reap: [{{ id: never-used, never_used: true, idle: 1s }}]
fleet:
  rack-1:
    username: {username}
    password_file: {folder}/password
    policy: {policy}
    ilos:
{ilos}
report: {{ log: json, listen: "{listen}", summary: 1s }}
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fetch(url, accept=None):
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def answers(url):
    with contextlib.suppress(OSError):
        return fetch(url)


def run(*command, given=None, within_s=60):
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=within_s)
    expect(done.returncode == 0, f"{command[0]} failed ({done.returncode}): {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Shop:
    """A small shop: two iLOs, the daemon, and what watches it."""

    def __init__(self, arguments, stack):
        self.folder, self.stack = (arguments.run / "from-metrics").absolute(), stack
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.listen, self.prometheus, self.alertmanager, self.hook = (f"127.0.0.1:{free_port()}" for _ in range(4))
        simulator = Simulator(
            arguments.simulator, self.folder / "ilos", "127.45.1.1", ["ilo5-3.11", "ilo6-1.66"], port=free_port(),
            options=["--limit", str(LIMIT)],
        )  # fmt: skip
        stack.callback(simulator.close)
        self.ilos = simulator.ilos
        self.daemon = arguments.daemon.absolute()

    def start(self, name, *command, environment=None):
        with open(self.folder / f"{name}.out", "w") as out:
            process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                cwd=self.folder, env={**os.environ, **(environment or {})},
            )  # fmt: skip
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def configure(self, mode, policy):
        ilos = "\n".join(f"      - {{ name: r{n}, address: {ilo.address}, port: {ilo.port} }}" for n, ilo in enumerate(self.ilos, 1))
        text = CONFIG.format(
            mode=mode, policy=policy, limit=LIMIT, username=REAPER, folder=self.folder, ilos=ilos, listen=self.listen
        )
        (self.folder / "ilo-reaper.yaml").write_text(text)

    def guard(self):
        password, known = self.folder / "password", self.folder / "known_ilos"
        password.touch(mode=0o600)
        password.write_text(PASSWORDS[REAPER])
        known.write_text("".join(f"r{n} {ilo.fingerprint}\n" for n, ilo in enumerate(self.ilos, 1)))
        self.configure("observe", "default")
        (self.folder / "state").mkdir(mode=0o700)
        daemon = self.start(
            "daemon", self.daemon, "run", "--config", self.folder / "ilo-reaper.yaml",
            environment={"STATE_DIRECTORY": str(self.folder / "state"), "RUNTIME_DIRECTORY": str(self.folder)},
        )  # fmt: skip
        wait_for("a session on every iLO", 30, lambda: all(ilo.logins(REAPER) for ilo in self.ilos))
        return daemon

    def watch(self):
        """Prometheus and Alertmanager with what is shipped: only addresses and intervals are the test's own."""
        shutil.copy(SHIPPED / "alerts" / "ilo-reaper.rules.yml", self.folder)
        config = (SHIPPED / "alerts" / "prometheus.yml").read_text()
        config = config.replace("127.0.0.1:9709", self.listen).replace("127.0.0.1:9093", self.alertmanager)
        (self.folder / "prometheus.yml").write_text(config.replace("15s", "1s"))
        config = (SHIPPED / "alerts" / "alertmanager.yml").read_text().replace("127.0.0.1:9999", self.hook)
        (self.folder / "alertmanager.yml").write_text(config.replace("group_interval: 1m", "group_interval: 5s"))
        self.start("hook", "/usr/bin/python3", HERE / "hook.py", self.hook.rpartition(":")[2], self.folder / "notified")
        self.start(
            "alertmanager", "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=alertmanager",
            f"--web.listen-address={self.alertmanager}", "--cluster.listen-address=",
        )  # fmt: skip
        self.start(
            "prometheus", "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=prometheus",
            f"--web.listen-address={self.prometheus}",
        )  # fmt: skip
        for server in (self.prometheus, self.alertmanager):
            wait_for(f"{server} is ready", 60, lambda server=server: answers(f"http://{server}/-/ready"))

    def log_in(self, ilo, times):
        """A script that logs in and forgets its sessions."""
        body = json.dumps({"UserName": LEAKER, "Password": PASSWORDS[LEAKER]}).encode()
        unchecked = ssl._create_unverified_context()
        for _ in range(times):
            request = urllib.request.Request(f"{ilo.url}{SESSIONS}/", body, {"Content-Type": "application/json"})
            urllib.request.urlopen(request, context=unchecked, timeout=10).close()

    def notified(self, alert, status, within_s, **labels):
        """The notification of an alert, as soon as it is there."""
        file = self.folder / "notified"

        def found():
            lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
            matches = {"alertname": alert, "status": status, **labels}
            return next((line for line in lines if matches.items() <= line.items()), None)

        return wait_for(f"{alert} is notified as {status}", within_s, found)

    def query(self, expression):
        said = json.loads(fetch(f"http://{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"))
        expect(said["status"] == "success", f"{expression}: {said}")
        return said["data"]["result"]


def check_page(shop):
    """What Prometheus' own tools say of the page, in both formats."""
    text = fetch(f"http://{shop.listen}/metrics")
    said = run("promtool", "check", "metrics", given=text)
    expect(not said.strip(), f"promtool check metrics: {said}")
    samples = run("/usr/bin/python3", "-c", PARSER, given=fetch(f"http://{shop.listen}/metrics", "application/openmetrics-text"))
    in_text = sum(not line.startswith("#") for line in text.splitlines())
    expect(int(samples) == in_text, f"{samples.strip()} samples as OpenMetrics, {in_text} as text")
    expect(LEAKER not in text and "192.0.2" not in text, "an owner or an origin is in the page")


def check_dashboard(shop):
    """Each query of the dashboard gives something, or is known to be about what does not happen here."""
    dashboard = json.loads((SHIPPED / "dashboards" / "ilo-reaper.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    queries += [item["query"]["query"] for item in dashboard["templating"]["list"] if item["type"] == "query"]
    expect(queries, "the dashboard asks nothing")
    for query in queries:
        if query.startswith("label_values("):
            query = "group by (group) (" + query.removeprefix("label_values(").rpartition(",")[0] + ")"
        for variable, value in [("$group", ".*"), ("$__rate_interval", "1m"), ("$__range", "1m")]:
            query = query.replace(variable, value)
        expect(shop.query(query), f"the dashboard's query has no answer: {query}")
    return len(queries)


def story(arguments):
    with contextlib.ExitStack() as stack:
        shop = Shop(arguments, stack)
        try:
            return tell(shop)
        except Failure as why:
            outs = [f"--- {out.name}\n" + "\n".join(out.read_text().splitlines()[-15:]) for out in shop.folder.glob("*.out")]
            raise Failure("\n".join([str(why), *outs])) from why


def tell(shop):
    daemon = shop.guard()
    shop.watch()
    check_page(shop)
    wait_for("Prometheus has scraped", 30, lambda: shop.query("ilo_reaper_ilo_up == 1"))
    first, second = shop.ilos
    # One that a person logs in to meanwhile: no alert.
    shop.log_in(second, 2)
    burst = time.time()
    shop.log_in(first, LIMIT - 1)
    full = shop.notified("IloSessionsFull", "firing", 120, ilo="r1")
    expect(full["path"] == "/page", f"a page goes to the pager: {full}")
    queries = check_dashboard(shop)
    # Then the policy lets them go, and the alert ends.
    shop.configure("enforce", "quick")
    daemon.send_signal(1)
    mended = time.time()
    resolved = shop.notified("IloSessionsFull", "resolved", 120, ilo="r1")
    expect(shop.query('ilo_reaper_sessions_reaped_total{rule="never-used"} >= 9'), "the deletions are not counted")
    notified = (shop.folder / "notified").read_text()
    expect('"r2"' not in notified, f"an iLO with room was alerted of: {notified}")
    check_page(shop)
    said = run("amtool", f"--alertmanager.url=http://{shop.alertmanager}", "alert", "query", "alertname=IloSessionsFull")
    expect("IloSessionsFull" not in said, f"amtool still shows it: {said}")
    return (
        f"{full['came'] - burst:.1f} s from a burst of logins to the page (the rule waits 30 s), {resolved['came'] - mended:.1f} s "
        f"from the reload that lets them go to its end; {queries} queries of the dashboard"
    )
