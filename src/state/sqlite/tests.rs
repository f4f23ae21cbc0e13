//! Stories of restarts, kills, full disks and files that somebody else wrote.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::judge::{Found, Rejected};
use super::*;
use crate::event::{Case, Gone};
use crate::secret::Secret;
use crate::session::{Kind, Mine, Owner, Session, SessionId, UserType, Uuid};
use crate::settings::{Authority, Conditions, Glob, Order, Protection, Shield};
use crate::state::{Former, Held, Intent, Known, Span};

const NOW: Timestamp = Timestamp::from_unix_s(1_795_000_000);

fn home() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// A directory in memory where there is one: for the tests that open a thousand states and survive no kill.
fn fast_home() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| home())
}

fn open(directory: &Path) -> Opened {
    Sqlite::open(directory, NOW).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(directory: &Path) -> OpenError {
    match Sqlite::open(directory, NOW) {
        Ok(_) => panic!("it must not open"),
        Err(error) => error,
    }
}

fn close(opened: Opened) {
    let Opened { state, thread, .. } = opened;
    drop(state);
    thread.wait();
}

fn ilo(number: usize) -> IloName {
    IloName::new(&format!("ilo-{number}"))
}

fn known(session: &str, login_s: Option<i64>, access_s: Option<i64>) -> Known {
    let [login, access] = [login_s, access_s].map(|time_s| time_s.map(Timestamp::from_unix_s));
    Known { session: SessionId::read(session), login, access }
}

fn memory(number: usize) -> Memory {
    Memory {
        held: Some(Held {
            session: SessionId::read(&format!("svc{number}")),
            token: Secret::new(format!("token-{number:026}")),
            account: Owner::new("Svc-iLO-Reaper"),
            authority: Authority { host: format!("ilo-{number}.oob.example.net"), port: 8443 },
            named_once: (number == 1).then(|| Span {
                from: Timestamp::from_unix_s(-5),
                to: Timestamp::from_unix_s(7),
                is_over: true,
            }),
        }),
        intents: vec![intent(-5, 7), intent(1_795_000_000, 1_795_000_060)],
        former: ["b", "a", "a"].map(former).to_vec(),
        place: Some(place()),
        uuid: Uuid::read("30373237-3132-4D32-3235-303430314c37"),
        looked_at: Some(Timestamp::from_unix_s(1_750_000_500)),
        known: vec![
            known("known-1", Some(1_750_000_000), Some(1_750_000_600)),
            known("known-2", None, None),
            known("known-3", Some(1_750_000_000), None),
        ],
        is_last_look: number == 1,
        expands: Some(false),
        clock_offset_s: Some(-86_400),
        jumped_to_s: Some(600),
        offset_took_s: 8,
        limit_seen: Some(12),
        most_used: 11,
        refused_at: Some(Timestamp::from_unix_s(1_795_000_000)),
        suspects: ["plain", "not/plain\u{202e}", ""].map(SessionId::read).to_vec(),
    }
}

fn intent(from: i64, to: i64) -> Intent {
    let [from, to] = [from, to].map(Timestamp::from_unix_s);
    let answered = from.unix_s() < 0;
    Intent { account: Owner::new("svc-ilo-reaper"), authority: place(), from, to, answered }
}

fn former(id: &str) -> Former {
    Former { session: SessionId::read(id), account: Owner::new("svc-ilo-reaper"), authority: place() }
}

fn place() -> Authority {
    Authority { host: String::from("192.0.2.7"), port: 443 }
}

fn record(number: usize) -> Record {
    let session = Session {
        id: SessionId::read(&format!("x{number}")),
        owner: Some(Owner::new("ansible")),
        origin: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        kind: Kind::Rest,
        user_type: UserType::Local,
        login: Some(Timestamp::from_unix_s(100)),
        access: None,
        mine: Mine::No,
    };
    let case = Case {
        session,
        age: Some(Duration::from_secs(900)),
        idle: None,
        why: String::from("superseded (idle 900 s >= 600 s)"),
        rule: String::from("superseded"),
        used: 9,
        limit: Some(10),
    };
    Record { at: NOW, ilo: ilo(number), group: String::from("rack-1"), case }
}

fn orders() -> Orders {
    let order = |until: Option<i64>| Order {
        by: String::from("uid 0"),
        reason: String::from("change 4711: it's on"),
        since: NOW,
        until: until.map(Timestamp::from_unix_s),
    };
    let shield = |id: &str, conditions: Conditions, order: Order| Shield {
        protection: Protection { id: id.to_owned(), conditions, until: order.until },
        ilo: None,
        session: None,
        order,
    };
    let owner = Conditions { owner: Some(vec![Glob::new("Svc-*")]), ..Conditions::default() };
    let net = "192.0.2.0/28".parse().expect("a network");
    let origin = Conditions { origin: Some(vec![net]), ..Conditions::default() };
    let (ilo, session) = (Some(ilo(1)), Some(SessionId::read("x7")));
    let alone = Shield { ilo, session, ..shield("by-hand-3", Conditions::default(), order(None)) };
    let shields = vec![shield("by-hand-1", owner, order(Some(7))), shield("by-hand-2", origin, order(None)), alone];
    Orders { pause: Some(order(Some(1_795_000_600))), shields }
}

fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

/// What a kill would leave: the files as they are, while the state is open.
fn killed_copy(directory: &Path) -> TempDir {
    let copy = home();
    for name in files(directory) {
        fs::copy(directory.join(&name), copy.path().join(&name)).expect("a copy");
    }
    copy
}

/// How each record ended: `(session, settled, detail)`.
fn records(directory: &Path) -> Vec<(String, String, Option<String>)> {
    let db = Connection::open(directory.join("state.db")).expect("a database");
    let mut statement = db.prepare("SELECT session, settled, detail FROM deletions ORDER BY id").expect("a table");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

#[tokio::test]
async fn what_was_saved_is_there_after_a_restart_and_after_a_kill() {
    let home = home();
    let opened = open(home.path());
    assert!(opened.remembered.is_empty() && opened.reset.is_none() && !opened.observing);
    let mut expected = BTreeMap::new();
    for number in 0..3 {
        opened.state.save(&ilo(number), &memory(number + 10)).await.expect("saved");
        opened.state.save(&ilo(number), &memory(number)).await.expect("saved again");
        expected.insert(ilo(number), memory(number));
    }
    opened.state.save(&ilo(9), &memory(9)).await.expect("saved");
    opened.state.save(&ilo(9), &Memory::default()).await.expect("forgotten");

    let copy = killed_copy(home.path());
    let after_kill = open(copy.path());
    assert!(after_kill.remembered == expected && after_kill.reset.is_none() && !after_kill.observing);

    close(opened);
    assert_eq!(files(home.path()), ["lock", "state.db"], "closed cleanly");
    assert!(open(home.path()).remembered == expected);
}

#[tokio::test]
async fn a_thousand_at_once_are_all_kept() {
    let home = home();
    let opened = open(home.path());
    let mut saves = JoinSet::new();
    for number in 0..1000 {
        let state = opened.state.clone();
        saves.spawn(async move { state.save(&ilo(number), &memory(number)).await });
    }
    assert!(saves.join_all().await.into_iter().all(|saved| saved.is_ok()));
    let copy = killed_copy(home.path());
    let remembered = open(copy.path()).remembered;
    assert!(remembered.len() == 1000 && (0..1000).all(|number| remembered[&ilo(number)] == memory(number)));
}

#[tokio::test]
async fn a_record_says_pending_until_it_is_settled() {
    let home = home();
    let opened = open(home.path());
    let ends = [
        Settled::Gone(Gone::Ended),
        Settled::Gone(Gone::AlreadyGone),
        Settled::Spared(String::from("it was used")),
        Settled::Refused(403),
        Settled::Unknown,
        Settled::HeldBack("per_visit"),
    ];
    for (number, settled) in ends.into_iter().enumerate() {
        let id = opened.state.record(&record(number)).await.expect("recorded");
        opened.state.settle(id, settled).await.expect("settled");
    }
    opened.state.record(&record(6)).await.expect("recorded");
    let missing = opened.state.settle(RecordId(999), Settled::Unknown).await;
    assert_eq!(missing, Err(Unwritable(String::from("there is no such record"))));

    let copy = killed_copy(home.path());
    close(open(copy.path()));
    let row = |session: &str, settled: &str, detail: Option<&str>| {
        (session.to_owned(), settled.to_owned(), detail.map(str::to_owned))
    };
    let expected = [
        row("x0", "ended", None),
        row("x1", "already_gone", None),
        row("x2", "spared", Some("it was used")),
        row("x3", "refused", Some("403")),
        row("x4", "unknown", None),
        row("x5", "held_back", Some("per_visit")),
        row("x6", "pending", None),
    ];
    assert_eq!(records(copy.path()), expected);
}

#[tokio::test]
async fn deletions_of_the_last_minute_are_told_at_a_start() {
    let home = home();
    let opened = open(home.path());
    let settled = [
        None,
        Some(Settled::Gone(Gone::Ended)),
        Some(Settled::Unknown),
        Some(Settled::Refused(500)),
        Some(Settled::Spared(String::from("it was used since"))),
        Some(Settled::HeldBack("per_visit")),
    ];
    for (number, settled) in settled.into_iter().enumerate() {
        for ago_s in [0, 3600] {
            let at = Timestamp::from_unix_s(NOW.unix_s() - ago_s);
            let id = opened.state.record(&Record { at, ..record(number) }).await.expect("a record");
            if let Some(settled) = settled.clone() {
                opened.state.settle(id, settled).await.expect("an end");
            }
        }
    }
    close(opened);
    let again = open(home.path());
    assert_eq!(again.ended_lately, [0, 1, 2, 3].map(ilo), "what may have been sent, and not what was an hour ago");
    close(again);
}

#[test]
fn two_daemons_never_share_a_state() {
    let home = home();
    let opened = open(home.path());
    let error = refusal(home.path());
    assert!(matches!(error, OpenError::InUse(_)) && error.to_string().contains("stop it"), "{error}");
    close(opened);
    close(open(home.path()));
}

#[test]
fn the_state_is_for_its_owner_only() {
    let home = home();
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o7777;
    let set = |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a mode");

    let state = home.path().join("state");
    let opened = open(&state);
    assert_eq!(mode(&state), 0o700);
    for name in files(&state) {
        assert_eq!(mode(&state.join(&name)), 0o600, "{name}");
    }
    assert_eq!(files(&state), ["lock", "state.db", "state.db-shm", "state.db-wal"]);
    close(opened);

    set(&state, 0o755);
    set(&state.join("state.db"), 0o644);
    close(open(&state));
    assert_eq!((mode(&state), mode(&state.join("state.db"))), (0o700, 0o600));

    let empty = home.path().join("empty");
    fs::create_dir(&empty).expect("a directory");
    set(&empty, 0o755);
    close(open(&empty));
    assert_eq!(mode(&empty), 0o700);

    // A slip of the finger must not close somebody else's directory.
    let shared = home.path().join("shared");
    fs::create_dir_all(shared.join("theirs")).expect("a directory");
    set(&shared, 0o755);
    assert!(matches!(refusal(&shared), OpenError::Exposed(_)));
    assert_eq!((mode(&shared), files(&shared)), (0o755, vec![String::from("theirs")]));

    let orphan = home.path().join("no/parent");
    assert!(matches!(refusal(&orphan), OpenError::Unwritable { .. }));
}

#[test]
fn a_link_is_refused_and_its_target_untouched() {
    for name in ["state.db", "lock", "state.db-wal", "state.db.new"] {
        let home = home();
        let state = home.path().join("state");
        fs::create_dir(&state).expect("a directory");
        fs::set_permissions(&state, PermissionsExt::from_mode(0o700)).expect("a mode");
        for target in [home.path().join("target"), home.path().join("none")] {
            fs::write(home.path().join("target"), "precious").expect("a file");
            symlink(&target, state.join(name)).expect("a link");
            assert_eq!(refusal(&state), OpenError::NotAFile(state.join(name)));
            assert_eq!(files(home.path()), ["state", "target"]);
            assert_eq!(fs::read_to_string(home.path().join("target")).expect("text"), "precious");
            fs::remove_file(state.join(name)).expect("removed");
        }
    }
    let home = home();
    fs::create_dir(home.path().join("real")).expect("a directory");
    symlink(home.path().join("real"), home.path().join("linked")).expect("a link");
    close(open(&home.path().join("linked")));
}

/// A state with two iLOs in it, closed.
async fn filled() -> TempDir {
    let home = home();
    let opened = open(home.path());
    for number in 0..2 {
        opened.state.save(&ilo(number), &memory(number)).await.expect("saved");
        opened.state.record(&record(number)).await.expect("recorded");
    }
    close(opened);
    home
}

fn sql(directory: &Path, statements: &str) {
    let db = Connection::open(directory.join("state.db")).expect("a database");
    db.execute_batch(statements).expect("executed");
}

#[tokio::test]
async fn a_lost_state_is_set_aside_and_observed_until_a_person_resumes() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 8] = [
        ("no database", |home| fs::write(home.join("state.db"), "hello ".repeat(999)).expect("written")),
        ("empty", |home| fs::write(home.join("state.db"), "").expect("written")),
        ("cut", |home| {
            let whole = fs::read(home.join("state.db")).expect("read");
            fs::write(home.join("state.db"), &whole[..whole.len() / 2]).expect("written");
        }),
        ("another's", |home| sql(home, "PRAGMA application_id = 7")),
        ("without a version", |home| sql(home, "PRAGMA user_version = 0")),
        ("a table gone", |home| sql(home, "DROP TABLE former")),
        ("a table too many", |home| sql(home, "CREATE TABLE more (x)")),
        ("missing", |home| fs::remove_file(home.join("state.db")).expect("removed")),
    ];
    for (damage, make) in damages {
        let home = filled().await;
        make(home.path());
        let opened = open(home.path());
        assert!(opened.remembered.is_empty() && opened.observing, "{damage}");
        let reset = opened.reset.clone().expect(damage);
        let left = if damage == "missing" { "state.db" } else { "state.db.bad-1" };
        assert_eq!(reset.path, home.path().canonicalize().expect("a path").join(left), "{damage}");
        opened.state.save(&ilo(7), &memory(7)).await.expect("saved");
        close(opened);

        let again = open(home.path());
        assert!(again.observing && again.reset.is_none() && again.remembered.len() == 1, "{damage}");
        again.state.resume(&orders()).await.expect("resumed");
        close(again);
        let resumed = open(home.path());
        assert!(!resumed.observing && resumed.reset.is_none(), "{damage}");
        close(resumed);

        fs::write(home.path().join("state.db"), "again").expect("written");
        fs::write(home.path().join("state.db-wal"), "its log").expect("written");
        let twice = open(home.path()).reset.expect("lost again");
        let number = if damage == "missing" { 1 } else { 2 };
        assert!(twice.path.ends_with(format!("state.db.bad-{number}")), "{damage}: {twice:?}");
        assert!(files(home.path()).contains(&format!("state.db.bad-{number}-wal")), "{damage}");
    }
}

