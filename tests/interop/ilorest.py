"""What HPE's own client does to an iLO's session table, and what the daemon does about it. See ilorest.sh.

Each phase has an iLO of its own. What is true is read from the simulator's request log, never from the daemon.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path

# Nobody else's addresses, so that this can run beside other simulated iLOs.
ADDRESSES = {"ilo-1": "127.44.3.1", "ilo-2": "127.44.3.2", "ilo-3": "127.44.3.3"}
LIMIT = 10
LEAKER, REAPER = "svc-backup", "svc-ilo-reaper"
PASSWORDS = {LEAKER: "leaks-a-session", REAPER: "ends-a-session"}

# Leak rate times the life of an orphan must stay below the free places. An orphan lives for its last access (1 s after
# its login), the idle time, up to a second of rounding and one poll: 14 s. So 5 orphans stand at a time, and with the
# kept session and the daemon's own 7 of 10 places are taken: 9 s to spare on a slow machine. There one ilorest can
# take seconds, and the kept session must not be idle meanwhile.
LOGIN_EVERY_S = 3.0
IDLE_S = 10
POLL_S = 2
STOP_S = 40


class Failure(Exception):
    """What was expected and did not happen."""


def expect(fact, what):
    if not fact:
        raise Failure(what)


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


# --- The simulator and its truth ---


class Simulator:
    def __init__(self, binary, run):
        self.log = run / "requests.jsonl"
        accounts = run / "accounts"
        accounts.write_text("".join(f"{name}:{password}\n" for name, password in PASSWORDS.items()))
        self.process = subprocess.Popen(
            [binary, "--ilos", ",".join(ADDRESSES.values()), "--accounts", accounts, "--limit", str(LIMIT)]
            + ["--seen-as", "127.0.0.1=192.0.2.10", "--log", self.log],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.fingerprints = {}
        for line in self.process.stdout:
            if line.strip() == "ready":
                break
            _place, ilo, fingerprint = line.split()
            self.fingerprints[ilo] = fingerprint
        expect(self.fingerprints.keys() == ADDRESSES.keys(), "the simulator did not start; see its message above")

    def requests(self, ilo):
        return [Request(line) for line in json_lines(self.log) if line["ilo"] == ilo]

    def close(self):
        self.process.kill()
        self.process.wait()


class Request:
    """One line of the simulator's log."""

    def __init__(self, line):
        effect = line["effect"] or {}
        self.at = datetime.fromisoformat(line["at"].replace("Z", "+00:00"))
        self.method, self.path, self.status = line["method"], line["path"], line["status"]
        self.session = line["session"]
        self.logged_in = effect.get("logged_in", {}).get("id")
        self.ended = effect.get("ended", {}).get("id")
        self.ended_by = effect.get("ended", {}).get("by")
        self.refused = effect.get("refused")

    def __str__(self):
        return f"{self.method} {self.path} ({self.status})"


def owner(session):
    """An id is the account's name, 16 digits of time and 7 of chance."""
    return session[:-23]


def logins(requests, account):
    return [request.logged_in for request in requests if request.logged_in and owner(request.logged_in) == account]


def alive(requests):
    """The sessions in the table, in the order of their logins."""
    ended = {request.ended for request in requests}
    return [request.logged_in for request in requests if request.logged_in and request.logged_in not in ended]


# --- Clients ---


