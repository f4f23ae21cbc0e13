//! Every event, rendered; hostile text; a log that hangs or breaks.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expect_test::expect;
use serde_json::Value as Json;

use super::*;
use crate::event::{Case, Cause, Event, Gone, Place, Priority, Squeeze, Summary, Tell};
use crate::session::{Kind, Mine, Owner, Session, SessionId, UserType};
use crate::settings::{CredentialId, Fingerprint, IloName, Mode};
use crate::time::{HostClock, Timestamp};

pub(super) fn noon() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-24T12:00:00Z").expect("a time")
}

/// One of each. `word` may replace each text that others write, given a usual one.
pub(super) fn examples(word: impl Fn(&str) -> String) -> Vec<Event> {
    let at = || Place { ilo: IloName::new(&word("db-1")), group: word("rack-1") };
    let session = || SessionId::read(&word("svc00a1"));
    let owner = || Owner::new(&word("svc-ansible"));
    let credential = || CredentialId(word("svc-ilo-reaper (/etc/ilo-reaper/secrets/rack-1)"));
    let case = Case {
        session: Session {
            id: session(),
            owner: Some(owner()),
            origin: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 4))),
            kind: Kind::Rest,
            user_type: UserType::Local,
            login: Some(noon()),
            access: Some(noon()),
            mine: Mine::No,
        },
        age: Some(Duration::from_secs(4000)),
        idle: Some(Duration::from_secs(900)),
        why: word("superseded (idle 900 s >= 600 s)"),
        rule: word("superseded"),
        used: 9,
        limit: Some(10),
    };
    let unknown = Case {
        session: Session { owner: None, origin: None, kind: Kind::Other(word("WSMgmt")), ..case.session.clone() },
        age: None,
        idle: None,
        limit: None,
        ..case.clone()
    };
    let mut events = vec![
        Event::DaemonReady { version: "0.1.0", ilos: 42, mode: Mode::Observe },
        Event::DaemonStopping { version: "0.1.0", ilos: 42, mode: Mode::Enforce },
        Event::FleetSummary(Summary {
            ilos: 42,
            visited: 210,
            late: 1,
            near: 3,
            critical: 1,
            full: 0,
            reaped: 3,
            would_reap: 2,
            unreachable: 1,
            visit_p99: Duration::from_millis(840),
        }),
        Event::ConfigReloaded { added: 1, removed: 0, changed: 2, bolder: vec![word("default"), word("busy")] },
        Event::ConfigRejected {
            file: word("/etc/ilo-reaper/ilo-reaper.yaml"),
            line: Some(3),
            column: Some(5),
            mistake: word("unknown key \"idel\", did you mean \"idle\"?"),
        },
        Event::TlsInsecure { group: word("rack-1"), ilos: 12 },
        Event::SessionReaped { at: at(), case: case.clone(), gone: Gone::Ended },
        Event::SessionReaped { at: at(), case, gone: Gone::AlreadyGone },
        Event::SessionWouldReap { at: at(), case: unknown, because: word("deleting is off here") },
        Event::SessionSpared { at: at(), session: session(), owner: Some(owner()), why: word("it was used meanwhile") },
        Event::ReapFailed {
            at: at(),
            session: session(),
            status: Some(400),
            message_id: Some(word("iLO.2.14.UnsupportedOperation")),
        },
        Event::ReapFailed { at: at(), session: session(), status: None, message_id: None },
        Event::ReapCapped { at: at(), cap: "per_visit", wanted: 9, done: 5 },
        Event::IloRefusedUs { at: at(), detail: word("iLO.2.14.SessionLimitExceeded") },
        Event::IloUnreachable {
            at: at(),
            cause: Cause::Dns,
            since: Duration::from_secs(180),
            detail: word("no such host"),
        },
        Event::IloReachable { at: at(), since: Duration::from_secs(3661) },
        Event::LoginRejected { at: at(), username: word("svc-ilo-reaper"), retry_in: Duration::from_secs(600) },
        Event::DeleteForbidden { at: at(), username: word("svc-ilo-reaper") },
        Event::CertificateChanged {
            at: at(),
            expected: Fingerprint([0xaa; 32]),
            found: Fingerprint([0x0b; 32]),
            is_known: true,
            known_since: Some(Timestamp::from_unix_s(1_757_049_887)),
        },
        Event::ClockWrong { at: at(), skew_s: Some(-86400), why: word("its clock jumped back by 1 day") },
        Event::StrayEnded { at: at(), session: session(), why: word("its login was answered after we stopped") },
        Event::CredentialSuspended {
            credential: credential(),
            rejected_by: ["db-1", "db-2", "db-3"].map(|name| IloName::new(&word(name))).to_vec(),
            retry_in: Duration::from_secs(600),
        },
        Event::CredentialRestored { credential: credential(), accepted_by: IloName::new(&word("db-1")) },
        Event::StateUnwritable { path: word("/var/lib/ilo-reaper/state.db"), cause: word("database or disk is full") },
        Event::StateWritable { path: word("/var/lib/ilo-reaper/state.db") },
        Event::StateReset { path: word("/var/lib/ilo-reaper/state.db.bad-1"), cause: word("file is not a database") },
        Event::EventsLost { count: 7 },
        Event::VisitBroken { at: at(), detail: word("index out of bounds") },
    ];
    events.extend(pressure_examples(&word));
    events.extend(order_examples(&word));
    events
}