#[tokio::test]
async fn what_people_ordered_comes_back_as_it_was() {
    let home = home();
    let opened = open(home.path());
    assert_eq!(opened.orders, Orders::default());
    opened.state.order(&orders()).await.expect("written");
    close(opened);
    let opened = open(home.path());
    assert_eq!(opened.orders, orders());
    let fewer = Orders { pause: None, shields: orders().shields.split_off(2) };
    opened.state.order(&fewer).await.expect("written");
    close(opened);
    let opened = open(home.path());
    assert_eq!((&opened.orders, opened.observing, opened.reset.is_none()), (&fewer, false, true));
    close(opened);
    // A brake of which something is left is a brake: nobody knows what it said.
    for damage in ["UPDATE protections SET ilo = NULL", "INSERT INTO pause VALUES (1, NULL, 'me', 'why', x'00')"] {
        sql(home.path(), damage);
        let opened = open(home.path());
        assert!(opened.observing && opened.reset.is_some() && opened.orders.pause.is_none(), "{damage}");
        opened.state.resume(&fewer).await.expect("resumed");
        close(opened);
        let opened = open(home.path());
        assert!(!opened.observing && opened.orders == fewer, "{damage}");
        close(opened);
    }
}

/// The tables of version 2, from before pauses and protections, of version 3, from before jumps were kept, and of
/// version 4, from before it was kept how long answers took, of version 5, from before last uses were kept, and
/// whether the name of our session is sure, and of version 6, from before it was kept which look was the last.
const TO_VERSION_6: &str = "DROP TABLE last_looks; PRAGMA user_version = 6";
const TO_VERSION_5: &str =
    "DROP TABLE last_looks; DROP TABLE known_uses; DROP TABLE named_once; PRAGMA user_version = 5";
