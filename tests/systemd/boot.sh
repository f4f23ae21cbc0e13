#!/usr/bin/env bash
# A real systemd for a test: it boots in half a second, over an overlay of this machine's own `/`, and leaves no trace.
#
#   boot.sh start DIR                      boots; what it needs to know later lies in DIR; prints the state and the time it took
#   boot.sh exec DIR COMMAND…              runs a command inside, with a clean environment and this standard input
#   boot.sh put DIR FILE PATH [MODE]       copies a file to a path inside (644)
#   boot.sh stop DIR                       powers off and removes DIR and all else
#
# Several run side by side, each with a DIR of its own. For `start`:
#
#   NETNS=1      a network of its own, in which there is nothing but loopback; otherwise it has this machine's
#   DISK=SIZE    /var/lib/ilo-reaper is a disk of this size
#
# It needs root, overlayfs, a cgroup2 tree and the Debian packages systemd, dbus, util-linux and iproute2. Process, mount, cgroup,
# IPC and UTS namespaces are its own, `/dev`, `/run` and `/tmp` are empty, and the journal is on its disk, which is memory. Controllers
# that this machine gives to cgroup v1 are not there: limits of memory and tasks are then taken and not enforced.
set -euo pipefail

# 10 s, in steps of 0.05 s; it takes half a second where nothing else runs.
readonly TRIES=200

die() { echo "boot.sh: $*" >&2; exit 1; }

# --- Outside ---

# Its PID 1 as it is called out here, unless it is gone. Who bears that number now must still be in its namespace.
pid_of_init() {
    local pid
    pid=$(cat "$dir/pid" 2> /dev/null) && [[ $(readlink "/proc/$pid/ns/pid") == "$(< "$dir/namespace")" ]] || return 1
    echo "$pid"
}

inside() {
    local pid network=()
    pid=$(pid_of_init) || die "no systemd runs in $dir"
    if [[ -e $dir/network ]]; then network=(--net); fi
    nsenter --target "$pid" --mount --pid --uts --ipc --cgroup "${network[@]}" -- \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8 \
        SYSTEMD_PAGER=cat "$@"
}

cgroup_root() {
    if mountpoint -q /sys/fs/cgroup/unified; then echo /sys/fs/cgroup/unified; else echo /sys/fs/cgroup; fi
}

start() {
    local cgroup network=() began=$EPOCHREALTIME state=
    (( $(id -u) == 0 )) || die "only root can boot a systemd"
    [[ -x /lib/systemd/systemd ]] || die "systemd is missing here: install it"
    ! pid_of_init > /dev/null || die "one runs in $dir already"
    mkdir -p "$dir/disk"
    dir=$(realpath "$dir")
    rm -f "$dir"/{pid,namespace,network}
    if [[ -n ${NETNS:-} ]]; then network=(--net); touch "$dir/network"; fi

    cgroup=$(cgroup_root)/ilo-reaper-test-$$
    mkdir "$cgroup"
    echo "$cgroup" > "$dir/cgroup"
    # The cgroup comes first and its namespace after: the other way about, systemd would rule this machine's own tree.
    # shellcheck disable=SC2016
    setsid bash -c 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"' _ "$cgroup" \
        unshare --mount --pid --fork --cgroup --uts --ipc "${network[@]}" --propagation private --kill-child \
        bash "${BASH_SOURCE[0]}" become-init "$dir" > "$dir/boot.log" 2>&1 < /dev/null &

    for (( try = 0; try < TRIES; try++ )); do
        state=$(inside systemctl is-system-running 2> /dev/null) || true
        if [[ $state == running || $state == degraded ]]; then break; fi
        kill -0 $! 2> /dev/null || break
        sleep 0.05
    done
    if [[ $state != running ]]; then
        echo "boot.sh: systemd is ${state:-not there} after $(since "$began") s" >&2
        cat "$dir/boot.log" >&2
        inside systemctl --failed --no-legend >&2 || true
        stop
        return 1
    fi
    echo "running after $(since "$began") s"
}

since() {  # EPOCHREALTIME
    awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.2f", to - from }'
}

put() {  # FILE PATH [MODE]
    # shellcheck disable=SC2016
    inside sh -c 'mkdir -p "$(dirname "$1")" && cat > "$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"' \
        _ "$2" "${3:-644}" < "$1"
}

