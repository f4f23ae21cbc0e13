"""The oldest ilorest there is, which talks to an iLO 4 through the door that is older than Redfish."""

from stories.ilorest import Client
from world import LEAKER, expect, expect_equal, succeeded, wait_for

# What the service calls a login by script is not documented for iLO 4; the daemon looks for REST.
OPTIONS = ["--rest-tag", "REST"]


def works(world):
    """Login where the root below /rest/v1 says, list there, and logout."""
    [ilo] = world.simulate("ilo4-2.55", options=OPTIONS)
    client = Client(world, ilo, venv="ilorest5")
    succeeded(client.login(), "the login")
    [session] = ilo.alive()
    listed = succeeded(client.call("rawget", "/rest/v1/Sessions"), "the list")
    expect(session in listed, f"no {session} in: {listed}")
    succeeded(client.call("logout"), "the logout")
    expect_equal(ilo.ended(), {session: LEAKER}, "what the logout ended")

    old = [one for one in ilo.requests() if one.path.startswith("/rest/v1") and one.status == 200]
    by_session = [one for one in old if one.session == session]
    expect(len(old) > len(by_session) > 0, "it did not go through the old door, before the login and after")
    return f"login, list and logout of {session}, with {len(old)} requests below /rest/v1"


def leaves(world):
    """Without a logout each login leaves a session, also in one HOME; the daemon ends them, but the newest."""
    [ilo] = world.simulate("ilo4-2.55", options=OPTIONS)
    client = Client(world, ilo, venv="ilorest5")
    for number in range(3):
        succeeded(client.login(), f"login {number + 1}")
        ilo.next_second()  # a login within the second of the last use supersedes nobody
    *orphans, newest = ilo.alive()
    expect_equal(len(orphans), 2, "sessions left behind")

    daemon = world.guard(ilo, rule="{ id: superseded, superseded: true, idle: 4s }")
    wait_for("the orphans are ended", 60, lambda: set(ilo.alive()) == {newest, daemon.held})
    daemon.stop()
    expect_equal(sorted(daemon.reaped()), sorted(orphans), "what the daemon ended")

    succeeded(client.call("logout"), "the logout")
    expect_equal(ilo.alive(), [], "sessions after the logout")
    return f"3 logins in one HOME left {len(orphans)} sessions, which the daemon ended; {newest} lived to log out"


STORIES = [works, leaves]
