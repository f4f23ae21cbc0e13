"""Runs the stories of alerts. See run.sh."""

import argparse
import importlib
import sys
import time
import traceback
from pathlib import Path

STORIES = ["from_metrics", "from_log"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("simulator", "daemon", "run"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("stories", nargs="*", metavar="STORY", help=", ".join(STORIES))
    arguments = parser.parse_args()
    strangers = set(arguments.stories) - set(STORIES)
    if strangers:
        parser.error(f"no such story: {', '.join(strangers)}; there are {', '.join(STORIES)}")
    failed = 0
    for name in arguments.stories or STORIES:
        began = time.monotonic()
        try:
            proved = importlib.import_module(name).story(arguments)
        except Exception:
            failed += 1
            print(f"{name} FAILED: {traceback.format_exc()}", file=sys.stderr, flush=True)
        else:
            print(f"{name}: {proved} … {time.monotonic() - began:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
