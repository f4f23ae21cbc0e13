"""The world of a story: simulated iLOs, the daemon, and what truly happened.

What is true is read from the simulator's request log, never from the daemon or from a client.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

LEAKER, REAPER = "svc-backup", "svc-ilo-reaper"
PASSWORDS = {LEAKER: "leaks-a-session", REAPER: "ends-a-session"}

SESSIONS = "/redfish/v1/SessionService/Sessions"

# One of each, where all are alike.
GENERATIONS = ["ilo4-2.55", "ilo5-3.11", "ilo6-1.66", "ilo7-1.17"]

# Scripts for libraries that come without a program.
CLIENTS = Path(__file__).parent / "clients"

STOP_S = 40


class Failure(Exception):
    """What was expected and did not happen."""


def expect(fact, what):
    if not fact:
        raise Failure(what)


def expect_equal(found, wanted, what):
    expect(found == wanted, f"{what}: {wanted!r} was expected, and it is {found!r}")


def wait_for(what, within_s, fact):
    """Waits until the fact is there, and returns it."""
    deadline = time.monotonic() + within_s
    while not (found := fact()):
        expect(time.monotonic() < deadline, f"not within {within_s} s: {what}")
        time.sleep(0.05)
    return found


def json_lines(path):
    """The complete lines of a file that is being written."""
    written = path.read_text()
    return [json.loads(line) for line in written[: written.rfind("\n") + 1].splitlines()]


# --- Simulated iLOs ---


class Simulator:
    """One process with an iLO for each personality, on the addresses after `first`."""

    def __init__(self, binary, run, first, personalities, *, port=443, options=()):
        run.mkdir(parents=True)
        network, _, number = first.rpartition(".")
        addresses = [f"{network}.{int(number) + place}" for place in range(len(personalities))]
        log, accounts = run / "requests.jsonl", run / "accounts"
        accounts.write_text("".join(f"{name}:{password}\n" for name, password in PASSWORDS.items()))
        self.stderr = run / "simulator.stderr"
        with open(self.stderr, "w") as stderr:
            self.process = subprocess.Popen(
                [binary, "--ilos", ",".join(addresses), "--port", str(port), "--accounts", accounts, "--log", log]
                + ["--personality", ",".join(personalities), "--seen-as", "127.0.0.1=192.0.2.10", *map(str, options)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self.ilos = []
        for line in self.process.stdout:
            if line.strip() == "ready":
                break
            place, name, fingerprint = line.split()
            self.ilos.append(Ilo(log, name, place, fingerprint, personalities[len(self.ilos)]))
        expect(len(self.ilos) == len(personalities), f"the simulator did not start: {self.stderr.read_text()}")

    def close(self):
        self.process.kill()
        self.process.wait()


class Ilo:
    """One of them, as its log shows it."""

    def __init__(self, log, name, place, fingerprint, personality):
        self.log, self.name, self.fingerprint, self.personality = log, name, fingerprint, personality
        self.address, _, port = place.rpartition(":")
        self.port = int(port)
        self.url = f"https://{self.address}" + ("" if self.port == 443 else f":{port}")

    def requests(self):
        return [Request(line) for line in json_lines(self.log) if line["ilo"] == self.name]

    def logins(self, account):
        """The sessions that this account got by logging in."""
        made = [request.logged_in for request in self.requests() if request.logged_in]
        return [session for session in made if session.startswith(account)]  # as every id of an iLO does

    def ended(self):
        """The sessions that a DELETE ended, each with the account that sent it."""
        return {request.ended: request.ended_by for request in self.requests() if request.ended}

    def alive(self):
        """The sessions in the table, in the order of their logins."""
        requests = self.requests()
        ended = {request.ended for request in requests}
        return [request.logged_in for request in requests if request.logged_in and request.logged_in not in ended]

    def next_second(self):
        """Waits until its clock shows another second than at the last request: whoever logs in then, came after it."""
        shown = self.requests()[-1].at.replace(microsecond=0)
        wait_for("the next second", 5, lambda: datetime.now(UTC) >= shown + timedelta(seconds=1))

    def told(self):
        """The end of the log, for whoever wonders why."""
        requests = self.requests()
        return "\n".join([f"{self.name}, {self.personality}, {self.url}:"] + [f"  {line}" for line in requests[-25:]])


class Request:
    """One line of the simulator's log."""

    def __init__(self, line):
        effect = line["effect"] or {}
        self.at = datetime.fromisoformat(line["at"].replace("Z", "+00:00"))
        self.method, self.path, self.status = line["method"], line["path"], line["status"]
        self.query, self.session = line["query"], line["session"]
        self.logged_in = effect.get("logged_in", {}).get("id")
        self.ended = effect.get("ended", {}).get("id")
        self.ended_owner = effect.get("ended", {}).get("owner")
        self.ended_by = effect.get("ended", {}).get("by")
        self.refused = effect.get("refused")

    def __str__(self):
        query = f"?{self.query}" if self.query else ""
        made = f" made {self.logged_in}" if self.logged_in else ""
        refused = f" {self.refused}" if self.refused else ""
        return f"{self.at:%H:%M:%S} {self.method} {self.path}{query} ({self.status}){made}{refused}"