stop() {
    local pid cgroup
    if pid=$(pid_of_init); then
        kill -s RTMIN+4 "$pid" || true  # Power off.
        for (( try = 0; try < TRIES / 2; try++ )); do
            pid_of_init > /dev/null || break
            sleep 0.05
        done
        # With PID 1 goes everything in its namespace.
        if pid_of_init > /dev/null; then kill -KILL "$pid"; fi
    fi
    if cgroup=$(cat "$dir/cgroup" 2> /dev/null); then
        for (( try = 0; try < TRIES / 2; try++ )); do
            if [[ ! -d $cgroup ]] || find "$cgroup" -depth -type d -exec rmdir {} + 2> /dev/null; then break; fi
            sleep 0.05
        done
        [[ ! -d $cgroup ]] || die "processes are left in $cgroup"
    fi
    rm -rf "$dir"
}

# --- Inside, on the way to being PID 1 ---

become_init() {
    local disk=$dir/disk root=$dir/disk/root pid
    # This is still the /proc of outside, where we have another number.
    read -r pid _ < /proc/self/stat
    readlink "/proc/$pid/ns/pid" > "$dir/namespace"
    echo "$pid" > "$dir/pid"

    mount -t tmpfs -o size=2g disk "$disk"
    mkdir "$disk"/{upper,work,root}
    mount -t overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" root "$root"
    mount_kernel "$root"
    furnish "$root"
    if [[ -e $dir/network ]]; then ip link set lo up; fi

    mkdir "$root/outside"
    cd "$root"
    # Straight into the overlay: a bind mount between them would hide what is mounted in it.
    pivot_root . outside
    cd /
    umount --lazy /outside
    rmdir /outside
    # Credentials are moved into a service's namespace by propagation; without it their directory is empty.
    mount --make-rshared /
    exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --system --unit=test.target --log-target=journal --show-status=no < /dev/null > /dev/null 2>&1
}

mount_kernel() {  # ROOT
    local name
    mount -t proc proc "$1/proc"
    mount -t sysfs -o ro sysfs "$1/sys" 2> /dev/null || mount --rbind /sys "$1/sys"
    mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
    mount -t tmpfs -o mode=755 run "$1/run"
    # The machine's own /tmp would be tidied, file by file.
    mount -t tmpfs -o mode=1777 tmp "$1/tmp"
    mount -t tmpfs -o mode=755 dev "$1/dev"
    for name in null zero full random urandom tty; do
        touch "$1/dev/$name"
        mount --bind "/dev/$name" "$1/dev/$name"
    done
    mkdir "$1/dev/pts" "$1/dev/shm"
    mount -t tmpfs -o mode=1777 shm "$1/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$1/dev/pts"
    ln -s pts/ptmx "$1/dev/ptmx"
    ln -s /proc/self/fd "$1/dev/fd"
    ln -s /proc/self/fd/0 "$1/dev/stdin"
    ln -s /proc/self/fd/1 "$1/dev/stdout"
    ln -s /proc/self/fd/2 "$1/dev/stderr"
}

# A machine of its own, with no service but those that a service needs.
furnish() {  # ROOT
    local units=$1/etc/systemd/system unit
    rm -f "$1/etc/machine-id"
    tr -d - < /proc/sys/kernel/random/uuid > "$1/etc/machine-id"
    hostname management
    echo management > "$1/etc/hostname"
    rm -rf "$1/var/log/journal" "$units"/*.wants "$units"/*.requires
    mkdir -p "$1/var/log/journal" "$1/etc/systemd/journald.conf.d"
    # These write to the kernel, of which there is one.
    for unit in systemd-{sysctl,modules-load,binfmt,timesyncd,udevd,udev-trigger,hwdb-update,random-seed,pstore}.service \
        systemd-{update-utmp,remount-fs,firstboot,machine-id-commit,boot-system-token}.service kmod-static-nodes.service \
        dev-{hugepages,mqueue}.mount sys-kernel-{debug,tracing,config}.mount sys-fs-fuse-connections.mount \
        proc-sys-fs-binfmt_misc.{automount,mount}; do
        ln -sf /dev/null "$units/$unit"
    done
    printf '[Unit]\nRequires=basic.target dbus.socket\nAfter=basic.target\nAllowIsolate=yes\n' > "$units/test.target"
    printf '[Journal]\nStorage=persistent\nReadKMsg=no\nForwardToSyslog=no\n' > "$1/etc/systemd/journald.conf.d/test.conf"
    if [[ -n ${DISK:-} ]]; then
        mkdir -p "$1/var/lib/ilo-reaper"
        mount -t tmpfs -o "size=$DISK,mode=700" state "$1/var/lib/ilo-reaper"
    fi
}

# --- Which of it ---

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

(( $# >= 2 )) || usage
verb=$1 dir=$2
shift 2
case $verb in
    start | stop | put) "$verb" "$@" ;;
    exec) inside "$@" ;;
    become-init) become_init ;;
    *) usage ;;
esac