class Client:
    """An ilorest with a HOME of its own, where it keeps its one session."""

    ilorest = None
    homes = None

    def __init__(self, address):
        self.address = address
        self.home = tempfile.mkdtemp(dir=self.homes)

    def login(self):
        return self.call("login", self.address, "-u", LEAKER, "-p", PASSWORDS[LEAKER])

    def use(self):
        return self.call("rawget", "/redfish/v1/SessionService/")

    def call(self, *arguments):
        """Without input: where it has lost its session it would ask for a password, and wait."""
        environment = {"HOME": self.home, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            [self.ilorest, "--nologo", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=self.home,  # it writes its logs where it is
            text=True,
            timeout=60,
        )


@contextlib.contextmanager
def kept_in_use(client):
    """Uses the client's session again and again in the background."""
    stop, answers = threading.Event(), []

    def use():
        while not stop.is_set():
            answers.append(client.use())
            stop.wait(0.3)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    failed = [answer.stdout for answer in answers if answer.returncode != 0]
    expect(not failed, f"the session in use failed {len(failed)} of {len(answers)} times: {failed[:1]}")


def leak(address, times):
    """Logs in at a steady pace, each time from a HOME that forgets it, as a script in a fresh container does."""
    for _ in range(times):
        next_at = time.monotonic() + LOGIN_EVERY_S
        login = Client(address).login()
        expect(login.returncode == 0, f"a login was refused: {login.stdout}")
        time.sleep(max(0.0, next_at - time.monotonic()))


# --- The daemon ---

CONFIG = """\
mode: {mode}
poll: {{ every: {poll_s}s, fastest: 1s }}
pressure: {{ limit: {limit} }}
caps: {{ per_visit: 50, per_ilo_minute: 1000, share_of_seen: 100%, per_minute: 1000 }}
policies:
  interop:
    reap:
      - {{ id: superseded, superseded: true, idle: {idle_s}s }}
fleet:
  interop:
    username: {username}
    password_file: {password_file}
    policy: interop
    tls: {{ pin: "{pin}" }}
    ilos:
      - {{ name: {ilo}, address: {address} }}
report: {{ log: json }}
"""


class Daemon:
    def __init__(self, binary, simulator, run, ilo, mode):
        self.home = run / f"daemon-{mode}"
        self.home.mkdir()
        password_file, config = self.home / "password", self.home / "ilo-reaper.yaml"
        password_file.touch(mode=0o600)
        password_file.write_text(PASSWORDS[REAPER])
        config.write_text(
            CONFIG.format(
                mode=mode, poll_s=POLL_S, limit=LIMIT, idle_s=IDLE_S, username=REAPER, ilo=ilo,
                password_file=password_file.resolve(), pin=simulator.fingerprints[ilo], address=ADDRESSES[ilo],
            )
        )  # fmt: skip
        directories = {}
        for name in ("state", "runtime"):
            (self.home / name).mkdir(mode=0o700)
            directories[f"{name.upper()}_DIRECTORY"] = str((self.home / name).resolve())
        with open(self.home / "events.jsonl", "w") as stdout, open(self.home / "stderr", "w") as stderr:
            self.process = subprocess.Popen(
                [binary, "run", "--config", config],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, **directories},
            )

    def events(self, name):
        if self.process.poll() is not None and self.process.returncode != 0:
            raise Failure(f"the daemon ended with {self.process.returncode}: {(self.home / 'stderr').read_text()}")
        return [event for event in json_lines(self.home / "events.jsonl") if event["event"] == name]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"SIGTERM did not end the daemon within {STOP_S} s") from late
        expect(code == 0, f"a clean stop exits with 0, not {code}: {(self.home / 'stderr').read_text()}")

    def close(self):
        self.process.kill()
        self.process.wait()


def start(world, ilo, mode):
    """A daemon that is logged in, and its session."""
    daemon = world.enter(Daemon(world.daemon, world.simulator, world.run, ilo, mode))

    def held():
        daemon.events("daemon.ready")
        expect(daemon.process.poll() is None, "the daemon ended by itself")
        return logins(world.simulator.requests(ilo), REAPER)

    return daemon, wait_for(f"the daemon logs in to {ilo}", 20, held)[0]


# --- The phases ---


def bare(world):
    """Nobody watches: the table fills up, and the next login is refused."""
    for number in range(LIMIT):
        login = Client(ADDRESSES["ilo-1"]).login()
        expect(login.returncode == 0, f"login {number + 1} of {LIMIT} failed: {login.stdout}")
    expect(len(alive(world.simulator.requests("ilo-1"))) == LIMIT, "every login left its session behind")

    refused = Client(ADDRESSES["ilo-1"]).login()
    requests = world.simulator.requests("ilo-1")
    expect(refused.returncode != 0, "ilorest did not notice that its login was refused")
    expect([request for request in requests if request.refused == "table_full"], "the full table refused no login")
    return f"{LIMIT} sessions left behind, login {LIMIT + 1} refused: {refused.stdout.strip().splitlines()[-1]}"