const TO_VERSION_4: &str = "DROP TABLE last_looks; DROP TABLE known_uses; DROP TABLE named_once; \
                            DROP TABLE slow_clocks; PRAGMA user_version = 4";
const TO_VERSION_3: &str = "DROP TABLE last_looks; DROP TABLE known_uses; DROP TABLE named_once; \
                            DROP TABLE slow_clocks; DROP TABLE jumps; PRAGMA user_version = 3";
const TO_VERSION_2: &str = "DROP TABLE last_looks; DROP TABLE known_uses; DROP TABLE named_once; \
                            DROP TABLE slow_clocks; DROP TABLE jumps; DROP TABLE pause; \
                            DROP TABLE protections; PRAGMA user_version = 2";

#[tokio::test]
async fn an_older_state_is_taken_over_with_all_that_is_in_it() {
    for (to_version, kept, jumped_to_s, knows_how_slow, knows_uses) in [
        (TO_VERSION_2, Orders::default(), None, false, false),
        (TO_VERSION_3, orders(), None, false, false),
        (TO_VERSION_4, orders(), Some(600), false, false),
        (TO_VERSION_5, orders(), Some(600), true, false),
        (TO_VERSION_6, orders(), Some(600), true, true),
    ] {
        let older = |number| {
            let mut older = Memory { jumped_to_s, is_last_look: false, ..memory(number) };
            older.offset_took_s *= u64::from(knows_how_slow);
            if !knows_uses {
                older.known.iter_mut().for_each(|known| known.access = None);
                older.held = older.held.filter(|held| held.named_once.is_none());
            }
            older
        };
        let home = filled().await;
        let opened = open(home.path());
        opened.state.order(&orders()).await.expect("written");
        close(opened);
        sql(home.path(), to_version);
        let opened = open(home.path());
        assert!(opened.reset.is_none() && !opened.observing && opened.orders == kept);
        assert!(opened.remembered[&ilo(0)] == older(0) && opened.remembered[&ilo(1)] == older(1));
        assert_eq!(opened.ended_lately.len(), 2);
        opened.state.order(&orders()).await.expect("written");
        opened.state.save(&ilo(0), &memory(0)).await.expect("written");
        close(opened);
        let again = open(home.path());
        assert!(again.reset.is_none() && again.orders == orders() && again.remembered[&ilo(0)] == memory(0));
        close(again);
    }
}