/// Those about what people ordered.
fn order_examples(word: &impl Fn(&str) -> String) -> Vec<Event> {
    let (by, until) = (word("uid 0"), Some(Timestamp::from_unix_s(1_757_049_887)));
    let (id, what, reason) = (word("by-hand-1"), word("owner svc-fw, ilo db-1"), word("change 4711"));
    vec![
        Event::DaemonPaused { by: by.clone(), until, reason: reason.clone() },
        Event::DaemonResumed { by: by.clone(), until: None, reason: reason.clone() },
        Event::ProtectionAdded {
            id: id.clone(),
            what: what.clone(),
            by: by.clone(),
            until: None,
            reason: reason.clone(),
        },
        Event::ProtectionEnded { id, what, by, until, reason },
    ]
}

/// Those about tables that fill up, and who fills them.
fn pressure_examples(word: &impl Fn(&str) -> String) -> Vec<Event> {
    let at = || Place { ilo: IloName::new(&word("db-1")), group: word("rack-1") };
    let owner = || Owner::new(&word("svc-ansible"));
    let squeeze = Squeeze {
        used: 7,
        limit: 10,
        limit_from: "configured",
        reapable: 2,
        protected: 1,
        full_in: Some(Duration::from_secs(180)),
        top_owner: Some(owner()),
        top_origin: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 4))),
        top: 5,
    };
    vec![
        Event::IloNearLimit { at: at(), squeeze: squeeze.clone() },
        Event::IloCritical { at: at(), squeeze: Squeeze { used: 9, full_in: None, ..squeeze.clone() } },
        Event::IloFull {
            at: at(),
            squeeze: Squeeze { used: 10, top_owner: None, top_origin: None, top: 0, ..squeeze.clone() },
        },
        Event::IloBlocked { at: at(), squeeze, why: vec![word("no rule matches: 5"), word("protected by desk: 3")] },
        Event::IloRelieved { at: at(), used: 4, limit: 10, lasted: Duration::from_secs(1800) },
        Event::SessionCameBack {
            at: at(),
            session: SessionId::read(&word("svc00a1")),
            owner: Some(owner()),
            origin: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 4))),
            rule: word("superseded"),
            idle: Some(Duration::from_secs(900)),
        },
        Event::Many {
            like: Event::IloUnreachable { at: at(), cause: Cause::Dns, since: Duration::ZERO, detail: String::new() }
                .label(),
            priority: Priority::Warning,
            ilos: 7,
            names: (1..8).map(|number| IloName::new(&word(&format!("db-{number}")))).collect(),
        },
        Event::IloDuplicate { at: at(), other: IloName::new(&word("db-2")) },
        Event::LeakerFound { owner: owner(), origin: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 4)), orphans: 24, ilos: 3 },
    ]
}

