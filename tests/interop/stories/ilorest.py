"""What HPE's own client does to an iLO's session table, and what the daemon does about it."""

import contextlib
import threading
import time

from world import GENERATIONS, LEAKER, PASSWORDS, REAPER, SESSIONS, expect, expect_equal, succeeded, wait_for

LIMIT = 10

# Leak rate times the life of an orphan must stay below the free places. An orphan lives for its last access (1 s after
# its login), the idle time, up to a second of rounding and one poll: 14 s. So 5 orphans stand at a time, and with the
# kept session and the daemon's own 7 of 10 places are taken: 9 s to spare on a slow machine. There one ilorest can
# take seconds, and the kept session must not be idle meanwhile.
LOGIN_EVERY_S = 3.0
IDLE_S = 10
POLL_S = 2
SUPERSEDED = f"{{ id: superseded, superseded: true, idle: {IDLE_S}s }}"


class Client:
    """An ilorest with a HOME of its own, where it keeps its one session."""

    def __init__(self, world, ilo, venv="ilorest"):
        self.programs, self.ilo, self.venv = world.programs, ilo, venv
        self.home = world.programs.home()

    def login(self):
        place = self.ilo.url.removeprefix("https://")
        return self.call("login", place, "-u", LEAKER, "-p", PASSWORDS[LEAKER])

    def call(self, *arguments):
        return self.programs.run(self.venv, "ilorest", "--nologo", *arguments, home=self.home, within_s=60)


@contextlib.contextmanager
def kept_in_use(client):
    """Uses the client's session again and again in the background."""
    stop, answers = threading.Event(), []

    def use():
        while not stop.is_set():
            answers.append(client.call("rawget", "/redfish/v1/SessionService/"))
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


def leak(world, ilo, times):
    """Logs in at a steady pace, each time from a HOME that forgets it, as a script in a fresh container does."""
    for _ in range(times):
        next_at = time.monotonic() + LOGIN_EVERY_S
        succeeded(Client(world, ilo).login(), "a login")
        time.sleep(max(0.0, next_at - time.monotonic()))


# --- Without the daemon ---


def works(world):
    """All that a script does with sessions, on each generation that it knows."""
    # It cannot talk to an iLO 4: it looks for `Oem.Hpe` and gives up.
    generations = GENERATIONS[1:]
    for ilo in world.simulate(*generations):
        client, other = Client(world, ilo), Client(world, ilo)
        succeeded(other.login(), "the other's login")
        succeeded(client.login(), "the login")
        left, own = ilo.alive()

        listed = succeeded(client.call("rawget", f"{SESSIONS}/", "--expand"), "rawget")
        expect(left in listed and own in listed, f"rawget does not show both sessions: {listed}")
        listed = succeeded(client.call("list", "Id", "--json", "--selector", "Session."), "list")
        expect(left in listed and own in listed, f"list does not show both sessions: {listed}")

        succeeded(client.call("rawdelete", f"{SESSIONS}/{left}/"), "rawdelete")
        expect_equal(ilo.alive(), [own], f"the sessions of an {ilo.personality} after rawdelete")
        succeeded(client.call("logout"), "logout")
        expect_equal(ilo.alive(), [], f"the sessions of an {ilo.personality} after logout")
    return f"login, list, rawget, rawdelete and logout on {', '.join(generations)}"


def bare(world):
    """Nobody watches: the table fills up, and the next login is refused."""
    [ilo] = world.simulate("ilo5-3.11", options=["--limit", LIMIT])
    for number in range(LIMIT):
        succeeded(Client(world, ilo).login(), f"login {number + 1} of {LIMIT}")
    expect_equal(len(ilo.alive()), LIMIT, "sessions left behind")

    refused = Client(world, ilo).login()
    expect(refused.returncode != 0, "ilorest did not notice that its login was refused")
    expect([one for one in ilo.requests() if one.refused == "table_full"], "the full table refused no login")
    return f"{LIMIT} sessions left behind, login {LIMIT + 1} refused: {refused.stdout.strip().splitlines()[-1]}"


# --- With it ---


