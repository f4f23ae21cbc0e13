"""The service's life under systemd, each story on a machine of its own.

What the service did is read from the simulated iLOs' own log of requests; what it told, from the journal.
"""

import re

from machine import CONFIG, LEAKER, PASSWORD, SERVICE, STATE, UNIT_FILES, expect, expect_equal, wait_for

JOURNALD = ["systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket"]


def service(machine, *names, options=(), **choices):
    """Simulated iLOs of these names, and the service installed for them."""
    machine.simulate(*names, options=options)
    machine.install(**choices)


# --- Start and stop ---


def it_starts_works_and_a_stop_logs_out(machine):
    service(machine, "r1", "r2")
    machine.start()
    ready = machine.hears("daemon.ready")[0]
    expect_equal((ready["ILO_REAPER_ILOS"], ready["ILO_REAPER_MODE"]), ("2", "enforce"), "daemon.ready")
    owner = machine.run("stat", "-c", "%U %a", STATE).split()
    expect_equal(owner, ["ilo-reaper", "700"], "owner and mode of the state")
    leaked = machine.leak("r1")
    wait_for("the end of a leaked session", lambda: leaked in machine.ended("r1"))
    machine.run("systemctl", "stop", SERVICE)
    expect_equal(machine.shows("Result"), "success", "the result of a clean stop")
    for name in machine.ilos:
        ours = machine.logins(name)
        expect_equal((len(ours), ours[0] in machine.ended(name)), (1, True), f"logins to {name}, and the log-out")
    expect(machine.events("daemon.stopping"), "the last event is under the unit's name")
    return "2 iLOs visited, a leaked session ended, logged out of both"


def a_kill_leaves_no_second_session(machine):
    service(machine, "r1", "r2")
    machine.start()
    for kills in (1, 2):
        machine.run("systemctl", "kill", "--signal=KILL", SERVICE)
        machine.hears("daemon.ready", kills + 1)
        expect_equal(machine.shows("NRestarts"), str(kills), "restarts")
        for name in machine.ilos:
            before = machine.visits(name)
            wait_for(f"visits to {name}", lambda: machine.visits(name) > before + 1)
    machine.run("systemctl", "stop", SERVICE)
    for name in machine.ilos:
        ours = machine.logins(name)
        expect_equal((len(ours), ours[0] in machine.ended(name)), (1, True), f"logins to {name}, and the log-out")
    return "killed twice, one login to each iLO in all"


def a_bad_configuration_starts_no_storm(machine):
    service(machine, "r1", more="polll: { every: 1m }\n")
    machine.try_to("systemctl", "start", SERVICE)
    wait_for("a service that failed", lambda: machine.shows("ActiveState") == "failed")
    expect_equal((machine.shows("ExecMainStatus"), machine.shows("NRestarts")), ("78", "0"), "exit code and restarts")
    said = [entry["MESSAGE"] for entry in machine.journal(f"_SYSTEMD_UNIT={SERVICE}")]
    where = re.compile(rf"{CONFIG}:\d+:1: polll: .*did you mean `poll`")
    expect(any(where.search(line) for line in said), f"the mistake, at its line: {said}")
    expect_equal(machine.requests(), [], "requests to an iLO")
    return "exit 78, no restart, the mistake is under the unit's name"


def a_service_that_dies_again_and_again_is_left_dead(machine):
    service(machine, "r1")
    machine.drop_in("[Service]\nRestartSec=100ms\n")
    machine.run("sh", "-c", f"mkdir -p {STATE}/state.db && chown -R ilo-reaper: {STATE}")
    machine.try_to("systemctl", "start", SERVICE)
    wait_for("a service that is left dead", lambda: machine.shows("ActiveState") == "failed")
    said = [entry["MESSAGE"] for entry in machine.journal(f"_SYSTEMD_UNIT={SERVICE}")]
    starts = sum("cannot use the state" in line for line in said)
    expect_equal(starts, 5, f"starts: {said}")
    expect_equal(machine.requests(), [], "requests to an iLO")
    return "5 starts, each says what is wrong, then none"


