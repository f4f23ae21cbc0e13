"""DMTF's own client library and the programs made of it."""

import json

from world import CLIENTS, GENERATIONS, LEAKER, PASSWORDS, SESSIONS, expect, expect_equal, succeeded


def library(world):
    """The `redfish` library, with a session and with Basic authentication."""
    for ilo in world.simulate(*GENERATIONS):
        for how in ("session", "basic"):
            client = [CLIENTS / "dmtf.py", ilo.url, LEAKER, PASSWORDS[LEAKER], how]
            done = world.programs.run("standard", "python", *client)
            listed = json.loads(succeeded(done, f"{how} on an {ilo.personality}"))
            acted = {request.session for request in ilo.requests() if request.path.rstrip("/") == SESSIONS}
            expect(set(listed) & acted, f"the list of an {ilo.personality} lacks the session that asked: {listed}")
        [session] = ilo.logins(LEAKER)
        expect_equal(ilo.ended(), {session: LEAKER}, f"what the logout ended on an {ilo.personality}")
    return f"login by session and by Basic, list and logout on {', '.join(GENERATIONS)}"


def utilities(world):
    """`rf_raw_request.py`, which logs in and out around each request."""
    for ilo in world.simulate(*GENERATIONS):
        place = ["-r", ilo.url, "-u", LEAKER, "-p", PASSWORDS[LEAKER]]
        done = world.programs.run("standard", "rf_raw_request.py", *place, "-req", f"{SESSIONS}/", "-m", "GET")
        said = succeeded(done, f"the request to an {ilo.personality}")
        listed, _ = json.JSONDecoder().raw_decode(said[said.index("{") :])
        [session] = ilo.logins(LEAKER)
        expect_equal(listed["Members"], [{"@odata.id": f"{SESSIONS}/{session}/"}], f"the list of an {ilo.personality}")
        expect_equal(ilo.ended(), {session: LEAKER}, f"what the logout ended on an {ilo.personality}")
    return f"login, list and logout on {', '.join(GENERATIONS)}"


STORIES = [library, utilities]
