"""Runs the stories of programs from elsewhere. See run.sh."""

import argparse
import contextlib
import importlib
import shutil
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from world import Failure, World

# Each group has a network of its own, so that it can run beside others: 127.44.<number>.0. The longest come first.
GROUPS = {"ilorest": 3, "validator": 4, "ansible": 5, "ilorest5": 6, "sushy": 7, "dmtf": 8, "curl": 9, "names": 10}

# As many groups run at a time. One of them mostly waits for things to become idle.
LANES = 2


def tell(group, story, arguments):
    """One story in a world of its own: whether it is true."""
    name, began = f"{group} {story.__name__}", time.monotonic()
    with contextlib.ExitStack() as stack:
        world = World(arguments, f"{group}-{story.__name__}", GROUPS[group], stack)
        try:
            proved = story(world)
        except Exception as why:
            known = isinstance(why, Failure)
            what = why if known else "".join(traceback.format_exception(why))
            print(f"{name} FAILED: {what}\n{world.told()}\nMore is in {world.run}", file=sys.stderr, flush=True)
            return False
    print(f"{name}: {proved} … {time.monotonic() - began:.0f} s", flush=True)
    return True


def tell_group(group, names, arguments):
    stories = importlib.import_module(f"stories.{group}").STORIES
    chosen = [story for story in stories if not names or story.__name__ in names]
    return all([tell(group, story, arguments) for story in chosen])


def chosen(words, parser):
    """The groups that are asked for, each with the names of its stories where only some are."""
    asked = {}
    for word in words or GROUPS:
        group, _, story = word.partition("/")
        if group not in GROUPS:
            parser.error(f"no such group: {group}; there are {', '.join(GROUPS)}")
        known = [story.__name__ for story in importlib.import_module(f"stories.{group}").STORIES]
        if story and story not in known:
            parser.error(f"no such story: {word}; there are {', '.join(known)}")
        asked.setdefault(group, set()).update([story] if story else known)
    return asked


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("venvs", "simulator", "daemon", "run"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("stories", nargs="*", metavar="GROUP[/STORY]", help=", ".join(GROUPS))
    arguments = parser.parse_args()
    asked = chosen(arguments.stories, parser)
    shutil.rmtree(arguments.run, ignore_errors=True)
    with ThreadPoolExecutor(LANES) as lanes:
        true = lanes.map(lambda group: tell_group(group, asked[group], arguments), sorted(asked, key=[*GROUPS].index))
        return 0 if all([*true]) else 1


if __name__ == "__main__":
    sys.exit(main())
