"""Tells the stories of the service. See run.sh."""

import argparse
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from machine import Failure, Machine
from stories import STORIES

# As many at a time. A story mostly waits for the next poll.
LANES = 3


def tell(story, folder, programs, package):
    """One story on a machine of its own: whether it is true."""
    name, began, machine = story.__name__, time.monotonic(), None
    try:
        machine = Machine(folder / name, programs, package, **getattr(story, "machine", {}))
        proved = story(machine)
    except Exception as why:
        what = why if isinstance(why, Failure) else "".join(traceback.format_exception(why))
        print(f"{name} FAILED: {what}", file=sys.stderr, flush=True)
        if machine:
            log = programs / f"{name}.log"
            log.write_text(machine.told())
            print(f"The journal is in {log}", file=sys.stderr, flush=True)
        return False
    finally:
        if machine:
            machine.close()
    print(f"{name}: {proved} … {time.monotonic() - began:.1f} s", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--package", type=Path)
    names = [story.__name__ for story in STORIES]
    parser.add_argument("stories", nargs="*", metavar="STORY", help=", ".join(names))
    arguments = parser.parse_args()
    if unknown := set(arguments.stories) - set(names):
        parser.error(f"no such story: {', '.join(unknown)}; there are {', '.join(names)}")
    chosen = [story for story in STORIES if not arguments.stories or story.__name__ in arguments.stories]
    with tempfile.TemporaryDirectory(prefix="ilo-reaper-systemd-") as folder, ThreadPoolExecutor(LANES) as lanes:
        true = lanes.map(lambda story: tell(story, Path(folder), arguments.programs, arguments.package), chosen)
        return 0 if all([*true]) else 1


if __name__ == "__main__":
    sys.exit(main())
