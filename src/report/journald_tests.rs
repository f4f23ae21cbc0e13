//! Entries of the journal, and a journald that hangs, goes and comes back.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use expect_test::expect;
use tempfile::TempDir;

use super::sink::entry;
use super::tests::{EVIL, event, examples, noon};
use super::*;
use crate::event::{Event, Tell};
use crate::settings::LogFormat;
use crate::time::HostClock;

#[test]
fn an_entry_has_a_field_for_each_that_is_known_and_one_for_each_element() {
    let told: Vec<Event> = examples(str::to_owned)
        .into_iter()
        .filter(|event| ["ilo.full", "config.reloaded", "session.would_reap"].contains(&event.name()))
        .collect();
    let entries: Vec<String> = told.iter().take(3).map(|event| entry(event, noon())).collect();
    expect![[r#"
        MESSAGE=The new configuration is in force: 1 iLO added, 0 removed, 2 changed. These now delete more than before: default, busy. event=config.reloaded added=1 removed=0 changed=2 bolder=[default,busy]
        PRIORITY=5
        MESSAGE_ID=28167f5e099345699780dc3eb3a50a3c
        SYSLOG_IDENTIFIER=ilo-reaper
        ILO_REAPER_EVENT=config.reloaded
        ILO_REAPER_TS=2026-11-24T12:00:00Z
        ILO_REAPER_ADDED=1
        ILO_REAPER_REMOVED=0
        ILO_REAPER_CHANGED=2
        ILO_REAPER_BOLDER=default
        ILO_REAPER_BOLDER=busy

        MESSAGE=Would end "other (WSMgmt)" session svc00a1 of an unknown account from an unknown address on db-1: found by rule superseded. It stays, because deleting is off here. event=session.would_reap ilo=db-1 group=rack-1 session=svc00a1 owner=null origin=null kind="other (WSMgmt)" age_s=null idle_s=null rule=superseded used=9 limit=null why="superseded (idle 900 s >= 600 s)" because="deleting is off here"
        PRIORITY=6
        MESSAGE_ID=8e965b663ccc40fda0f967e2be9ed9a3
        SYSLOG_IDENTIFIER=ilo-reaper
        ILO_REAPER_EVENT=session.would_reap
        ILO_REAPER_TS=2026-11-24T12:00:00Z
        ILO_REAPER_ILO=db-1
        ILO_REAPER_GROUP=rack-1
        ILO_REAPER_SESSION=svc00a1
        ILO_REAPER_KIND=other (WSMgmt)
        ILO_REAPER_RULE=superseded
        ILO_REAPER_USED=9
        ILO_REAPER_WHY=superseded (idle 900 s >= 600 s)
        ILO_REAPER_BECAUSE=deleting is off here

        MESSAGE=The session table of db-1 is full: it refused our login (iLO.2.14.SessionLimitExceeded), and refuses everybody else's. We wait for a place. Whoever is still logged in there can end sessions; else its idle time-out helps, or a reset of the iLO from its server. event=ilo.full ilo=db-1 group=rack-1 used=null limit=null limit_from=null free=null reapable=null protected=null full_in_s=null top_owner=null top_origin=null top=null detail=iLO.2.14.SessionLimitExceeded
        PRIORITY=2
        MESSAGE_ID=8df28ce083b640eeba4663a0a6592ac7
        SYSLOG_IDENTIFIER=ilo-reaper
        ILO_REAPER_EVENT=ilo.full
        ILO_REAPER_TS=2026-11-24T12:00:00Z
        ILO_REAPER_ILO=db-1
        ILO_REAPER_GROUP=rack-1
        ILO_REAPER_DETAIL=iLO.2.14.SessionLimitExceeded
    "#]]
    .assert_eq(&entries.join("\n"));
}

/// `journalctl -o json` shows a field that has a control character as numbers, and one of 4 KiB not at all.
#[test]
fn no_text_of_others_breaks_an_entry_or_is_too_long_to_be_shown() {
    let (sender, receiver) = UnixDatagram::pair().expect("sockets");
    let mut datagram = vec![0; 1 << 20];
    let long = format!("{EVIL}{}", "é\"= ".repeat(5000));
    let equals = "a=".repeat(2000);
    for text in [EVIL, &long, &equals, "", "=", "MESSAGE=x\nPRIORITY=0", "\u{7f}\u{85}\u{9b}31m"] {
        for event in examples(|_| text.to_owned()) {
            let entry = entry(&event, noon());
            let lines: Vec<&str> = entry.strip_suffix('\n').expect("an end").split('\n').collect();
            let known = lines.iter().map(|line| line.split_once('=').expect("a field"));
            for (key, value) in known {
                let is_ours = ["MESSAGE", "PRIORITY", "MESSAGE_ID", "SYSLOG_IDENTIFIER"].contains(&key);
                assert!(is_ours || key.starts_with("ILO_REAPER_"), "{entry}");
                assert!(
                    key.len() <= 64 && key.chars().all(|c| c == '_' || c.is_ascii_uppercase() || c.is_ascii_digit()),
                    "{key}"
                );
                assert!(key.len() + 1 + value.len() < 4096, "{key}: {} bytes", value.len());
                assert!(!value.chars().any(char::is_control), "{value:?}");
            }
            for key in ["MESSAGE", "PRIORITY", "MESSAGE_ID", "ILO_REAPER_EVENT"] {
                assert_eq!(lines.iter().filter(|line| line.starts_with(&format!("{key}="))).count(), 1, "{entry}");
            }
            let message = lines[0].strip_prefix("MESSAGE=").expect("a message");
            for (key, _) in fields(&event).iter() {
                assert_eq!(
                    message.matches(&format!(" {key}=")).count(),
                    1,
                    "{key} stays although all is cut: {message}"
                );
            }
            sender.send(entry.as_bytes()).expect("it fits into a datagram");
            assert_eq!(receiver.recv(&mut datagram).expect("it came"), entry.len());
        }
    }
}

#[test]
fn each_name_has_one_id_and_each_id_one_name() {
    let (mut ids, mut names) = (BTreeMap::new(), BTreeMap::new());
    for event in examples(str::to_owned) {
        let label = event.label();
        assert_eq!(*ids.entry(label.name).or_insert(label.message_id), label.message_id, "{}", label.name);
        assert_eq!(*names.entry(label.message_id).or_insert(label.name), label.name);
        // Version 4, so that nobody else has it.
        assert_eq!((label.message_id >> 76 & 0xf, label.message_id >> 62 & 0b11), (4, 0b10), "{}", label.name);
    }
}

#[test]
fn auto_means_what_reads_us() {
    use LogFormat::{Auto, Journald, Json, Text};
    for (log, has_stream, is_terminal, expected) in [
        (Auto, true, false, Form::Journald),
        (Auto, true, true, Form::Journald),
        (Auto, false, true, Form::Lines(Format::Text)),
        (Auto, false, false, Form::Lines(Format::Json)),
        (Journald, false, true, Form::Journald),
        (Text, true, false, Form::Lines(Format::Text)),
        (Json, true, true, Form::Lines(Format::Json)),
    ] {
        assert_eq!(Form::choose(log, has_stream, is_terminal), expected, "{log:?} {has_stream} {is_terminal}");
    }
}

/// Where a journald of our own can listen.
fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("socket");
    (folder, path)
}

#[test]
fn entries_find_a_journald_that_came_back() {
    let (_folder, path) = place();
    let mut sink = Journald::new(path.clone()).expect("a socket");
    for ilos in 0..3 {
        assert!(sink.put(&event(ilos), noon()).is_err(), "nobody is there");
        let journald = UnixDatagram::bind(&path).expect("a socket");
        sink.put(&event(ilos), noon()).expect("somebody is there");
        assert_eq!(number(&journald), ilos);
        drop(journald);
        assert!(sink.put(&event(ilos), noon()).is_err(), "nobody listens at what is left");
        std::fs::remove_file(&path).expect("a socket's file");
    }
}

/// How many iLOs the next entry names, or events that were lost.
fn number(journald: &UnixDatagram) -> usize {
    let mut datagram = [0; 4096];
    let length = journald.recv(&mut datagram).expect("an entry");
    let entry = std::str::from_utf8(&datagram[..length]).expect("text");
    let number = |key| entry.lines().find_map(|line| line.strip_prefix(key)).map(|number| number.parse().expect(key));
    number("ILO_REAPER_ILOS=").or_else(|| number("ILO_REAPER_COUNT=")).expect("a number")
}

#[test]
fn a_journald_that_hangs_holds_nobody_up_and_every_loss_is_told() {
    const TOLD: usize = 20_000;
    let (_folder, path) = place();
    let journald = UnixDatagram::bind(&path).expect("a socket");
    let sink = Journald::new(path).expect("a socket");
    let journal = Journal::start(Box::new(sink), HostClock::new(noon, || Duration::ZERO), 16).expect("a thread");
    let (told, is_told) = channel();
    let teller = thread::spawn(move || {
        for _ in 0..TOLD {
            journal.tell(event(1));
        }
        told.send(()).expect("the test lives");
        journal.close();
    });
    // Nobody reads. Few find room in the socket and in the queue.
    is_told.recv_timeout(Duration::from_secs(60)).expect("nobody waits for the journal");
    let (mut came, mut lost) = (0, 0);
    while came + lost < TOLD {
        match number(&journald) {
            1 => came += 1,
            count => lost += count,
        }
    }
    assert_eq!(came + lost, TOLD);
    assert!(lost > TOLD / 2, "{lost} lost: somebody waited");
    teller.join().expect("it ends when the journal goes on");
}