def a_credential_that_is_missing_keeps_it_from_starting(machine):
    service(machine, "r1", password="password_credential: rack-1")
    machine.drop_in("[Service]\nLoadCredential=rack-1:/etc/credstore/ilo-reaper.rack-1\nRestart=no\n")
    expect(machine.try_to("systemctl", "start", SERVICE).returncode != 0, "it started without its password")
    expect_equal(machine.shows("ExecMainStatus"), "243", "exit code, which is systemd's for credentials")
    expect_equal(machine.events("daemon.ready"), [], "events of a service that did not start")
    machine.write("/etc/credstore/ilo-reaper.rack-1", PASSWORD, "600")
    # What needs no password works without the service's credentials too.
    machine.run("rm", "/etc/ilo-reaper/known_ilos")
    machine.run("ilo-reaper", "trust", "--write")
    checked = machine.try_to("ilo-reaper", "check")
    expect_equal(checked.returncode, 0, "the exit code of `check`")
    expect("only the service has the credential `rack-1`" in checked.stderr, f"`check` says: {checked.stderr}")
    machine.start()
    machine.run("systemctl", "stop", SERVICE)
    asked = machine.try_to("ilo-reaper", "list")
    expect("systemd-run --pipe --property=LoadCredential=rack-1:FILE" in asked.stderr, f"`list` says: {asked.stderr}")
    given = "--property=LoadCredential=rack-1:/etc/credstore/ilo-reaper.rack-1"
    listed = machine.run("systemd-run", "--quiet", "--wait", "--pipe", given, "ilo-reaper", "list")
    expect("svc-ilo-reaper" in listed, f"`list` with the credential says: {listed}")
    return "243 without it, and with it a login; check and trust need none"


# --- Commands without the daemon ---


def what_people_do_without_the_service_is_in_the_journal(machine):
    service(machine, "r1")
    machine.start()
    machine.run("systemctl", "stop", SERVICE)
    leaked = machine.leak("r1")
    # A state of somebody else's making is lost, and nothing is ended until a person says so.
    machine.write(f"{STATE}/state.db", "no database")
    machine.run("ilo-reaper", "list")
    expect(leaked not in machine.ended("r1"), "a list ended a session")
    said = machine.run("ilo-reaper", "resume")
    expect("deletions may begin again" in said, f"`resume` says: {said}")
    resumed = machine.journal("ILO_REAPER_EVENT=daemon.resumed")
    expect_equal([entry["ILO_REAPER_BY"] for entry in resumed], ["uid 0"], "who resumed, by the journal")
    wait_for("the end of a leaked session", lambda: machine.run("ilo-reaper", "sweep") and leaked in machine.ended("r1"))
    reaped = wait_for("its event", lambda: machine.journal("ILO_REAPER_EVENT=session.reaped"))
    expect_equal([entry["ILO_REAPER_SESSION"] for entry in reaped], [leaked], "sessions that were ended, by the journal")
    return "who resumed, and which session a sweep ended"


def a_start_waits_for_a_command_that_has_the_state(machine):
    service(machine, "r1")
    machine.start()
    machine.run("systemctl", "stop", SERVICE)
    machine.run("systemd-run", "--quiet", "--unit=command", "flock", f"{STATE}/lock", "sleep", "3")
    wait_for("the lock", lambda: machine.try_to("flock", "--nonblock", f"{STATE}/lock", "true").returncode != 0)
    machine.start()
    expect_equal(machine.shows("NRestarts"), "0", "restarts")
    machine.run("systemctl", "stop", SERVICE)
    return "started once, when the command had ended"


# --- Readiness, reload, watchdog ---


def start_waits_until_it_is_ready(machine):
    # Nobody answers: a fleet that is down keeps no service from starting.
    service(machine, "r1", "r2")
    machine.run("systemctl", "stop", "ilo-sim")
    machine.run("systemctl", "start", SERVICE)
    expect_equal(machine.shows("Type"), "notify", "how systemd knows that it is ready")
    expect(machine.events("daemon.ready"), "`systemctl start` returned before it was ready")
    wait_for("a heartbeat in its status", lambda: "2 iLOs" in machine.shows("StatusText"))
    machine.run("systemctl", "stop", SERVICE)
    return "ready with every iLO down, and its status tells the heartbeat"


