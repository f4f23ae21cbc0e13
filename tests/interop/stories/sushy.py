"""OpenStack's library: it opens sessions and never closes one."""

import json

from world import CLIENTS, LEAKER, PASSWORDS, expect, expect_equal, succeeded, wait_for

IDLE_S = 5
IDLE = f"{{ id: idle, owner: {LEAKER}, idle: {IDLE_S}s }}"


def command(ilo, what):
    return ["standard", "python", CLIENTS / "sushy_at_work.py", ilo.url, LEAKER, PASSWORDS[LEAKER], what]


def leaves(world):
    """What processes left that ended goes; what one holds that still works stays."""
    [ilo] = world.simulate("ilo6-1.66")
    worker = world.programs.start(*command(ilo, "work"))
    world.stack.callback(worker.kill)
    [kept] = wait_for("a sushy process is logged in", 60, lambda: ilo.logins(LEAKER))
    listed = [json.loads(succeeded(world.programs.run(*command(ilo, "list")), "a list")) for _ in range(3)]
    orphans = ilo.logins(LEAKER)[1:]
    expect_equal(ilo.alive(), [kept, *orphans], "the sessions before the daemon comes")
    expect(all(kept in ids for ids in listed), f"a list lacks {kept}: {listed}")

    daemon = world.guard(ilo, rule=IDLE)
    wait_for("the orphans are ended", 60, lambda: set(ilo.alive()) == {kept, daemon.held})
    # The worker is older than any of them, and has been left alone as long as it took to end them.
    before = uses(ilo, kept)
    wait_for("the worker goes on", 30, lambda: uses(ilo, kept) > before + 3)
    expect(worker.poll() is None, "the worker ended")
    check_used(ilo, kept)

    worker.kill()
    wait_for("what a killed worker leaves is ended too", 60, lambda: ilo.alive() == [daemon.held])
    daemon.stop()
    expect_equal(sorted(daemon.reaped()), sorted([kept, *orphans]), "what the daemon ended")
    return f"{len(orphans)} sessions of ended processes ended, {kept} lived as long as its process"


def uses(ilo, session):
    return sum(request.session == session for request in ilo.requests())


def check_used(ilo, session):
    """Were it not used often enough, its end would be right."""
    moments = [request.at for request in ilo.requests() if request.session == session]
    gap_s = max((later - earlier).total_seconds() for earlier, later in zip(moments, moments[1:]))
    expect(gap_s < IDLE_S - 1, f"this machine is too slow: the worker did nothing for {gap_s:.1f} s")


def closes(world):
    """Where somebody tells it to, it closes its session as well, also on an iLO 4."""
    ilos = world.simulate("ilo4-2.55", "ilo5-3.11", "ilo7-1.17")
    for ilo in ilos:
        listed = json.loads(succeeded(world.programs.run(*command(ilo, "close")), f"the login to an {ilo.personality}"))
        [session] = ilo.logins(LEAKER)
        expect_equal(listed, [session], f"the list of an {ilo.personality}")
        expect_equal(ilo.ended(), {session: LEAKER}, f"what was ended on an {ilo.personality}")
    return f"login, list and close_session on {', '.join(ilo.personality for ilo in ilos)}"


STORIES = [leaves, closes]
