"""Names on the network: an iLO is whoever shows its certificate, wherever its name leads."""

import socket

from world import REAPER, SESSIONS, expect, expect_equal, wait_for

NAME = "ilo-r1.oob.example.net"
RULE = "{ id: never-used, never_used: true, idle: 15m }"


def looks(ilo):
    return sum(request.method == "GET" and request.path.startswith(SESSIONS) for request in ilo.requests())


def changes(world):
    """A name that fails is told as such, one that is found again is visited, and one that leads elsewhere is not."""
    for legacy in (False, True):
        change(world, legacy)
    return "not found, found, and led elsewhere: nobody else was asked anything"


def change(world, legacy):
    [right], [other] = world.simulate("ilo6-1.66"), world.simulate("ilo5-3.11")
    name = world.name(f"{NAME}-{legacy}".lower())
    daemon = world.start(right, rule=RULE, name=name, legacy=legacy)
    [lost] = wait_for("its name is not found", 60, lambda: daemon.events("ilo.unreachable"))
    expect_equal(lost["cause"], "dns", "why it is not reached")
    expect_equal(right.requests(), [], "what it was asked meanwhile")

    name.means(right.address)
    wait_for("its name is found", 60, lambda: daemon.events("ilo.reachable"))
    held = daemon.logged_in()
    before = looks(right)
    wait_for("visits", 30, lambda: looks(right) > before + 2)

    # The connection that is open has proven who is at its other end. The next one is made to wherever the name leads.
    name.means(other.address)
    before = looks(right)
    wait_for("visits by the connection that is open", 30, lambda: looks(right) > before + 2)
    right.switch_off()
    [changed] = wait_for("whoever it is shows another certificate", 60, lambda: daemon.events("ilo.certificate_changed"))
    expect_equal((changed["expected"], changed["found"]), (right.fingerprint, other.fingerprint), "the certificates")
    expect_equal(other.requests(), [], "what the other one was asked")
    expect_equal(right.logins(REAPER), [held], "our logins")


def several(world):
    """Where the first address of a name does not answer, the next one does, for new and for old TLS."""
    [ilo] = world.simulate("ilo5-2.46")
    refusing = f"{world.network}.200"
    with socket.socket() as silent:
        # A queue of one that is full: who connects then gets no answer at all.
        silent.bind((f"{world.network}.201", ilo.port))
        silent.listen(0)
        with socket.create_connection(silent.getsockname()):
            for first in (refusing, silent.getsockname()[0]):
                for legacy in (False, True):
                    name = world.name(f"{NAME}-{first}-{legacy}".lower())
                    name.means(first, ilo.address)
                    logins = len(ilo.logins(REAPER))
                    daemon = world.start(ilo, rule=RULE, name=name, legacy=legacy)
                    what = f"{first} and then {ilo.address}, legacy: {legacy}"
                    wait_for(what, 60, lambda: len(ilo.logins(REAPER)) > logins)
                    expect(not daemon.events("ilo.unreachable"), what)
                    daemon.held = ilo.logins(REAPER)[-1]
                    daemon.process.terminate()
                    expect_equal(daemon.process.wait(timeout=60), 0, f"a clean stop: {what}")
    return "refused or silent, the second address was reached by both adapters"


STORIES = [changes, several]
