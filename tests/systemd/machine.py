"""A machine of a story: a systemd of its own, the service in it, and simulated iLOs beside it."""

import json
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).parent
BOOT = HERE / "boot.sh"
UNIT_FILES = HERE.parent.parent / "systemd"

OURS, PASSWORD = "svc-ilo-reaper", "ends-a-session"
LEAKER, LEAKERS_PASSWORD = "svc-backup", "leaks-a-session"
SERVICE = "ilo-reaper.service"
CONFIG = "/etc/ilo-reaper/ilo-reaper.yaml"
SESSIONS = "/redfish/v1/SessionService/Sessions/"
STATE = "/var/lib/ilo-reaper"

# How long something may take that must happen. It mostly takes a second.
PATIENCE_S = 60


class Failure(Exception):
    """What was expected and did not happen."""


def expect(fact, what):
    if not fact:
        raise Failure(what)


def expect_equal(found, wanted, what):
    expect(found == wanted, f"{what}: {wanted!r} was expected, and it is {found!r}")


def wait_for(what, fact, within_s=PATIENCE_S):
    """Waits until the fact is there, and returns it."""
    deadline = time.monotonic() + within_s
    while not (found := fact()):
        expect(time.monotonic() < deadline, f"not within {within_s} s: {what}")
        time.sleep(0.1)
    return found