/// Where an event stands in the list above. A new one must be given a number here, and then an example.
const fn number(event: &Event) -> usize {
    match event {
        Event::DaemonReady { .. } => 0,
        Event::DaemonStopping { .. } => 1,
        Event::FleetSummary(_) => 2,
        Event::ConfigReloaded { .. } => 3,
        Event::ConfigRejected { .. } => 4,
        Event::TlsInsecure { .. } => 5,
        Event::SessionReaped { .. } => 6,
        Event::SessionWouldReap { .. } => 7,
        Event::SessionSpared { .. } => 8,
        Event::ReapFailed { .. } => 9,
        Event::ReapCapped { .. } => 10,
        Event::IloRefusedUs { .. } => 11,
        Event::IloUnreachable { .. } => 12,
        Event::IloReachable { .. } => 13,
        Event::LoginRejected { .. } => 14,
        Event::DeleteForbidden { .. } => 15,
        Event::CertificateChanged { .. } => 16,
        Event::ClockWrong { .. } => 17,
        Event::StrayEnded { .. } => 18,
        Event::CredentialSuspended { .. } => 19,
        Event::CredentialRestored { .. } => 20,
        Event::StateUnwritable { .. } => 21,
        Event::StateWritable { .. } => 22,
        Event::StateReset { .. } => 23,
        Event::EventsLost { .. } => 24,
        Event::VisitBroken { .. } => 25,
        Event::IloNearLimit { .. } => 26,
        Event::IloCritical { .. } => 27,
        Event::IloFull { .. } => 28,
        Event::IloBlocked { .. } => 29,
        Event::IloRelieved { .. } => 30,
        Event::SessionCameBack { .. } => 31,
        Event::Many { .. } => 32,
        Event::IloDuplicate { .. } => 33,
        Event::LeakerFound { .. } => 34,
        Event::DaemonPaused { .. } => 35,
        Event::DaemonResumed { .. } => 36,
        Event::ProtectionAdded { .. } => 37,
        Event::ProtectionEnded { .. } => 38,
    }
}

/// Numbers in [`number`].
const NUMBERS: usize = 39;

#[test]
fn every_event_has_an_example() {
    let mut numbers: Vec<usize> = examples(str::to_owned).iter().map(number).collect();
    numbers.dedup();
    assert_eq!(numbers, (0..NUMBERS).collect::<Vec<_>>());
}

