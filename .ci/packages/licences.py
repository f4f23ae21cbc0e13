#!/usr/bin/env python3
"""What others' code in a program asks to be passed on: name, version, licence and notices of each crate that is linked.

    licences.py PACKAGE [CARGO ARGUMENT…]     to standard output; the arguments choose features
"""

import json
import re
import subprocess
import sys
from pathlib import Path

NOTICE = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


def linked(metadata, name):
    """The crates from elsewhere that end up in a program: no build scripts, no macros, nothing of tests."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    is_macro = lambda package: any("proc-macro" in target["kind"] for target in package["targets"])
    todo = [package["id"] for package in packages.values() if package["name"] == name and package["source"] is None]
    seen = set(todo)
    while todo:
        for dependency in nodes[todo.pop()]["deps"]:
            is_normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if is_normal and dependency["pkg"] not in seen and not is_macro(packages[dependency["pkg"]]):
                seen.add(dependency["pkg"])
                todo.append(dependency["pkg"])
    crates = [packages[crate] for crate in seen if packages[crate]["source"]]
    return sorted(crates, key=lambda crate: (crate["name"], crate["version"]))


def main():
    name, *arguments = sys.argv[1:]
    host = re.search(r"^host: (.+)$", subprocess.check_output(["rustc", "-vV"], text=True), re.MULTILINE)[1]
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host, *arguments]
    crates = linked(json.loads(subprocess.check_output(command)), name)
    if len(crates) < 10:
        sys.exit(f"licences.py: {name} is linked with {len(crates)} crates only, which can't be")
    texts = {}
    print(f"{name} is linked with the libraries below, each under its own licence.\n")
    for crate in crates:
        print(f"{crate['name']} {crate['version']}: {crate['license']}; {crate['repository'] or 'crates.io'}")
        for path in sorted(Path(crate["manifest_path"]).parent.iterdir()):
            if path.is_file() and NOTICE.match(path.name):
                text = path.read_text(errors="replace").strip()
                texts.setdefault(text, []).append(f"{crate['name']} {crate['version']} ({path.name})")
    for text, names in texts.items():
        print(f"\n{'-' * 80}\n{', '.join(names)}\n{'-' * 80}\n\n{text}")


if __name__ == "__main__":
    main()