# --- Programs from elsewhere ---


class Programs:
    """What run.sh has installed: a folder for each set of packages that fit together."""

    def __init__(self, venvs, homes):
        self.venvs, self.homes = venvs, homes

    def home(self):
        """A HOME of its own, as in a fresh container."""
        self.homes.mkdir(parents=True, exist_ok=True)
        return tempfile.mkdtemp(dir=self.homes)

    def start(self, venv, program, *arguments, home=None, **environment):
        """Starts a program without input: where it lacks a password it would ask for it, and wait."""
        home = home or self.home()
        return subprocess.Popen(
            [self.venvs / venv / "bin" / program if venv else program, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"HOME": home, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment},
            cwd=home,  # some write their logs where they are
            text=True,
        )

    def run(self, *command, within_s=120, **choices):
        """Runs a program to its end."""
        process = self.start(*command, **choices)
        try:
            said, _ = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired as late:
            process.kill()
            raise Failure(f"{command[1:]} does not end; so far: {process.communicate()[0]}") from late
        return subprocess.CompletedProcess(command, process.returncode, said)


def succeeded(done, what):
    """What a program said, where it ended well."""
    expect(done.returncode == 0, f"{what} failed ({done.returncode}): {done.stdout}")
    return done.stdout


# --- The daemon ---

CONFIG = """\
mode: {mode}
poll: {{ every: {poll_s}s, fastest: 1s }}
pressure: {{ limit: {limit} }}
caps: {{ per_visit: 50, per_ilo_minute: 1000, share_of_seen: 100%, per_minute: 1000 }}
policies:
  interop:
    reap:
      - {rule}
fleet:
  interop:
    username: {username}
    password_file: {password_file}
    policy: interop
    tls: {{ pin: "{pin}", legacy: {legacy} }}
    ilos:
      - {{ name: {ilo}, address: {address}, port: {port} }}
report: {{ log: json }}
"""