class Machine:
    """A systemd that runs, with a network that holds nothing but loopback."""

    def __init__(self, folder, programs, package=None, *, disk=None):
        self.folder, self.programs, self.package, self.ilos = folder, programs, package, {}
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NETNS": "1", **({"DISK": disk} if disk else {})}
        subprocess.run([BOOT, "start", folder], env=environment, check=True, stdout=subprocess.DEVNULL)

    def close(self):
        subprocess.run([BOOT, "stop", self.folder], check=True)

    # --- Anything ---

    def try_to(self, *command, given=""):
        """Runs a command inside, whatever comes of it."""
        return subprocess.run(
            [BOOT, "exec", self.folder, *command], input=given, capture_output=True, text=True, timeout=120
        )

    def run(self, *command, given=""):
        """Runs a command inside that must succeed; what it printed."""
        done = self.try_to(*command, given=given)
        expect(done.returncode == 0, f"{' '.join(command)} failed ({done.returncode}): {done.stdout}{done.stderr}")
        return done.stdout

    def put(self, source, path, mode="644"):
        subprocess.run([BOOT, "put", self.folder, source, path, mode], check=True)

    def write(self, path, text, mode="644"):
        self.run("sh", "-c", 'mkdir -p "$(dirname "$0")"; umask 077; cat > "$0"; chmod "$1" "$0"', path, mode, given=text)

    # --- Simulated iLOs ---

    def simulate(self, *names, options=()):
        """Switches on iLOs of these names, which answer on loopback."""
        self.put(self.programs / "ilo-sim", "/usr/bin/ilo-sim", "755")
        self.write("/run/ilo-sim/accounts", f"{OURS}:{PASSWORD}\n{LEAKER}:{LEAKERS_PASSWORD}\n")
        self.run(
            "systemd-run", "--quiet", "--unit=ilo-sim", "/usr/bin/ilo-sim", "--ilos", f"127.0.1.1-{len(names)}",
            "--accounts", "/run/ilo-sim/accounts", "--log", "/run/ilo-sim/requests", "--limit", "20",
            "--seen-as", "127.0.0.1=192.0.2.10", *options,
        )  # fmt: skip
        said = lambda: self.run("journalctl", "-u", "ilo-sim", "-o", "cat").splitlines()
        wait_for("the simulator is ready", lambda: "ready" in said())
        lines = [line.split() for line in said() if "sha256:" in line]
        # Each by the name that the configuration has for it: where it is, what the simulator calls it, its pin.
        self.ilos = dict(zip(names, lines, strict=True))

    def requests(self, ilo=None):
        """What the simulated iLOs were truly asked, all or one of them."""
        lines = [json.loads(line) for line in self.run("cat", "/run/ilo-sim/requests").splitlines() if line.endswith("}")]
        return [line for line in lines if ilo is None or line["ilo"] == self.ilos[ilo][1]]

    def logins(self, ilo, owner=OURS):
        """The sessions that an account got on this iLO."""
        made = [(line["effect"] or {}).get("logged_in") for line in self.requests(ilo)]
        return [session["id"] for session in made if session and session["id"].startswith(owner)]

    def ended(self, ilo):
        """The sessions that were ended on this iLO."""
        ended = [(line["effect"] or {}).get("ended") for line in self.requests(ilo)]
        return [session["id"] for session in ended if session]

    def visits(self, ilo):
        """How often its table was looked at."""
        return sum(line["method"] == "GET" and line["path"] == SESSIONS for line in self.requests(ilo))

    def leak(self, ilo):
        """A script logs in, and forgets it."""
        url, login = f"https://{self.ilos[ilo][0]}{SESSIONS}", {"UserName": LEAKER, "Password": LEAKERS_PASSWORD}
        self.run("curl", "-sSkf", "-H", "Content-Type: application/json", "-d", json.dumps(login), "-o", "/dev/null", url)
        return self.logins(ilo, LEAKER)[-1]

    # --- The service ---

    def install(self, *, password="password_file: /etc/ilo-reaper/secrets/rack-1", more=""):
        """Installs the package, or puts the service where it would, with a configuration for the iLOs that are there."""
        if self.package:
            self.put(self.package, "/root/ilo-reaper.deb")
            # Where this machine is a container, it may forbid packages to touch services.
            self.run("rm", "-f", "/usr/sbin/policy-rc.d")
            self.run("dpkg", "-i", "/root/ilo-reaper.deb")
        else:
            self.install_by_hand()
        self.write("/etc/ilo-reaper/secrets/rack-1", PASSWORD, "400")
        self.run("chown", "-R", "ilo-reaper:", "/etc/ilo-reaper/secrets")
        self.run("chmod", "755", "/etc/ilo-reaper", "/etc/ilo-reaper/secrets")
        self.write("/etc/ilo-reaper/known_ilos", "".join(f"{name} {ilo[2]}\n" for name, ilo in self.ilos.items()))
        self.configure(password=password, more=more)
        self.run("systemctl", "daemon-reload")

    def install_by_hand(self):
        self.put(self.programs / "ilo-reaper", "/usr/bin/ilo-reaper", "755")
        for name, path in [
            ("ilo-reaper.service", "/usr/lib/systemd/system/ilo-reaper.service"),
            ("ilo-reaper.sysusers", "/usr/lib/sysusers.d/ilo-reaper.conf"),
            ("ilo-reaper.catalog", "/usr/lib/systemd/catalog/ilo-reaper.catalog"),
        ]:
            self.put(UNIT_FILES / name, path)
        self.run("systemd-sysusers")
        self.run("journalctl", "--update-catalog")

    def configure(self, *, password="password_file: /etc/ilo-reaper/secrets/rack-1", more=""):
        ilos = "".join(
            f"      - {{ name: {name}, address: {place.rpartition(':')[0]}, port: {place.rpartition(':')[2]} }}\n"
            for name, (place, _, _) in self.ilos.items()
        )
        self.write(
            CONFIG,
            "mode: enforce\npoll: { every: 300ms, fastest: 300ms }\ncaps: { share_of_seen: 100% }\n"
            "policies: { default: { reap: [{ id: never-used, never_used: true, idle: 2s }] } }\n"
            f"fleet:\n  rack-1:\n    username: {OURS}\n    {password}\n    ilos:\n{ilos}"
            f"report: {{ summary: 1s }}\n{more}",
        )

    def drop_in(self, text):
        """Changes the unit as an administrator does."""
        self.write(f"/etc/systemd/system/{SERVICE}.d/test.conf", text)
        self.run("systemctl", "daemon-reload")

    def start(self):
        """Starts the service; it holds a session on every iLO when this returns."""
        self.run("systemctl", "start", SERVICE)
        wait_for("a session on every iLO", lambda: all(self.logins(name) for name in self.ilos))

    def shows(self, name):
        """A property of the service."""
        return self.run("systemctl", "show", "--value", "-p", name, SERVICE).strip()

    def journal(self, *matches):
        """Entries of the journal, in their order."""
        said = self.run("journalctl", "--quiet", "--no-pager", "-o", "json", *matches)
        return [json.loads(line) for line in said.splitlines()]

    def events(self, name):
        """The events of this name that the journal has from the service."""
        return self.journal(f"_SYSTEMD_UNIT={SERVICE}", f"ILO_REAPER_EVENT={name}")

    def hears(self, name, count=1):
        """Waits until the journal has so many events of this name, and returns them."""
        return wait_for(f"{count} × {name}", lambda: (found := self.events(name)) and len(found) >= count and found)

    def told(self):
        """What happened, for whoever wonders why."""
        journal = self.try_to("journalctl", "--no-pager", "-n", "200").stdout
        requests = self.try_to("tail", "-n", "50", "/run/ilo-sim/requests").stdout
        return f"{journal}\n{requests}"