#[test]
fn every_event_as_text() {
    let mut text = String::new();
    for event in examples(str::to_owned) {
        let line = Format::Text.line(&event, noon());
        let _ = writeln!(text, "{}", line.trim_end().strip_prefix("2026-11-24T12:00:00Z ").expect("a time"));
    }
    expect![[r#"
        info ilo-reaper 0.1.0 guards 42 iLOs: it tells what would go and deletes nothing. event=daemon.ready version=0.1.0 ilos=42 mode=observe
        info ilo-reaper 0.1.0 stops. event=daemon.stopping version=0.1.0 ilos=42 mode=enforce
        info 42 iLOs, 1 out of reach; 3 near their limit, 1 all but full, 0 full. Visits: 210 went well, 1 late. Sessions: 3 ended, 2 would have gone. event=fleet.summary ilos=42 visited=210 late=1 near=3 critical=1 full=0 reaped=3 would_reap=2 unreachable=1 visit_p99_ms=840
        notice The new configuration is in force: 1 iLO added, 0 removed, 2 changed. These now delete more than before: default, busy. event=config.reloaded added=1 removed=0 changed=2 bolder=[default,busy]
        err The new configuration was refused and the old one stays in force; mend it and reload again: /etc/ilo-reaper/ilo-reaper.yaml:3:5: unknown key 'idel', did you mean 'idle'? event=config.rejected file=/etc/ilo-reaper/ilo-reaper.yaml line=3 column=5 mistake="unknown key \"idel\", did you mean \"idle\"?"
        warning The passwords of group rack-1 go to whoever answers at the addresses of its 12 iLOs (tls: insecure). Pin their certificates instead: `tls: { pin: "sha256:…" }`. event=config.tls_insecure group=rack-1 ilos=12
        notice Ended rest session svc00a1 of svc-ansible from 192.0.2.4 on db-1: idle for 15m, found by rule superseded. event=session.reaped ilo=db-1 group=rack-1 session=svc00a1 owner=svc-ansible origin=192.0.2.4 kind=rest age_s=4000 idle_s=900 rule=superseded used=9 limit=10 fate=ended why="superseded (idle 900 s >= 600 s)"
        notice Was to end rest session svc00a1 of svc-ansible from 192.0.2.4 on db-1: idle for 15m, found by rule superseded. It had ended by itself when our request came. event=session.reaped ilo=db-1 group=rack-1 session=svc00a1 owner=svc-ansible origin=192.0.2.4 kind=rest age_s=4000 idle_s=900 rule=superseded used=9 limit=10 fate=already_gone why="superseded (idle 900 s >= 600 s)"
        info Would end "other (WSMgmt)" session svc00a1 of an unknown account from an unknown address on db-1: found by rule superseded. It stays, because deleting is off here. event=session.would_reap ilo=db-1 group=rack-1 session=svc00a1 owner=null origin=null kind="other (WSMgmt)" age_s=null idle_s=null rule=superseded used=9 limit=null why="superseded (idle 900 s >= 600 s)" because="deleting is off here"
        info Spared session svc00a1 of svc-ansible on db-1: it was used meanwhile. event=session.spared ilo=db-1 group=rack-1 session=svc00a1 owner=svc-ansible why="it was used meanwhile"
        warning db-1 answered 400 (iLO.2.14.UnsupportedOperation) when session svc00a1 was to be ended. The next visit looks afresh. event=reap.failed ilo=db-1 group=rack-1 session=svc00a1 status=400 message_id=iLO.2.14.UnsupportedOperation
        warning Session svc00a1 on db-1 was to be ended, but the answer was lost. The next visit tells whether it is gone. event=reap.failed ilo=db-1 group=rack-1 session=svc00a1 status=null message_id=null
        err The cap per_visit held deletions back on db-1: 5 of 9 done. Later visits go on with what is still abandoned then; before raising the cap, look whether a rule finds too much. event=reap.capped ilo=db-1 group=rack-1 cap=per_visit wanted=9 done=5
        crit The session table of db-1 is full: it refused our login (iLO.2.14.SessionLimitExceeded), and refuses everybody else's. We wait for a place. Whoever is still logged in there can end sessions; else its idle time-out helps, or a reset of the iLO from its server. event=ilo.full ilo=db-1 group=rack-1 used=null limit=null limit_from=null free=null reapable=null protected=null full_in_s=null top_owner=null top_origin=null top=null detail=iLO.2.14.SessionLimitExceeded
        warning db-1 has not been reached for 3m: its name has no address; check DNS and the spelling (no such host). It is tried again, less often. event=ilo.unreachable ilo=db-1 group=rack-1 cause=dns since_s=180 detail="no such host"
        info db-1 is reached again, after 1h 1m 1s. event=ilo.reachable ilo=db-1 group=rack-1 since_s=3661
        err db-1 rejected the login of svc-ilo-reaper. Check that the account exists there and may log in, and that the password is right; it is tried again in 10m. event=ilo.login_rejected ilo=db-1 group=rack-1 username=svc-ilo-reaper retry_in_s=600
        err svc-ilo-reaper may not end the sessions of others on db-1. Give that account the privilege "Administer User Accounts" there. event=ilo.delete_forbidden ilo=db-1 group=rack-1 privilege="Administer User Accounts" username=svc-ilo-reaper
        err db-1 shows another certificate than known_ilos has since 2025-09-05T05:24:47Z: nothing more is sent there. If it was renewed on purpose, compare the found one, run `ilo-reaper trust db-1 --write` and reload; if not, find out who answers at its address. event=ilo.certificate_changed ilo=db-1 group=rack-1 expected=sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa found=sha256:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b pinned_in=known_ilos pinned_since=2025-09-05T05:24:47Z
        notice The clock of db-1 is not right: its clock jumped back by 1 day. Ages are measured on that clock alone, and times that contradict each other count for nothing; set it by SNTP, so that its log can be read beside others. event=ilo.clock_wrong ilo=db-1 group=rack-1 skew_s=-86400 why="its clock jumped back by 1 day"
        notice Ended session svc00a1 on db-1, one of our own that nobody holds any more: its login was answered after we stopped. event=session.stray_ended ilo=db-1 group=rack-1 session=svc00a1 why="its login was answered after we stopped"
        crit "svc-ilo-reaper (/etc/ilo-reaper/secrets/rack-1)" was rejected by db-1, db-2, db-3: no new login is made with it until one works, and one iLO is asked again in 10m. Check the password and the account. Sessions that we hold go on. event=credential.suspended credential="svc-ilo-reaper (/etc/ilo-reaper/secrets/rack-1)" rejected_by=[db-1,db-2,db-3] retry_in_s=600
        notice "svc-ilo-reaper (/etc/ilo-reaper/secrets/rack-1)" works again: db-1 accepted it. event=credential.restored credential="svc-ilo-reaper (/etc/ilo-reaper/secrets/rack-1)" accepted_by=db-1
        err The state can't be written (/var/lib/ilo-reaper/state.db: database or disk is full), so nothing is deleted. Make room there, or mend its permissions. event=state.unwritable path=/var/lib/ilo-reaper/state.db cause="database or disk is full"
        notice The state can be written again (/var/lib/ilo-reaper/state.db). event=state.writable path=/var/lib/ilo-reaper/state.db
        crit The state was unreadable, in whole or in part (file is not a database); what is left of it: /var/lib/ilo-reaper/state.db.bad-1. Nothing is deleted until `ilo-reaper resume`; sessions of our own that were forgotten may still be in the tables. event=state.reset path=/var/lib/ilo-reaper/state.db.bad-1 cause="file is not a database"
        warning 7 events were not written: the log did not take them. event=events.lost count=7
        err Our own code failed while visiting db-1: index out of bounds. That iLO is left alone until a restart; please report this as a bug. event=visit.broken ilo=db-1 group=rack-1 detail="index out of bounds"
        warning db-1 is near its limit: 7 of 10 places taken (limit configured), full in 3m if it goes on like that; svc-ansible from 192.0.2.4 holds 5; the rules would let 2 go. event=ilo.near_limit ilo=db-1 group=rack-1 used=7 limit=10 limit_from=configured free=3 reapable=2 protected=1 full_in_s=180 top_owner=svc-ansible top_origin=192.0.2.4 top=5
        crit db-1 is all but full: 9 of 10 places taken (limit configured); svc-ansible from 192.0.2.4 holds 5; the rules would let 2 go. event=ilo.critical ilo=db-1 group=rack-1 used=9 limit=10 limit_from=configured free=1 reapable=2 protected=1 full_in_s=null top_owner=svc-ansible top_origin=192.0.2.4 top=5
        crit db-1 is full, and nobody else can log in there: 10 of 10 places taken (limit configured), full in 3m if it goes on like that; the rules would let 2 go. We hold a session and go on; whoever holds one can end others. event=ilo.full ilo=db-1 group=rack-1 used=10 limit=10 limit_from=configured free=0 reapable=2 protected=1 full_in_s=180 top_owner=null top_origin=null top=0
        crit db-1 fills up and the policy lets nothing go, so a person must act: 7 of 10 places taken (limit configured), full in 3m if it goes on like that; svc-ansible from 192.0.2.4 holds 5; the rules would let 2 go. Kept: "no rule matches: 5", "protected by desk: 3". event=ilo.blocked ilo=db-1 group=rack-1 used=7 limit=10 limit_from=configured free=3 reapable=2 protected=1 full_in_s=180 top_owner=svc-ansible top_origin=192.0.2.4 top=5 why="[no rule matches: 5,protected by desk: 3]"
        info db-1 has room again, after 30m: 4 of 10 places taken. event=ilo.relieved ilo=db-1 group=rack-1 used=4 limit=10 lasted_s=1800
        notice Session svc00a1 of svc-ansible on db-1 was used again, although rule superseded would have ended it: protect it, or make the rule wait longer, before you enforce it. event=session.came_back ilo=db-1 group=rack-1 session=svc00a1 owner=svc-ansible origin=192.0.2.4 rule=superseded idle_s=900
        warning ilo.unreachable on 7 iLOs more within a minute, so one cause is likely: db-1, db-2, db-3, db-4, db-5, and 2 more. event=ilo.unreachable ilos=7 names=[db-1,db-2,db-3,db-4,db-5,db-6,db-7]
        err db-1 and db-2 tell the same UUID, and no certificates tell them apart: they are two names for one iLO, which is visited as db-2 alone. Take the other name out of the configuration; if they are two iLOs, pin both (`tls: known`). event=ilo.duplicate ilo=db-1 group=rack-1 other=db-2
        warning svc-ansible from 192.0.2.4 left 24 abandoned sessions on 3 iLOs within a day. Whatever runs there should log out, or keep its token. event=leaker.found owner=svc-ansible origin=192.0.2.4 orphans=24 ilos=3
        notice "uid 0" paused the daemon: change 4711. No session of others is ended before 2025-09-05T05:24:47Z. event=daemon.paused by="uid 0" until=2025-09-05T05:24:47Z reason="change 4711"
        notice Sessions may be ended again where the mode is enforce. The brake was taken off by "uid 0"; it was on for: change 4711. event=daemon.resumed by="uid 0" until=null reason="change 4711"
        notice "uid 0" protects sessions of owner svc-fw, ilo db-1: change 4711. That ends with `ilo-reaper protect remove by-hand-1`. event=protection.added protection=by-hand-1 what="owner svc-fw, ilo db-1" by="uid 0" until=null reason="change 4711"
        notice Protection by-hand-1 of sessions of owner svc-fw, ilo db-1 was ended by "uid 0". It was for: change 4711. event=protection.ended protection=by-hand-1 what="owner svc-fw, ilo db-1" by="uid 0" until=2025-09-05T05:24:47Z reason="change 4711"
    "#]].assert_eq(&text);
}

#[test]
fn every_event_as_json() {
    let mut lines = String::new();
    for event in examples(str::to_owned) {
        let line = Format::Json.line(&event, noon());
        let head = format!(
            r#"{{"v":1,"ts":"2026-11-24T12:00:00Z","level":"{}","event":"{}","message":"#,
            event.priority().name(),
            event.name()
        );
        assert!(line.starts_with(&head), "{line}");

        let parsed: Json = serde_json::from_str(&line).expect("JSON");
        assert_eq!(parsed["message"], Json::String(sentence(&event)));
        let fields = serde_json::to_string(&fields(&event).iter().map(|(_, value)| value).collect::<Vec<_>>());
        let behind: Vec<String> = fields_of(&line);
        assert_eq!(parsed.as_object().expect("an object").len(), 5 + behind.len(), "no key twice: {line}");
        let _ = writeln!(lines, "{} {} {}", event.name(), behind.join(" "), fields.expect("JSON"));
    }
    expect![[r#"
        daemon.ready version ilos mode ["0.1.0",42,"observe"]
        daemon.stopping version ilos mode ["0.1.0",42,"enforce"]
        fleet.summary ilos visited late near critical full reaped would_reap unreachable visit_p99_ms [42,210,1,3,1,0,3,2,1,840]
        config.reloaded added removed changed bolder [1,0,2,["default","busy"]]
        config.rejected file line column mistake ["/etc/ilo-reaper/ilo-reaper.yaml",3,5,"unknown key \"idel\", did you mean \"idle\"?"]
        config.tls_insecure group ilos ["rack-1",12]
        session.reaped ilo group session owner origin kind age_s idle_s rule used limit fate why ["db-1","rack-1","svc00a1","svc-ansible","192.0.2.4","rest",4000,900,"superseded",9,10,"ended","superseded (idle 900 s >= 600 s)"]
        session.reaped ilo group session owner origin kind age_s idle_s rule used limit fate why ["db-1","rack-1","svc00a1","svc-ansible","192.0.2.4","rest",4000,900,"superseded",9,10,"already_gone","superseded (idle 900 s >= 600 s)"]
        session.would_reap ilo group session owner origin kind age_s idle_s rule used limit why because ["db-1","rack-1","svc00a1",null,null,"other (WSMgmt)",null,null,"superseded",9,null,"superseded (idle 900 s >= 600 s)","deleting is off here"]
        session.spared ilo group session owner why ["db-1","rack-1","svc00a1","svc-ansible","it was used meanwhile"]
        reap.failed ilo group session status message_id ["db-1","rack-1","svc00a1",400,"iLO.2.14.UnsupportedOperation"]
        reap.failed ilo group session status message_id ["db-1","rack-1","svc00a1",null,null]
        reap.capped ilo group cap wanted done ["db-1","rack-1","per_visit",9,5]
        ilo.full ilo group used limit limit_from free reapable protected full_in_s top_owner top_origin top detail ["db-1","rack-1",null,null,null,null,null,null,null,null,null,null,"iLO.2.14.SessionLimitExceeded"]
        ilo.unreachable ilo group cause since_s detail ["db-1","rack-1","dns",180,"no such host"]
        ilo.reachable ilo group since_s ["db-1","rack-1",3661]
        ilo.login_rejected ilo group username retry_in_s ["db-1","rack-1","svc-ilo-reaper",600]
        ilo.delete_forbidden ilo group privilege username ["db-1","rack-1","Administer User Accounts","svc-ilo-reaper"]
        ilo.certificate_changed ilo group expected found pinned_in pinned_since ["db-1","rack-1","sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sha256:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b","known_ilos","2025-09-05T05:24:47Z"]
        ilo.clock_wrong ilo group skew_s why ["db-1","rack-1",-86400,"its clock jumped back by 1 day"]
        session.stray_ended ilo group session why ["db-1","rack-1","svc00a1","its login was answered after we stopped"]
        credential.suspended credential rejected_by retry_in_s ["svc-ilo-reaper (/etc/ilo-reaper/secrets/rack-1)",["db-1","db-2","db-3"],600]
        credential.restored credential accepted_by ["svc-ilo-reaper (/etc/ilo-reaper/secrets/rack-1)","db-1"]
        state.unwritable path cause ["/var/lib/ilo-reaper/state.db","database or disk is full"]
        state.writable path ["/var/lib/ilo-reaper/state.db"]
        state.reset path cause ["/var/lib/ilo-reaper/state.db.bad-1","file is not a database"]
        events.lost count [7]
        visit.broken ilo group detail ["db-1","rack-1","index out of bounds"]
        ilo.near_limit ilo group used limit limit_from free reapable protected full_in_s top_owner top_origin top ["db-1","rack-1",7,10,"configured",3,2,1,180,"svc-ansible","192.0.2.4",5]
        ilo.critical ilo group used limit limit_from free reapable protected full_in_s top_owner top_origin top ["db-1","rack-1",9,10,"configured",1,2,1,null,"svc-ansible","192.0.2.4",5]
        ilo.full ilo group used limit limit_from free reapable protected full_in_s top_owner top_origin top ["db-1","rack-1",10,10,"configured",0,2,1,180,null,null,0]
        ilo.blocked ilo group used limit limit_from free reapable protected full_in_s top_owner top_origin top why ["db-1","rack-1",7,10,"configured",3,2,1,180,"svc-ansible","192.0.2.4",5,["no rule matches: 5","protected by desk: 3"]]
        ilo.relieved ilo group used limit lasted_s ["db-1","rack-1",4,10,1800]
        session.came_back ilo group session owner origin rule idle_s ["db-1","rack-1","svc00a1","svc-ansible","192.0.2.4","superseded",900]
        ilo.unreachable ilos names [7,["db-1","db-2","db-3","db-4","db-5","db-6","db-7"]]
        ilo.duplicate ilo group other ["db-1","rack-1","db-2"]
        leaker.found owner origin orphans ilos ["svc-ansible","192.0.2.4",24,3]
        daemon.paused by until reason ["uid 0","2025-09-05T05:24:47Z","change 4711"]
        daemon.resumed by until reason ["uid 0",null,"change 4711"]
        protection.added protection what by until reason ["by-hand-1","owner svc-fw, ilo db-1","uid 0",null,"change 4711"]
        protection.ended protection what by until reason ["by-hand-1","owner svc-fw, ilo db-1","uid 0","2025-09-05T05:24:47Z","change 4711"]
    "#]].assert_eq(&lines);
}

/// The keys behind the message, in their order.
fn fields_of(line: &str) -> Vec<String> {
    struct Keys(Vec<String>);
    impl<'de> serde::Deserialize<'de> for Keys {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Keys;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<Keys, M::Error> {
                    let mut keys = Vec::new();
                    while let Some((key, _)) = map.next_entry::<String, Json>()? {
                        keys.push(key);
                    }
                    Ok(Keys(keys))
                }
            }
            from.deserialize_map(Visitor)
        }
    }
    let keys: Keys = serde_json::from_str(line).expect("an object");
    keys.0.into_iter().skip(5).collect()
}

pub(super) const EVIL: &str =
    "x\" event=daemon.ready ilo=db-2 \n<2>forged event=ilo.full\r\u{1b}[31m\u{202e}\u{2028}\\\" null`";

#[test]
fn no_text_of_others_can_forge_a_field_or_break_a_line() {
    let long = format!("{EVIL}{}", "é\"= ".repeat(5000));
    for text in [EVIL, &long, "", "=", "null", "[]", "\"", "\\", " a=b", "a= b", "<2>", "db-1 event=x"] {
        for event in examples(|_| text.to_owned()) {
            for format in [Format::Text, Format::Json] {
                let line = format.line(&event, noon());
                let body = line.strip_suffix('\n').expect("an end");
                assert!(!body.chars().any(|c| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c)), "{body}");
                assert!(body.len() < 16 * 1024, "{} bytes: {body}", body.len());
            }
            let line = Format::Text.line(&event, noon());
            for key in fields(&event).iter().map(|(key, _)| key).chain(["event"]) {
                assert_eq!(line.matches(&format!(" {key}=")).count(), 1, "{key}: {line}");
            }
            let parsed = logfmt(&line);
            let keys: Vec<&str> = parsed.iter().map(|(key, _)| key.as_str()).collect();
            let expected: Vec<&str> = ["event"].into_iter().chain(fields(&event).iter().map(|(key, _)| key)).collect();
            assert_eq!(keys, expected, "{line}");
            assert_eq!(parsed[0].1, event.name(), "{line}");
            let parsed: Json = serde_json::from_str(&Format::Json.line(&event, noon())).expect("JSON");
            assert_eq!(parsed["event"], event.name());
        }
    }
}

/// What a reader of logfmt makes of a line: words without `=` are skipped.
fn logfmt(line: &str) -> Vec<(String, String)> {
    let (mut pairs, mut rest) = (Vec::new(), line.trim_end());
    while !rest.is_empty() {
        let (mut word, mut in_quotes, mut escaped, mut end) = (String::new(), false, false, rest.len());
        for (index, character) in rest.char_indices() {
            match character {
                _ if escaped => {
                    escaped = false;
                    word.push(character);
                }
                '\\' if in_quotes => escaped = true,
                '"' => in_quotes = !in_quotes,
                ' ' if !in_quotes => {
                    end = index + 1;
                    break;
                }
                _ => word.push(character),
            }
        }
        assert!(!in_quotes, "an open quote: {rest}");
        if let Some((key, value)) = word.split_once('=')
            && !key.is_empty()
            && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            pairs.push((key.to_owned(), value.to_owned()));
        }
        rest = &rest[end..];
    }
    pairs
}