def guarded(world):
    """The daemon ends what is left behind, and nothing else: every login succeeds, and the session in use lives."""
    ilo, address = "ilo-2", ADDRESSES["ilo-2"]
    kept_client = Client(address)
    expect(kept_client.login().returncode == 0, "the first login failed")
    kept = alive(world.simulator.requests(ilo))[0]
    daemon, held = start(world, ilo, "enforce")

    with kept_in_use(kept_client):
        leak(address, times=world.rounds * LIMIT)
        newest = logins(world.simulator.requests(ilo), LEAKER)[-1]
        left = {kept, held, newest}
        wait_for("orphans are ended", 30, lambda: set(alive(world.simulator.requests(ilo))) <= left)
    daemon.stop()

    requests = world.simulator.requests(ilo)
    check_daemon_session(requests, held)
    check_kept(requests, kept)
    reaped = [request.ended for request in requests if request.ended and request.ended != held]
    expect({owner(session) for session in reaped} == {LEAKER}, f"others than {LEAKER} lost sessions: {reaped}")
    expect(newest not in reaped, "the newest session was ended")
    told = sorted(event["session"] for event in daemon.events("session.reaped"))
    expect(told == sorted(reaped), f"ended {sorted(reaped)}, told {told}")
    refused = [str(request) for request in requests if request.refused == "table_full"]
    expect(not refused, f"logins were refused: {refused}")
    return f"{world.rounds * LIMIT} logins at a table of {LIMIT}, none refused; {len(reaped)} ended, {kept} lives"


def check_kept(requests, kept):
    """It was used to the end; and were it not used often enough, its end would be right and prove nothing."""
    uses = [request for request in requests if request.session == kept]
    gap_s = max((later.at - earlier.at).total_seconds() for earlier, later in zip(uses, uses[1:]))
    expect(gap_s < IDLE_S - 1, f"this machine is too slow: the session in use was not used for {gap_s:.1f} s")
    expect(kept in alive(requests), f"{kept} was in use and is gone")
    last_end = max(request.at for request in requests if request.ended and request.ended_by == REAPER)
    unused_s = (last_end - uses[-1].at).total_seconds()
    expect(uses[-1].status == 200 and unused_s < IDLE_S, f"{kept} was not used to the end")


def check_daemon_session(requests, held):
    """The daemon logged in once, and out when it stopped."""
    own = logins(requests, REAPER)
    expect(own == [held], f"the daemon logged in {len(own)} times: {own}")
    expect(held not in alive(requests), f"the daemon stopped and left its session {held}")


def observed(world):
    """In mode observe the daemon tells who would go, and sends nothing but GET beside its own login and logout."""
    ilo, address = "ilo-3", ADDRESSES["ilo-3"]
    daemon, held = start(world, ilo, "observe")
    leak(address, times=3)
    *orphans, newest = logins(world.simulator.requests(ilo), LEAKER)

    def told():
        gone = [str(request) for request in world.simulator.requests(ilo) if request.ended and request.ended != held]
        expect(not gone, f"mode observe, and yet: {gone}")
        return {event["session"] for event in daemon.events("session.would_reap") if event["ilo"] == ilo}

    wait_for(f"session.would_reap names {orphans}", 30, lambda: told() >= set(orphans))
    daemon.stop()

    requests = world.simulator.requests(ilo)
    expect(told() == set(orphans), f"only orphans would go, not {told() - set(orphans)}")
    expect(alive(requests) == [*orphans, newest], f"all of {LEAKER}'s sessions stay")
    others = [request for request in requests if request.method != "GET" and not request.logged_in]
    expect([request.ended for request in others] == [held], f"other than GET: {[str(request) for request in others]}")
    check_daemon_session(requests, held)
    return f"{len(orphans)} sessions would have gone, {len(requests)} requests and none of them harmed anybody"


PHASES = {"bare": bare, "guarded": guarded, "observed": observed}


class World:
    def __init__(self, arguments, stack):
        self.run, self.daemon, self.rounds = arguments.run, arguments.daemon, arguments.rounds
        self.stack = stack
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir(parents=True)
        Client.ilorest, Client.homes = arguments.ilorest.absolute(), (self.run / "homes").absolute()
        Client.homes.mkdir()
        self.simulator = self.enter(Simulator(arguments.simulator, self.run))

    def enter(self, closable):
        self.stack.callback(closable.close)
        return closable


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("ilorest", "simulator", "daemon", "run"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("phases", nargs="*", metavar="PHASE", help=", ".join(PHASES))
    arguments = parser.parse_args()
    if unknown := set(arguments.phases) - PHASES.keys():
        parser.error(f"no such phase: {', '.join(unknown)}; there are {', '.join(PHASES)}")
    with contextlib.ExitStack() as stack:
        world = World(arguments, stack)
        for name in arguments.phases or PHASES:
            try:
                print(f"ilorest {name}: {PHASES[name](world)}", flush=True)
            except Failure as failure:
                print(f"ilorest {name} FAILED: {failure}\nWhat happened is in {world.run}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
