"""A burst of logins on a simulated iLO, to a notification by way of the log: a real systemd and journald, the service as it is
installed, and what is shipped in config/alerts. Three ways at once: rsyslog straight to Alertmanager; mtail, Prometheus and
Alertmanager; a unit of systemd that mails. Everything is in a network of its own, in which there is nothing but loopback."""

import json
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent
SHIPPED = HERE.parent.parent / "config" / "alerts"
sys.path.insert(0, str(HERE.parent / "systemd"))

from machine import CONFIG, OURS, SERVICE, Machine, expect, expect_equal, wait_for  # noqa: E402

LIMIT = 10
CONFIGURATION = """\
mode: observe
poll: {{ every: 1s, fastest: 300ms }}
pressure: {{ limit: {limit} }}
fleet:
  rack-1:
    username: {ours}
    password_file: /etc/ilo-reaper/secrets/rack-1
    ilos:
{ilos}
report: {{ summary: 1s }}
"""

MTAIL = (
    "mkfifo /run/lab/pipe; (exec journalctl -u ilo-reaper -f -n 0 -o cat > /run/lab/pipe) & "
    "exec mtail -progs /etc/lab/ilo-reaper.mtail -logs /run/lab/pipe -address 127.0.0.1 -port 3903 -poll_interval 250ms"
)

SENDMAIL = """\
#!/bin/sh
{ cat; echo; } >> /run/lab/mail
"""

# What somebody without rights would write to raise an alert.
FORGED = (
    "MESSAGE=r2 is full event=ilo.full ilo=forged group=rack-1 used=10 limit=10\nPRIORITY=2\nSYSLOG_IDENTIFIER=ilo-reaper\n"
    "_SYSTEMD_UNIT=ilo-reaper.service\nILO_REAPER_EVENT=ilo.full\nILO_REAPER_ILO=forged\nILO_REAPER_GROUP=rack-1\n"
)

# What lasts is an alert until it should have been told again, or until its end is told: longer than this, shorter than that.
HOUR = timedelta(hours=1)
CREDENTIAL = "svc-ilo-reaper (/etc/ilo-reaper/secrets/rack-1)"
LASTING = [
    ({"event": "credential.suspended", "credential": CREDENTIAL}, 1.5 * HOUR, 3 * HOUR,
     {"event": "credential.restored", "credential": CREDENTIAL}),
    ({"event": "state.unwritable"}, 1.5 * HOUR, 3 * HOUR, {"event": "state.writable"}),
    ({"event": "state.reset"}, 100 * HOUR, 200 * HOUR, {"event": "daemon.resumed", "by": "uid 0"}),
    ({"event": "config.rejected"}, 23 * HOUR, 25 * HOUR, {"event": "config.reloaded"}),
    ({"event": "ilo.login_rejected", "ilo": "r1", "group": "rack-1", "retry_in_s": "43200"}, 12 * HOUR, 13 * HOUR, None),
    ({"event": "leaker.found", "owner": "svc-backup", "origin": "192.0.2.10"}, 25 * HOUR, 27 * HOUR, None),
]  # fmt: skip


def story(arguments):
    folder = (arguments.run / "from-log").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    programs = folder / "programs"
    programs.mkdir(parents=True)
    for program in (arguments.simulator, arguments.daemon):
        # Most of a debug build is not the program, and it is copied into memory.
        subprocess.run(["strip", "--strip-debug", "-o", programs / program.name, program], check=True)
    machine = Machine(folder / "machine", programs)
    try:
        return tell(machine)
    except Exception as why:
        told = machine.told() + machine.try_to("journalctl", "--no-pager", "-n", "60", "-u", "lab-*").stdout
        raise AssertionError(f"{why}\n{told}") from why
    finally:
        machine.close()


def install(machine):
    """The service, and what watches it: as shipped, with addresses and intervals of the test's own."""
    machine.simulate("r1", "r2")
    machine.install()
    ilos = "".join(
        f"      - {{ name: {name}, address: {place.rpartition(':')[0]}, port: {place.rpartition(':')[2]} }}\n"
        for name, (place, _, _) in machine.ilos.items()
    )
    machine.write(CONFIG, CONFIGURATION.format(limit=LIMIT, ours=OURS, ilos=ilos))
    for name in ("ilo-reaper.mtail", "ilo-reaper-log.rules.yml"):
        machine.put(SHIPPED / name, f"/etc/lab/{name}")
    prometheus = (SHIPPED / "prometheus.yml").read_text()
    prometheus = prometheus.replace("15s", "1s").replace("ilo-reaper.rules.yml", "ilo-reaper-log.rules.yml")
    machine.write("/etc/lab/prometheus.yml", prometheus.replace("127.0.0.1:9709", "127.0.0.1:3903"))
    alertmanager = (SHIPPED / "alertmanager.yml").read_text()
    machine.write("/etc/lab/alertmanager.yml", alertmanager.replace("5s", "0s").replace("group_interval: 1m", "group_interval: 1s"))
    machine.put(SHIPPED / "rsyslog.conf", "/etc/lab/rsyslog.conf")
    machine.put(SHIPPED / "to-alertmanager.py", "/usr/local/bin/ilo-reaper-to-alertmanager", "755")
    machine.put(SHIPPED / "ilo-reaper-mail@.service", "/etc/systemd/system/ilo-reaper-mail@.service")
    machine.put(SHIPPED / "ilo-reaper-failed.service", "/etc/systemd/system/ilo-reaper-failed.service")
    machine.put(HERE / "hook.py", "/etc/lab/hook.py", "755")
    machine.write("/usr/sbin/sendmail", SENDMAIL, "755")
    machine.run("mkdir", "--mode=1777", "/run/lab")
    machine.run("systemctl", "daemon-reload")


