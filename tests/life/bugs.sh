#!/usr/bin/env bash
# Proves that the simulation finds bugs: plants each of tests/life/bugs, one at a time, and expects it to be found.
#
#   tests/life/bugs.sh [NAME…]         those named; all of them when none is
#
# ILO_REAPER_BUG_SEEDS=N             how many seeds a bug may take (2000)
#
# A bug is a patch against src. What stands above it tells the rule that it breaks, what somebody may have been
# thinking, and what it costs the user. It is planted in a copy of this tree in target/bugs, which is kept, so that the
# next one is built quickly; so is what each run wrote. The seconds are those of building and running; 'kept' stands
# for the seeds where none of them finds it and one of the lives in tests/life/once does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH" LC_ALL=C

readonly bugs=$PWD/tests/life/bugs
readonly seeds=${ILO_REAPER_BUG_SEEDS:-2000}
mkdir -p "${CARGO_TARGET_DIR:-target}/bugs/tree"
work=$(realpath "${CARGO_TARGET_DIR:-target}/bugs")
readonly work tree=$work/tree

# Makes the copy the same as this tree is now, committed or not. Only what differs is written: cargo goes by the time
# of the last write, and must see a patch that was taken back as a change.
refresh() {
    local file
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        if [[ ! -f $file ]]; then continue; fi
        printf '%s\0' "$file"
        if cmp -s "$file" "$tree/$file"; then continue; fi
        mkdir -p "$tree/$(dirname "$file")"
        cp "$file" "$tree/$file"
    done | sort -zu > "$work/files"
    (cd "$tree" && find . -type f -printf '%P\0' | sort -z | comm -z -13 "$work/files" - | xargs -0r rm --)
}

# Runs git in the copy as if there were no repository around it; else it would skip what is ignored there.
git_apply() {
    (cd "$tree" && GIT_CEILING_DIRECTORIES=$work git apply "$@")
}

# Lives until one is broken: 0 where none is, 1 where one is, anything else where it could not be tried.
live() {  # LOG
    (cd "$tree" && CARGO_TARGET_DIR=$work/target \
        cargo life --seeds "$seeds" --until-broken --no-shrink > "$1" 2>&1)
}

row() {  # BUG SEEDS SECONDS RULE
    printf '%-32s %7s %7s  %s\n' "$@"
}

# Plants one bug, prints its row, and notes it where it was not found.
try() {  # NAME
    local log=$work/$1.log code=0 began=$SECONDS
    local found='^broken: seed [^ ]+ rule (.+) after ([0-9]+) seed' kept="^broken: the kept life '.*' rule ([^:]+):"
    git_apply "$bugs/$1.patch"
    live "$log" || code=$?
    git_apply --reverse "$bugs/$1.patch"
    if (( code == 1 )) && [[ $(grep -m 1 '^broken:' "$log") =~ $found ]]; then
        row "$1" "${BASH_REMATCH[2]}" $(( SECONDS - began )) "${BASH_REMATCH[1]}"
        return
    elif (( code == 1 )) && [[ $(grep -m 1 '^broken:' "$log") =~ $kept ]]; then
        row "$1" kept $(( SECONDS - began )) "${BASH_REMATCH[1]}"
        return
    fi
    missed+=("$1")
    if (( code == 0 )); then
        row "$1" "$seeds" $(( SECONDS - began )) "NOT FOUND"
    else
        row "$1" - $(( SECONDS - began )) "DID NOT BUILD OR RUN (exit code $code): $log"
    fi
}

names=("$@")
if (( $# == 0 )); then mapfile -t names < <(cd "$bugs" && printf '%s\n' *.patch | sed 's/\.patch$//'); fi

refresh
stale=()
for name in "${names[@]}"; do
    if [[ ! -f $bugs/$name.patch ]]; then
        echo "bugs.sh: there is no bug '$name' in tests/life/bugs" >&2
        exit 2
    fi
    git_apply --check "$bugs/$name.patch" || stale+=("$name")
done
if (( ${#stale[@]} > 0 )); then
    cat >&2 <<TEXT
bugs.sh: src has changed, and these bugs can't be planted any more: ${stale[*]}
Make the same mistake in src again and write it down: keep the lines above the patch, put the output of \`git diff src\`
below them, and take it back with \`git checkout src\`. A mistake that nobody can make any more is deleted.
TEXT
    exit 1
fi

row bug seeds seconds "rule that was broken"
began=$SECONDS
if ! live "$work/nothing.log"; then
    tail -n 20 "$work/nothing.log" >&2
    echo "bugs.sh: without any bug it fails too, so that finding one means nothing: $work/nothing.log" >&2
    exit 1
fi
row "(nothing planted)" "$seeds" $(( SECONDS - began )) -

missed=()
for name in "${names[@]}"; do
    try "$name"
done
if (( ${#missed[@]} > 0 )); then
    echo "bugs.sh: not found: ${missed[*]}" >&2
    exit 1
fi
echo "all ${#names[@]} found"