/// One that is older and damaged is set aside as it is; one that only lacks room stays as it is.
#[tokio::test]
async fn an_older_state_is_taken_over_whole_or_not_at_all() {
    let home = filled().await;
    sql(home.path(), TO_VERSION_2);
    sql(home.path(), "CREATE TABLE pause (x)");
    let opened = open(home.path());
    assert!(opened.observing && opened.reset.is_some_and(|reset| reset.cause.contains("tables")));
    let home = filled().await;
    sql(home.path(), TO_VERSION_2);
    let path = home.path().join("state.db");
    let before = fs::read(&path).expect("read");
    let db = Connection::open(&path).expect("a database");
    db.execute_batch("BEGIN IMMEDIATE").expect("locked by somebody");
    assert!(matches!(refusal(home.path()), OpenError::Unwritable { .. }));
    db.execute_batch("ROLLBACK").expect("let go");
    drop(db);
    assert!(fs::read(&path).expect("read") == before);
    close(open(home.path()));
}

#[tokio::test]
async fn a_newer_state_is_left_alone() {
    let home = filled().await;
    sql(home.path(), "PRAGMA user_version = 8");
    let before = fs::read(home.path().join("state.db")).expect("read");
    let error = refusal(home.path());
    assert!(matches!(error, OpenError::Newer { version: 8, .. }) && error.to_string().contains("newer"), "{error}");
    assert!(fs::read(home.path().join("state.db")).expect("read") == before);
    assert!(!files(home.path()).iter().any(|name| name.contains("bad")));
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_dropped_and_observed() {
    for damage in [
        "UPDATE held SET token = 'other' WHERE ilo = 'ilo-0'",
        "UPDATE held SET host = 'evil.example.net' WHERE ilo = 'ilo-0'",
        "UPDATE held SET port = -1 WHERE ilo = 'ilo-0'",
        "UPDATE held SET ilo = 'ilo-5' WHERE ilo = 'ilo-0'",
        "UPDATE held SET token = CAST(x'ff' AS TEXT) WHERE ilo = 'ilo-0'",
    ] {
        let home = filled().await;
        sql(home.path(), damage);
        let opened = open(home.path());
        assert!(opened.remembered[&ilo(0)] == Memory { held: None, ..memory(0) }, "{damage}");
        assert!(opened.remembered[&ilo(1)] == memory(1) && opened.remembered.len() == 2, "{damage}");
        assert!(opened.observing && opened.reset.is_some(), "{damage}");
        opened.state.resume(&orders()).await.expect("resumed");
        close(opened);
        let again = open(home.path());
        assert!(!again.observing && again.reset.is_none(), "{damage}");
    }
}

#[test]
fn a_sealed_row_is_judged_all_the_same() {
    let home = home();
    let ground = Ground::take(home.path()).expect("ground");
    let found = ground.database(NOW).unwrap_or_else(|error| panic!("{error}")).0;
    let good = memory(0).held.expect("held");
    let held = [
        Held { token: Secret::new(String::from("a\r\nb")), ..good.clone() },
        Held { token: Secret::new(String::new()), ..good.clone() },
        Held { session: SessionId::read("../x"), ..good.clone() },
        Held { authority: Authority { host: String::from("a\nb"), port: 443 }, ..good.clone() },
        Held { authority: Authority { host: String::from("a"), port: 0 }, ..good },
    ];
    let mut evil: Vec<Memory> = held.map(|held| Memory { held: Some(held), ..Memory::default() }).to_vec();
    evil.push(Memory { intents: vec![intent(7, 5)], ..Memory::default() });
    evil.push(Memory { former: vec![former("a/b")], ..Memory::default() });
    let nowhere = Authority { port: 0, ..place() };
    evil.push(Memory { former: vec![Former { authority: nowhere, ..former("a") }], ..Memory::default() });
    for (number, memory) in evil.iter().enumerate() {
        assert!(keepable(&ilo(number), memory).is_err(), "{number}");
        rows::save(&found.database, &ilo(number), memory).expect("saved");
    }
    rows::save(&found.database, &IloName::new("evil\u{1b}"), &memory(1)).expect("saved");
    drop((found, ground));

    let opened = open(home.path());
    assert!(opened.remembered.is_empty() && opened.observing);
}

/// Asserts that nothing came out that was not put in, and that what is missing is known to be.
fn nothing_invented(found: &Found, stored: &BTreeMap<IloName, Memory>, what: &str) {
    for (name, memory) in &found.memories {
        let stored = stored.get(name).unwrap_or_else(|| panic!("{what}: no such iLO"));
        assert!(memory.held.is_none() || memory.held == stored.held, "{what}: a session nobody stored");
        assert!(memory.intents.iter().all(|intent| stored.intents.contains(intent)), "{what}: an intent");
        assert!(memory.former.iter().all(|session| stored.former.contains(session)), "{what}: a former session");
    }
    assert!(found.observing || found.memories == *stored, "{what}: something is missing, and nobody says so");
}

#[tokio::test]
async fn no_flipped_bit_and_no_cut_invents_a_session() {
    let home = filled().await;
    let whole = fs::read(home.path().join("state.db")).expect("read");
    let stored = BTreeMap::from([0, 1].map(|number| (ilo(number), memory(number))));
    let flips = (0..whole.len()).step_by(37).map(|offset| {
        let mut bytes = whole.clone();
        bytes[offset] ^= 1 << (offset % 8);
        (format!("flip at {offset}"), bytes)
    });
    let cuts = (0..whole.len()).step_by(997).map(|length| (format!("cut to {length}"), whole[..length].to_vec()));
    let scratch = fast_home();
    let path = scratch.path().join("state.db");
    let (mut good, mut damaged) = (0, 0);
    for (what, bytes) in flips.chain(cuts) {
        for name in files(scratch.path()) {
            fs::remove_file(scratch.path().join(name)).expect("removed");
        }
        fs::write(&path, bytes).expect("written");
        match judge::judge(&path, NOW) {
            Ok(found) => {
                nothing_invented(&found, &stored, &what);
                good += 1;
            }
            Err(Rejected::Damaged(_)) => damaged += 1,
            Err(Rejected::Newer { .. } | Rejected::Unwritable(_)) => {}
        }
    }
    assert!(good > 100 && damaged > 100, "{good} good, {damaged} damaged: the test tests nothing");
}

#[tokio::test]
async fn a_damaged_log_loses_its_end_and_invents_nothing() {
    let home = filled().await;
    let opened = open(home.path());
    for number in [1, 0] {
        opened.state.save(&ilo(number), &memory(number + 10)).await.expect("saved");
    }
    let [log, database] = ["state.db-wal", "state.db"].map(|name| fs::read(home.path().join(name)).expect("read"));
    let scratch = fast_home();
    let ever: Vec<Memory> = [0, 1, 10, 11].map(memory).to_vec();
    for offset in (0..log.len()).step_by(211) {
        let mut bytes = log.clone();
        bytes[offset] ^= 1 << (offset % 8);
        fs::write(scratch.path().join("state.db"), &database).expect("written");
        fs::write(scratch.path().join("state.db-wal"), bytes).expect("written");
        let _ = fs::remove_file(scratch.path().join("state.db-shm"));
        if let Ok(found) = judge::judge(&scratch.path().join("state.db"), NOW) {
            assert!(found.memories.values().all(|memory| ever.contains(memory)), "flip at {offset}");
        }
    }
}

/// What a group of changes is answered, in order.
fn group(changes: Vec<Change>) -> Vec<Job> {
    changes.into_iter().map(|change| Job { change, answer: oneshot::channel().0 }).collect()
}

fn desk(directory: &Path) -> Desk {
    let ground = Ground::take(directory).expect("ground");
    let (found, _) = ground.database(NOW).unwrap_or_else(|error| panic!("{error}"));
    Desk::new(found.database, ground).expect("a desk")
}

#[test]
fn one_change_that_fails_takes_no_other_with_it() {
    let home = home();
    let mut desk = desk(home.path());
    let results = desk.commit(&group(vec![
        Change::Save(ilo(0), Box::new(memory(0))),
        Change::Settle(RecordId(99), Settled::Unknown),
        Change::Save(ilo(1), Box::new(memory(1))),
    ]));
    let results = results.expect("a group");
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    drop(desk);
    assert_eq!(open(home.path()).remembered.len(), 2);
}

#[test]
fn what_a_full_disk_took_is_answered_so_and_writing_goes_on_when_there_is_room() {
    let home = home();
    let mut desk = desk(home.path());
    let set_pages = |desk: &Desk, pages: u32| {
        let reached = desk.db.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, u32>(0));
        reached.expect("a limit")
    };
    set_pages(&desk, 24);
    let mut kept = Vec::new();
    for round in 0..20 {
        let numbers = round * 5..round * 5 + 5;
        let changes = numbers.clone().map(|number| Change::Save(ilo(number), Box::new(memory(number)))).collect();
        match desk.commit(&group(changes)) {
            Ok(results) => {
                kept.extend(numbers.zip(results).filter(|(_, result)| result.is_ok()).map(|(at, _)| ilo(at)));
            }
            Err(Unwritable(cause)) => assert!(cause.contains("full"), "{cause}"),
        }
    }
    assert!((1..100).contains(&kept.len()), "{} fit", kept.len());
    set_pages(&desk, 1_000_000);
    let results = desk.commit(&group(vec![Change::Save(ilo(500), Box::new(memory(500)))])).expect("room again");
    assert!(results.iter().all(Result::is_ok));
    kept.push(ilo(500));
    drop(desk);
    let remembered: Vec<IloName> = open(home.path()).remembered.into_keys().collect();
    kept.sort();
    assert_eq!(remembered, kept, "kept is what was said to be kept");
}