def guarded(world):
    """The daemon ends what is left behind, and nothing else: every login succeeds, and the session in use lives."""
    [ilo] = world.simulate("ilo5-3.11", options=["--limit", LIMIT])
    kept_client = Client(world, ilo)
    succeeded(kept_client.login(), "the first login")
    [kept] = ilo.alive()
    daemon = world.guard(ilo, rule=SUPERSEDED, limit=LIMIT, poll_s=POLL_S)

    with kept_in_use(kept_client):
        leak(world, ilo, times=world.rounds * LIMIT)
        newest = ilo.logins(LEAKER)[-1]
        wait_for("orphans are ended", 30, lambda: set(ilo.alive()) <= {kept, daemon.held, newest})
    daemon.stop()

    reaped = daemon.reaped()
    check_kept(ilo, kept)
    expect_equal({one.ended_owner for one in ilo.requests() if one.ended in reaped}, {LEAKER}, "who lost sessions")
    expect(newest not in reaped, "the newest session was ended")
    refused = [str(one) for one in ilo.requests() if one.refused == "table_full"]
    expect(not refused, f"logins were refused: {refused}")
    return f"{world.rounds * LIMIT} logins at a table of {LIMIT}, none refused; {len(reaped)} ended, {kept} lives"


def check_kept(ilo, kept):
    """It was used to the end; and were it not used often enough, its end would be right and prove nothing."""
    requests = ilo.requests()
    uses = [request for request in requests if request.session == kept]
    gap_s = max((later.at - earlier.at).total_seconds() for earlier, later in zip(uses, uses[1:]))
    expect(gap_s < IDLE_S - 1, f"this machine is too slow: the session in use was not used for {gap_s:.1f} s")
    expect(kept in ilo.alive(), f"{kept} was in use and is gone")
    last_end = max(request.at for request in requests if request.ended and request.ended_by == REAPER)
    unused_s = (last_end - uses[-1].at).total_seconds()
    expect(uses[-1].status == 200 and unused_s < IDLE_S, f"{kept} was not used to the end")


def observed(world):
    """In mode observe the daemon tells who would go, and sends nothing but GET beside its own login and logout."""
    [ilo] = world.simulate("ilo5-3.11", options=["--limit", LIMIT])
    daemon = world.guard(ilo, mode="observe", rule=SUPERSEDED, limit=LIMIT, poll_s=POLL_S)
    leak(world, ilo, times=3)
    *orphans, newest = ilo.logins(LEAKER)

    def told():
        expect_equal(ilo.ended(), {}, "sessions ended in mode observe")
        return {event["session"] for event in daemon.events("session.would_reap") if event["ilo"] == ilo.name}

    wait_for(f"session.would_reap names {orphans}", 30, lambda: told() >= set(orphans))
    expect_equal(told(), set(orphans), "the sessions that would go")
    daemon.stop()

    expect_equal(ilo.alive(), [*orphans, newest], f"{LEAKER}'s sessions")
    others = [request for request in ilo.requests() if request.method != "GET" and not request.logged_in]
    expect_equal([request.ended for request in others], [daemon.held], "what was sent other than GET")
    return f"{len(orphans)} sessions would have gone, {len(ilo.requests())} requests and none of them harmed anybody"


def other_port(world):
    """On a port other than 443 it logs out of a path that nobody has, and says that it is out. Its session stays."""
    [ilo] = world.simulate("ilo5-3.11", port=8443)
    client = Client(world, ilo)
    succeeded(client.login(), "the login")
    said = succeeded(client.call("logout"), "the logout")
    [orphan] = ilo.alive()
    [mangled] = [request for request in ilo.requests() if request.method == "DELETE"]
    expect(mangled.status == 405 and "Logging session out" in said, f"the logout is not as it was known: {mangled}")

    daemon = world.guard(ilo, rule=f"{{ id: idle, owner: {LEAKER}, idle: 3s }}")
    wait_for("the orphan is ended", 30, lambda: orphan not in ilo.alive())
    daemon.stop()
    expect_equal(daemon.reaped(), [orphan], "what the daemon ended")
    return f"its logout sent DELETE {mangled.path} and left {orphan}, which the daemon ended"


STORIES = [works, bare, guarded, observed, other_port]
