"""Ansible's community.general, with the playbook sessions.yaml."""

from pathlib import Path

from world import GENERATIONS, LEAKER, PASSWORDS, expect_equal, succeeded

PLAYBOOK = Path(__file__).parent.parent / "sessions.yaml"


def sessions(world):
    """GetSessions, CreateSession, DeleteSession and ClearSessions."""
    for ilo in world.simulate(*GENERATIONS):
        given = {"baseuri": ilo.address, "username": LEAKER, "password": PASSWORDS[LEAKER]}
        variables = [word for name, value in given.items() for word in ("-e", f"{name}={value}")]
        done = world.programs.run("standard", "ansible-playbook", PLAYBOOK, *variables)
        succeeded(done, f"the playbook on an {ilo.personality}")

        left, first, second = ilo.logins(LEAKER)
        expect_equal([*ilo.ended()], [first, left, second], f"what was ended on an {ilo.personality}, in order")
        expect_equal(ilo.alive(), [], f"sessions on an {ilo.personality} after ClearSessions")
    return f"GetSessions, CreateSession, DeleteSession and ClearSessions on {', '.join(GENERATIONS)}"


STORIES = [sessions]