def a_reload_is_answered(machine):
    service(machine, "r1")
    machine.start()
    good = machine.run("cat", CONFIG)
    machine.write(CONFIG, good + "polll: { every: 1m }\n")
    refused = machine.try_to("systemctl", "reload", SERVICE)
    expect(refused.returncode != 0, "a configuration with a mistake was taken")
    expect_equal((machine.shows("ActiveState"), machine.shows("NRestarts")), ("active", "0"), "the service, and restarts")
    rejected = machine.hears("config.rejected")[0]
    expect("did you mean `poll`" in rejected["ILO_REAPER_MISTAKE"], f"the mistake: {rejected}")
    leaked = machine.leak("r1")
    wait_for("the end of a leaked session", lambda: leaked in machine.ended("r1"))

    machine.write(CONFIG, good.replace("mode: enforce", "mode: observe"))
    machine.run("systemctl", "reload", SERVICE)
    # What came before the reload may be on its way; what comes after it must stay.
    leaked = machine.leak("r1")
    before = machine.visits("r1")
    wait_for("visits", lambda: machine.visits("r1") > before + 15)
    expect(leaked not in machine.ended("r1"), "a session was ended after the reload to observe")
    machine.hears("session.would_reap")
    machine.run("systemctl", "stop", SERVICE)
    return "refused with its mistake and the old one in force, then taken and in force at once"


def strangers_give_no_orders(machine):
    service(machine, "r1")
    machine.start()
    socket = "/run/ilo-reaper/control.sock"
    as_user = lambda uid, *words: machine.try_to("setpriv", f"--reuid={uid}", "--clear-groups", "ilo-reaper", *words)
    # First they do not reach it; then somebody has opened the way to it.
    closed = as_user(65534, "pause", "--reason", "mischief")
    said = f"what a stranger gets: {closed.returncode} {closed.stderr}"
    expect(closed.returncode == 1 and "is closed to you" in closed.stderr, said)
    machine.run("chmod", "755", "/run/ilo-reaper")
    machine.run("chmod", "666", socket)
    for order in (["pause", "--reason", "mischief"], ["status"], ["reload"]):
        opened = as_user(65534, *order)
        why = f"what a stranger gets for {order[0]} through an open door: {opened.returncode} {opened.stdout}{opened.stderr}"
        expect(opened.returncode != 0 and "only root and the service's own user may ask" in opened.stderr, why)
    for uid in ("ilo-reaper", "root"):
        allowed = as_user(uid, "status")
        expect_equal(allowed.returncode, 0, f"what {uid} gets: {allowed.stderr}")
    expect_equal(machine.events("daemon.paused"), [], "orders that were taken")
    machine.run("systemctl", "stop", SERVICE)
    return "nobody pauses, reloads or looks but root and the service's own user, also where the socket is open"


def the_kernel_lets_it_out_to_its_networks_only(machine):
    service(machine, "r1", "r2")
    example = (UNIT_FILES / "ilo-reaper.service.d" / "networks.conf.example").read_text()
    # All iLOs here are on this host: of them only the first is in one of its networks.
    machine.drop_in(example.replace("IPAddressAllow=localhost", "IPAddressAllow=127.0.1.1"))
    machine.run("systemctl", "start", SERVICE)
    [blocked] = machine.hears("ilo.unreachable")
    expect_equal(blocked["ILO_REAPER_ILO"], "r2", "who is out of reach")
    wait_for("visits to r1", lambda: machine.visits("r1") > 2)
    machine.run("systemctl", "stop", SERVICE)
    expect_equal(machine.requests("r2"), [], "requests to the other one")
    return "with the example's drop-in an iLO of another network gets nothing"


def a_loop_that_hangs_is_started_again(machine):
    service(machine, "r1")
    machine.drop_in("[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\nRestartSec=100ms\n")
    machine.start()
    # Longer than the watchdog's time, in which iLOs do not answer: that is no reason.
    machine.run("systemctl", "kill", "--signal=STOP", "ilo-sim")
    beats = len(machine.events("fleet.summary"))
    machine.hears("fleet.summary", beats + 6)
    expect_equal(machine.shows("NRestarts"), "0", "restarts while an iLO hangs")
    machine.run("systemctl", "kill", "--signal=CONT", "ilo-sim")
    machine.run("systemctl", "kill", "--signal=STOP", SERVICE)
    wait_for("a restart", lambda: machine.shows("NRestarts") == "1")
    expect(machine.journal("UNIT=" + SERVICE, "UNIT_RESULT=watchdog"), "it was not the watchdog")
    before = machine.visits("r1")
    wait_for("visits", lambda: machine.visits("r1") > before + 1)
    machine.run("systemctl", "stop", SERVICE)
    ours = machine.logins("r1")
    expect_equal((len(ours), ours[0] in machine.ended("r1")), (1, True), "logins, and the log-out")
    return "restarted with the session it held; a slow iLO restarts nothing"