#[test]
fn long_lists_say_how_much_they_leave_out() {
    let bolder = (0..40).map(|n| format!("p{n}")).collect();
    let event = Event::ConfigReloaded { added: 1, removed: 0, changed: 0, bolder };
    let fields = fields(&event);
    let Some(Value::List(list)) = fields.get("bolder") else { panic!("a list") };
    assert_eq!((list.len(), list.last().map(String::as_str)), (33, Some("and 8 more")));
    assert!(sentence(&event).contains("p0, p1, p2, p3, p4, and 35 more."), "{}", sentence(&event));
}

/// A log that says when a write comes, and lets it through when it is told to.
struct Gate {
    came: Sender<()>,
    go: Receiver<io::Result<()>>,
    page: Arc<Mutex<String>>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.came.send(()).expect("the test lives");
        // When the test has let go of its end, everything goes through.
        self.go.recv().unwrap_or(Ok(()))?;
        self.page.lock().expect("a page").push_str(std::str::from_utf8(bytes).expect("text"));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What happened on the page: the name of each event, with its count where it has one.
fn told(page: &Arc<Mutex<String>>) -> Vec<String> {
    let page = page.lock().expect("a page").clone();
    let lines = page.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let line: Json = serde_json::from_str(line).expect("JSON");
            let number = line.get("count").or(line.get("ilos")).expect("a number");
            format!("{} {number}", line["event"].as_str().expect("a name"))
        })
        .collect()
}