def watch(machine):
    for name, *command in [
        ("hook", "/etc/lab/hook.py", "9999", "/run/lab/notified"),
        ("alertmanager", "prometheus-alertmanager", "--config.file=/etc/lab/alertmanager.yml", "--storage.path=/tmp/alertmanager",
         "--web.listen-address=127.0.0.1:9093", "--cluster.listen-address="),
        ("mtail", "sh", "-c", MTAIL),
        ("prometheus", "prometheus", "--config.file=/etc/lab/prometheus.yml", "--storage.tsdb.path=/tmp/prometheus",
         "--web.listen-address=127.0.0.1:9090"),
        ("rsyslog", "rsyslogd", "-n", "-f", "/etc/lab/rsyslog.conf", "-i", "/run/lab/rsyslog.pid"),
    ]:  # fmt: skip
        machine.run("systemd-run", "--quiet", f"--unit=lab-{name}", *command)
    machine.run("systemctl", "start", "ilo-reaper-mail@ilo.full")
    for server in ("127.0.0.1:9090/-/ready", "127.0.0.1:9093/-/ready", "127.0.0.1:3903/metrics"):
        wait_for(f"{server} answers", lambda server=server: machine.try_to("curl", "-sf", server).returncode == 0)


def notified(machine):
    said = machine.try_to("cat", "/run/lab/notified").stdout
    return [json.loads(line) for line in said.splitlines() if line.endswith("}")]


def notification(machine, name, status, ilo):
    matches = {"alertname": name, "status": status, "ilo": ilo}
    found = lambda: next((line for line in notified(machine) if matches.items() <= line.items()), None)
    return wait_for(f"{name} of {ilo} is {status}", found, within_s=120)


def active(machine, name):
    """The alerts of this name that Alertmanager has and that have not ended."""
    return json.loads(machine.run("curl", "-sf", f"127.0.0.1:9093/api/v2/alerts?filter=alertname%3D%22{name}%22"))


def tell(machine):
    install(machine)
    watch(machine)
    machine.start()
    # rsyslog tells nobody when it follows the journal: its first alert is the sign.
    machine.run("systemd-run", "--quiet", "--wait", "--uid=65534", "sh", "-c", f"printf %s '{FORGED}' | logger --journald")
    # What is told while nobody mails is mailed later.
    machine.run("systemctl", "stop", "ilo-reaper-mail@ilo.full")
    burst = time.time()
    for _ in range(LIMIT - 1):
        machine.leak("r1")
    by_rsyslog = notification(machine, "ilo.full", "firing", "r1")
    expect_equal(by_rsyslog["path"], "/page", "where a page goes")
    machine.run("systemctl", "start", "ilo-reaper-mail@ilo.full")
    mail = wait_for("a mail", lambda: machine.try_to("cat", "/run/lab/mail").stdout)
    expect("Subject: ilo-reaper: ilo.full\n" in mail and "ilo=r1" in mail, f"the mail says: {mail}")
    by_mtail = notification(machine, "IloLogSessionsCritical", "firing", "r1")

    # The end of it, which the daemon tells five minutes later: handed to the program as rsyslog does.
    relieved = {"event": "ilo.relieved", "ilo": "r1", "group": "rack-1", "priority": "6", "message": "r1 has room again"}
    said = machine.run("/usr/local/bin/ilo-reaper-to-alertmanager", "http://127.0.0.1:9093", given=json.dumps(relieved) + "\n")
    expect_equal(said.split(), ["OK", "OK"], "what the program answers rsyslog")
    notification(machine, "ilo.full", "resolved", "r1")
    said = machine.run("/usr/local/bin/ilo-reaper-to-alertmanager", "http://127.0.0.1:1", given=json.dumps(relieved) + "\n")
    expect("not told" in said, f"an Alertmanager that is down is no success: {said}")

    for event, shortest, longest, end in LASTING:
        told = {"priority": "2", "message": "it lasts", **event}
        machine.run("/usr/local/bin/ilo-reaper-to-alertmanager", "http://127.0.0.1:9093", given=json.dumps(told) + "\n")
        [alert] = active(machine, event["event"])
        lasts = datetime.fromisoformat(alert["endsAt"]) - datetime.fromisoformat(alert["startsAt"])
        expect(shortest < lasts < longest, f"{event} is an alert for {lasts}")
        if end:
            told = {"priority": "5", "message": "it is over", **end}
            machine.run("/usr/local/bin/ilo-reaper-to-alertmanager", "http://127.0.0.1:9093", given=json.dumps(told) + "\n")
            wait_for(f"{end} ends it", lambda name=event["event"]: not active(machine, name))

    # The daemon dies, and its last words are mailed.
    machine.drop_in("[Unit]\nOnFailure=ilo-reaper-failed.service\n[Service]\nRestart=no\n")
    machine.run("systemctl", "kill", "--signal=KILL", SERVICE)
    wait_for("a mail of its end", lambda: "Subject: ilo-reaper failed" in machine.try_to("cat", "/run/lab/mail").stdout)

    forged = machine.journal("ILO_REAPER_ILO=forged")
    expect(forged, "the forged event is not in the journal, so nothing was proven")
    everything = json.dumps(notified(machine)) + machine.run("cat", "/run/lab/mail")
    expect("forged" not in everything, f"a forged event raised an alert: {everything}")
    expect('"r2"' not in everything, f"an iLO with room was alerted of: {everything}")
    return (
        f"from a burst of logins to the notification {by_rsyslog['came'] - burst:.1f} s by rsyslog, "
        f"{by_mtail['came'] - burst:.1f} s by mtail and Prometheus (the rule waits 30 s); mails; a forged event raises none"
    )