#[test]
fn only_the_newest_records_are_kept() {
    let home = home();
    let desk = desk(home.path());
    for number in 0..20 {
        rows::record(&desk.db, &record(number)).expect("recorded");
    }
    rows::trim(&desk.db, 3).expect("trimmed");
    rows::trim(&desk.db, 3).expect("trimmed");
    assert_eq!(rows::record(&desk.db, &record(20)), Ok(RecordId(21)));
    drop(desk);
    let sessions: Vec<String> = records(home.path()).into_iter().map(|(session, ..)| session).collect();
    assert_eq!(sessions, ["x17", "x18", "x19", "x20"]);
}

#[tokio::test]
async fn a_state_removed_while_in_use_is_not_written_into_the_void() {
    let home = filled().await;
    let opened = open(home.path());
    fs::remove_file(home.path().join("state.db")).expect("removed");
    let Err(Unwritable(cause)) = opened.state.save(&ilo(1), &memory(1)).await else { panic!("it is gone") };
    assert!(cause.contains("restart"), "{cause}");
}

#[tokio::test]
async fn a_change_is_made_even_if_nobody_waits_for_it() {
    let home = home();
    let opened = open(home.path());
    {
        let (name, memory) = (ilo(0), memory(0));
        let mut save = std::pin::pin!(opened.state.save(&name, &memory));
        // Polled once, so that it is asked for, and then given up.
        let waker = std::task::Waker::noop();
        let _ = save.as_mut().poll(&mut std::task::Context::from_waker(waker));
    }
    close(opened);
    assert!(open(home.path()).remembered[&ilo(0)] == memory(0));
}