# --- The journal ---


def the_journal_has_fields_and_explains_them(machine):
    # What iLOs tell is not to be believed, and not to be shown as it is.
    hostile = "ev\x1b[31mil\u202e\u0085=\"x\" event=ilo.full"
    service(machine, "r1", options=["--session", f"REST:{hostile}@192.0.2.66"] * 2, more="pressure: { limit: 5 }\n")
    machine.start()
    machine.leak("r1")
    reaped = machine.hears("session.reaped")[0]
    for key, wanted in {
        "PRIORITY": "5", "SYSLOG_IDENTIFIER": "ilo-reaper", "ILO_REAPER_ILO": "r1", "ILO_REAPER_GROUP": "rack-1",
        "ILO_REAPER_RULE": "never-used", "ILO_REAPER_OWNER": LEAKER, "ILO_REAPER_ORIGIN": "192.0.2.10",
        "_TRANSPORT": "journal", "_SYSTEMD_UNIT": SERVICE,
    }.items():  # fmt: skip
        expect_equal(reaped.get(key), wanted, key)
    near = machine.hears("ilo.near_limit")[0]
    expect(near["ILO_REAPER_TOP_OWNER"].startswith("ev\\u{1b}[31mil"), f"the owner, cleaned: {near}")
    for entry in machine.journal("SYSLOG_IDENTIFIER=ilo-reaper"):
        expect(isinstance(entry["MESSAGE"], str), f"MESSAGE is no string: {entry}")
        expect_equal(entry["MESSAGE"].count(" event="), 1, f"events named in {entry['MESSAGE']}")
    told = reaped["MESSAGE"]
    expect(" event=session.reaped ilo=r1 group=rack-1 session=" in told, f"the fields in the sentence: {told}")

    explained = machine.run("journalctl", "-x", "--no-pager", f"MESSAGE_ID={reaped['MESSAGE_ID']}")
    expect("Subject: An abandoned session was ended" in explained, f"the subject in {explained}")
    flat = " ".join(explained.replace("\u2591", " ").split())
    expect(f"The rule never-used found session {reaped['ILO_REAPER_SESSION']}" in flat, f"the fields in {explained}")
    expect("@ILO_REAPER" not in explained, f"a field that is not filled in: {explained}")
    listed = machine.run("journalctl", "--list-catalog")
    listed = sum(" ilo-reaper: " in line for line in listed.splitlines())
    written = sum(line.startswith("-- ") for line in (UNIT_FILES / "ilo-reaper.catalog").read_text().splitlines())
    expect_equal(listed, written, "entries of the catalog that journalctl took")
    return f"fields are strings whatever an iLO says, {listed} entries in the catalog"


def tells_of(machine, session):
    """Whether the journal has the end of this session."""
    return any(event["ILO_REAPER_SESSION"] == session for event in machine.events("session.reaped"))


def a_journald_that_is_stopped_stops_nothing(machine):
    service(machine, "r1")
    machine.start()
    machine.run("systemctl", "stop", *JOURNALD)
    leaked = [machine.leak("r1") for _ in range(2)]
    wait_for("the end of leaked sessions", lambda: all(session in machine.ended("r1") for session in leaked))
    # Who asks for a journal where there is none hears of it at once.
    machine.run("sh", "-c", f"sed 's/^report:.*/report: {{ log: journald }}/' {CONFIG} > {CONFIG}.2")
    by_hand = ["timeout", "2", "env", "STATE_DIRECTORY=/tmp/state", "ilo-reaper", "run", "--config", f"{CONFIG}.2"]
    complaint = machine.try_to("runuser", "-u", "ilo-reaper", "--", *by_hand).stderr
    expect("warning: nobody listens at /run/systemd/journal/socket" in complaint, f"a warning: {complaint}")
    machine.run("systemctl", "start", *JOURNALD)
    lost = machine.hears("events.lost")[0]
    expect(int(lost["ILO_REAPER_COUNT"]) >= 2, f"two deletions were told to nobody: {lost['MESSAGE']}")
    leaked = machine.leak("r1")
    wait_for("the event of another", lambda: tells_of(machine, leaked))
    expect_equal(machine.shows("NRestarts"), "0", "restarts")
    return f"2 sessions ended meanwhile, {lost['ILO_REAPER_COUNT']} events counted as lost and told"


