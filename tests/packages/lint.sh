#!/usr/bin/env bash
# What the linters of the distributions say of the packages in a directory, and what they do not look at.
#
#   tests/packages/lint.sh DIR
#
# It needs the Debian packages lintian, rpm, rpmlint, mandoc, man-db and binutils.
set -euo pipefail
directory=$(realpath "${1:?the directory with the packages}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

bad() { echo "lint.sh: $*" >&2; failed=1; }

lintian --allow-root --fail-on error,warning "$directory"/*.deb || bad "lintian complains"
rpmlint -c .ci/packages/rpmlint.toml "$directory"/*.rpm > "$work/rpmlint" || bad "rpmlint complains"
grep -q ' 0 errors, 0 warnings' "$work/rpmlint" || { cat "$work/rpmlint"; bad "rpmlint complains"; }

for package in ilo-reaper ilo-sim; do
    dpkg-deb -x "$directory/$package"_*.deb "$work/$package"
    dpkg-deb -e "$directory/$package"_*.deb "$work/$package/DEBIAN"
done

# Pages without a complaint of either formatter. They are as old as the program and have no date of their own.
pages=("$work"/*/usr/share/man/man*/*.gz)
for page in ilo-reaper/usr/share/man/man1/ilo-reaper.1 ilo-reaper/usr/share/man/man5/ilo-reaper.yaml.5 ilo-sim/usr/share/man/man1/ilo-sim.1; do
    [[ -s $work/$page.gz ]] || bad "there is no $page.gz"
done
for page in "${pages[@]}"; do
    name=${page##*/}
    gunzip < "$page" > "$work/${name%.gz}"
    said=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$work/${name%.gz}" 2>&1 > /dev/null)
    said+=$(mandoc -T lint -W warning "$work/${name%.gz}" | grep -v 'cannot parse date, using it verbatim: TH *$' || true)
    [[ -z $said ]] || bad "$name: $said"
done

# Links lead somewhere, also from where the pages lie now.
for page in "$work"/*/usr/share/doc/*/*.md; do
    for link in $(grep -oE '\]\([^)#:]+' "$page" | sed 's/^](//' | sort -u); do
        [[ -e ${page%/*}/$link ]] || bad "${page#"$work"/} leads to $link, which is not there"
    done
done

# Completions that the shell itself takes, and that complete.
for script in "$work"/*/usr/share/bash-completion/completions/*; do
    bash -n "$script" || bad "bash does not read $script"
done
completed=$(bash -c 'source "$1"; COMP_WORDS=(ilo-reaper tr) COMP_CWORD=1; _ilo__reaper ilo-reaper tr ilo-reaper; echo "${COMPREPLY[@]}"' \
    _ "$work/ilo-reaper/usr/share/bash-completion/completions/ilo-reaper")
[[ $completed == trust ]] || bad "bash completes 'tr' to '$completed'"

# Both forms hold the same.
of_deb() { (cd "$work/$1" && find . -type f -printf '/%P\n') | grep -vE '^/DEBIAN|lintian|/(copyright|changelog.*gz)$' | sed 's|^/lib/|/usr/lib/|'; }
of_rpm() { rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$directory/$1"-*.rpm | sed -n 's/^-[^ ]* //p' | grep -vE '/(LICENSE-.*|CHANGELOG.md)$' | sed 's|site-functions|vendor-completions|'; }
for package in ilo-reaper ilo-sim; do
    diff <(of_deb "$package" | sort) <(of_rpm "$package" | sort) || bad "$package: the .deb and the .rpm hold different files"
done

# Only the configuration is the administrator's.
[[ $(cat "$work/ilo-reaper/DEBIAN/conffiles") == /etc/ilo-reaper/ilo-reaper.yaml ]] || bad "conffiles: $(cat "$work/ilo-reaper/DEBIAN/conffiles")"
[[ $(rpm -qpc "$directory"/ilo-reaper-*.rpm) == /etc/ilo-reaper/ilo-reaper.yaml ]] || bad "configuration of the .rpm: $(rpm -qpc "$directory"/ilo-reaper-*.rpm)"

# Old enough for the systems that it is for: RHEL 9 and Debian 12 have glibc 2.34 or newer, and OpenSSL 3.0 or newer.
newest() { objdump -T "$work"/*/usr/bin/* | grep -o "$1[0-9.]*[0-9]" | sort -Vu | tail -n 1; }
[[ $(printf '%s\n' "$(newest GLIBC_)" GLIBC_2.34 | sort -V | tail -n 1) == GLIBC_2.34 ]] || bad "it needs $(newest GLIBC_)"
[[ $(newest OPENSSL_) == OPENSSL_3.0.0 ]] || bad "it needs $(newest OPENSSL_)"

# Whoever passes the program on passes the notices on.
for package in ilo-reaper ilo-sim; do
    gunzip < "$work/$package/usr/share/doc/$package/third-party.txt.gz" > "$work/notices"
    for crate in tokio ring rustls; do
        grep -q "^$crate [0-9.]*: " "$work/notices" || bad "$package: no notice of $crate"
    done
    (( $(grep -c 'Permission is hereby granted' "$work/notices") > 10 )) || bad "$package: the notices are not there"
done

if (( failed )); then exit 1; fi
echo "lint.sh: good ($(wc -l < <(of_deb ilo-reaper)) files and $(wc -l < <(of_deb ilo-sim)) files, ${#pages[@]} pages)"