/// A journal behind a gate, and the other ends of the gate.
struct Gated {
    journal: Journal,
    has_come: Receiver<()>,
    let_go: Sender<io::Result<()>>,
    page: Arc<Mutex<String>>,
}

fn gated(queue_max: usize) -> Gated {
    let (came, has_come) = channel();
    let (let_go, go) = channel();
    let page = Arc::new(Mutex::new(String::new()));
    let gate = Gate { came, go, page: Arc::clone(&page) };
    let sink = Lines::new(Box::new(gate), Format::Json);
    let journal = Journal::start(Box::new(sink), HostClock::new(noon, || Duration::ZERO), queue_max).expect("a thread");
    Gated { journal, has_come, let_go, page }
}

pub(super) fn event(ilos: usize) -> Event {
    Event::DaemonReady { version: "0.1.0", ilos, mode: Mode::Observe }
}

#[test]
fn a_log_that_hangs_holds_nobody_up_and_every_loss_is_counted() {
    let Gated { journal, has_come, let_go, page } = gated(3);
    journal.tell(event(1));
    has_come.recv().expect("the first write");
    // The writer hangs. Three wait, five find no room.
    for ilos in 2..=9 {
        journal.tell(event(ilos));
    }
    drop(let_go);
    journal.close();
    assert_eq!(told(&page), ["daemon.ready 1", "daemon.ready 2", "daemon.ready 3", "events.lost 5", "daemon.ready 4"]);

    journal.tell(event(10));
    journal.close();
    assert_eq!(told(&page).len(), 5, "after the end nothing is written");
}

#[test]
fn a_log_that_breaks_loses_lines_and_nothing_else() {
    let Gated { journal, has_come, let_go, page } = gated(16);
    let broken = || Err(io::Error::from(io::ErrorKind::BrokenPipe));
    for ilos in 1..=3 {
        journal.tell(event(ilos));
        has_come.recv().expect("a write");
        let_go.send(broken()).expect("a gate");
        // The queue is empty now, so the loss is told, and that fails too: it stays counted.
        has_come.recv().expect("another write");
        let_go.send(broken()).expect("a gate");
    }
    drop(let_go);
    journal.tell(event(4));
    journal.close();
    assert_eq!(told(&page), ["daemon.ready 4", "events.lost 3"]);
}