class Daemon:
    """The real program, for one iLO."""

    def __init__(self, binary, home, ilo, *, mode="enforce", rule, limit=10, poll_s=1, name=None, legacy=False):
        """`name` is the iLO's name on the network, where its address is not to be used: see Names."""
        self.ilo, self.home = ilo, home.resolve()
        self.home.mkdir(parents=True)
        password_file, config = self.home / "password", self.home / "ilo-reaper.yaml"
        password_file.touch(mode=0o600)
        password_file.write_text(PASSWORDS[REAPER])
        config.write_text(
            CONFIG.format(
                mode=mode, poll_s=poll_s, limit=limit, rule=rule, username=REAPER, password_file=password_file,
                pin=ilo.fingerprint, legacy=str(legacy).lower(), ilo=ilo.name,
                address=name.name if name else ilo.address, port=ilo.port,
            )
        )  # fmt: skip
        directories = {}
        for kind in ("state", "runtime"):
            (self.home / kind).mkdir(mode=0o700)
            directories[f"{kind.upper()}_DIRECTORY"] = str(self.home / kind)
        with open(self.home / "events.jsonl", "w") as stdout, open(self.home / "stderr", "w") as stderr:
            self.process = subprocess.Popen(
                [*(name.command if name else []), binary, "run", "--config", config],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **directories},
            )

    def events(self, name):
        if self.process.poll() is not None and self.process.returncode != 0:
            raise Failure(f"the daemon ended with {self.process.returncode}: {self.complaints()}")
        return [event for event in json_lines(self.home / "events.jsonl") if event["event"] == name]

    def logged_in(self):
        """Waits until it has a session, and returns that."""

        def session():
            self.events("daemon.ready")
            expect(self.process.poll() is None, "the daemon ended by itself")
            return self.ilo.logins(REAPER)

        self.held = wait_for(f"the daemon logs in to {self.ilo.name}", 30, session)[0]
        return self.held

    def stop(self):
        """Ends it as a service manager does. It logs in once, and out when it stops."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"SIGTERM did not end the daemon within {STOP_S} s") from late
        expect(code == 0, f"a clean stop exits with 0, not {code}: {self.complaints()}")
        expect_equal(self.ilo.logins(REAPER), [self.held], "the daemon's logins")
        expect(self.held not in self.ilo.alive(), f"the daemon stopped and left its session {self.held}")

    def reaped(self):
        """The sessions of others that it ended, as the iLO has it; and it told of no others."""
        reaped = [id for id, by in self.ilo.ended().items() if by == REAPER and id != self.held]
        told = sorted(event["session"] for event in self.events("session.reaped"))
        expect_equal(told, sorted(reaped), "the sessions that the daemon says it ended")
        return reaped

    def complaints(self):
        return (self.home / "stderr").read_text()

    def close(self):
        self.process.kill()
        self.process.wait()


class Name:
    """A name on the network that means what a story says, for the programs that it is told to."""

    def __init__(self, home, name):
        self.name, self.hosts, switch = name, home / "hosts", home / "nsswitch.conf"
        home.mkdir(parents=True)
        self.means()
        # Nobody is asked but the file.
        switch.write_text("passwd: files\ngroup: files\nhosts: files\n")
        mounts = f"mount --bind {self.hosts} /etc/hosts && mount --bind {switch} /etc/nsswitch.conf"
        self.command = ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh"]

    def means(self, *addresses):
        """In this order, from the next time on that somebody asks. Written in place: the mount is of the file."""
        self.hosts.write_text("".join(f"{address} {self.name}\n" for address in addresses))


# --- All together ---


class World:
    """What one story has to itself: a folder, a network of loopback, programs."""

    def __init__(self, arguments, name, number, stack):
        self.run, self.network, self.stack = (arguments.run / name).absolute(), f"127.44.{number}", stack
        self.simulator, self.daemon, self.rounds = arguments.simulator, arguments.daemon, arguments.rounds
        self.programs = Programs(arguments.venvs.absolute(), self.run / "homes")
        self.ilos, self.daemons = [], []

    def simulate(self, *personalities, **choices):
        """Switches on an iLO for each personality, at addresses that nobody else has."""
        number = len(self.ilos) + 1
        run, first = self.run / f"ilos-{number}", f"{self.network}.{number}"
        simulator = Simulator(self.simulator, run, first, personalities, **choices)
        self.stack.callback(simulator.close)
        for ilo in simulator.ilos:
            ilo.switch_off = simulator.close
        self.ilos += simulator.ilos
        return simulator.ilos

    def guard(self, ilo, **choices):
        """Starts a daemon for an iLO. It is logged in when this returns."""
        daemon = self.start(ilo, **choices)
        daemon.logged_in()
        return daemon

    def start(self, ilo, **choices):
        """Starts a daemon for an iLO that it may not reach."""
        daemon = Daemon(self.daemon, self.run / f"daemon-{len(self.daemons) + 1}", ilo, **choices)
        self.daemons.append(daemon)
        self.stack.callback(daemon.close)
        return daemon

    def name(self, name):
        """A name that means no address yet."""
        return Name(self.run / f"name-{name}", name)

    def told(self):
        """What the logs of the simulated iLOs say."""
        return "\n".join(ilo.told() for ilo in self.ilos)