def refuse_reloads(machine, times):
    """Asks so often for a configuration with fifty mistakes, each of which is an event."""
    machine.write(CONFIG, "".join(f"unknown-{number}: 1\n" for number in range(60)))
    asks = 'pid=$(systemctl show --value -p MainPID "$0"); for n in $(seq "$1"); do kill -s HUP "$pid"; sleep 0.05; done'
    machine.run("sh", "-c", asks, SERVICE, str(times))


def a_journald_that_hangs_stops_nothing(machine):
    service(machine, "r1")
    machine.start()
    machine.run("systemctl", "kill", "--signal=STOP", "systemd-journald.service")
    leaked = []
    for _ in range(3):
        refuse_reloads(machine, 50)
        leaked.append(machine.leak("r1"))
        wait_for("the end of a leaked session", lambda: leaked[-1] in machine.ended("r1"))
    machine.run("systemctl", "kill", "--signal=CONT", "systemd-journald.service")
    lost = machine.hears("events.lost")[0]
    another = machine.leak("r1")
    wait_for("the event of another", lambda: tells_of(machine, another))
    expect_equal(machine.shows("NRestarts"), "0", "restarts")
    return f"3 sessions ended meanwhile, {lost['ILO_REAPER_COUNT']} events counted as lost and told"


def a_stop_waits_for_no_journald(machine):
    service(machine, "r1")
    machine.start()
    machine.run("systemctl", "kill", "--signal=STOP", "systemd-journald.service")
    refuse_reloads(machine, 20)
    machine.run("systemctl", "stop", SERVICE)
    expect_equal(machine.shows("Result"), "success", "the result of the stop")
    expect(machine.logins("r1")[0] in machine.ended("r1"), "it did not log out")
    machine.run("systemctl", "kill", "--signal=CONT", "systemd-journald.service")
    return "a clean stop although the journal hangs"


# --- The disk ---


def on_a_full_disk_nothing_is_deleted(machine):
    service(machine, "r1")
    machine.start()
    machine.run("sh", "-c", f"cat /dev/zero > {STATE}/filler || true")
    leaked = machine.leak("r1")
    unwritable = machine.hears("state.unwritable")[0]
    expect_equal(unwritable["PRIORITY"], "3", "its priority")
    before = machine.visits("r1")
    wait_for("visits", lambda: machine.visits("r1") > before + 10)
    expect(leaked not in machine.ended("r1"), "it was ended without a record")
    machine.run("rm", f"{STATE}/filler")
    wait_for("the end of the leaked session", lambda: leaked in machine.ended("r1"))
    machine.hears("state.writable")
    machine.run("systemctl", "stop", SERVICE)
    expect_equal((len(machine.logins("r1")), machine.shows("NRestarts")), (1, "0"), "logins and restarts")
    return "spared while nothing can be recorded, ended when there is room"


on_a_full_disk_nothing_is_deleted.machine = {"disk": "2m"}

STORIES = [
    it_starts_works_and_a_stop_logs_out,
    a_kill_leaves_no_second_session,
    start_waits_until_it_is_ready,
    a_reload_is_answered,
    strangers_give_no_orders,
    the_kernel_lets_it_out_to_its_networks_only,
    a_loop_that_hangs_is_started_again,
    a_bad_configuration_starts_no_storm,
    a_service_that_dies_again_and_again_is_left_dead,
    a_credential_that_is_missing_keeps_it_from_starting,
    what_people_do_without_the_service_is_in_the_journal,
    a_start_waits_for_a_command_that_has_the_state,
    the_journal_has_fields_and_explains_them,
    a_journald_that_is_stopped_stops_nothing,
    a_journald_that_hangs_stops_nothing,
    a_stop_waits_for_no_journald,
    on_a_full_disk_nothing_is_deleted,
]
