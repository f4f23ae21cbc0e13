#!/usr/bin/env python3
"""Makes .github/demo.svg: the screen of a real run of the demo, two thirds through.

    tests/demo/picture.py [PROGRAM] [SECONDS]

It runs PROGRAM (target/release/ilo-reaper) under a pseudo-terminal of 100 columns and follows the few escape
sequences that the demo uses. The seed is fixed, so only times and ids differ from picture to picture.
"""
import html
import os
import pathlib
import pty
import re
import select
import signal
import sys
import time

COLUMNS = 100
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "2": "#8b949e", "1": "#ffffff", "0": "#c9d1d9"}
PART = re.compile(r"\x1b\[([0-9?]*)([A-Za-z])|([^\x1b\r\n]+)|(\n)|(\r)")


def run(program, seconds):
    """What the demo wrote to its terminal until two thirds of its time were over."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm", COLUMNS=str(COLUMNS))
        os.environ.pop("NO_COLOR", None)
        os.execv(program, [program, "demo", "--for", f"{seconds}s", "--seed", "1"])
    wrote, taken, end = b"", None, time.monotonic() + seconds * 2 / 3
    while True:
        ready = select.select([terminal], [], [], 1)[0]
        if taken is None and time.monotonic() >= end:
            # Up to the last whole frame.
            taken = wrote[: wrote.rfind(b"\x1b[", 0, wrote.rfind(b"\x1b[K\r\n") + 5) + 5]
            os.kill(child, signal.SIGINT)
        try:
            wrote += os.read(terminal, 65536) if ready else b""
        except OSError:
            break
    _, status = os.waitpid(child, 0)
    if status != 0 or taken is None:
        sys.exit(f"the demo ended with {status}")
    return taken.decode()


def screen(text):
    """The lines, each a list of (colour, text)."""
    lines, row, colour = [[]], 0, "0"
    for code, letter, plain, down, _ in PART.findall(text):
        if plain:
            lines[row].append((colour, plain))
        elif down:
            row += 1
            if row == len(lines):
                lines.append([])
        elif letter == "A":
            top = row - int(code)
            lines[top:], row = [[] for _ in lines[top:]], top
        elif letter == "m":
            colour = code
    return lines[: row + 1]


def picture(lines):
    """The block that is drawn again and again, as SVG."""
    first = next(i for i, line in enumerate(lines) if "".join(t for _, t in line).startswith("ilo-reaper demo"))
    lines = lines[first:]
    while lines and not lines[-1]:
        lines.pop()
    width, height = COLUMNS * 8.4 + 32, len(lines) * 19 + 32
    rows = []
    for number, line in enumerate(lines):
        spans = "".join(f'<tspan fill="{COLOURS[colour]}">{html.escape(text)}</tspan>' for colour, text in line)
        rows.append(f'<text x="16" y="{number * 19 + 30}" xml:space="preserve">{spans}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        'font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14">\n'
        f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#0d1117"/>\n' + "\n".join(rows) + "\n</svg>\n"
    )


if __name__ == "__main__":
    asked = sys.argv[1:]
    demo = asked[0] if asked else str(ROOT / "target/release/ilo-reaper")
    (ROOT / ".github/demo.svg").write_text(picture(screen(run(demo, int(asked[1]) if len(asked) > 1 else 60))))
