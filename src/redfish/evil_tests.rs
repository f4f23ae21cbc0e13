//! Links and ids that want to be a path of ours, and bytes that want to break the reader.

use std::collections::BTreeMap;

use super::*;

const PATH: &str = "/redfish/v1/SessionService/Sessions";

/// What a hostile iLO may write as the link of a member.
const EVIL_LINKS: [&str; 46] = [
    "//evil.example/a",
    "//evil.example/redfish/v1/SessionService/Sessions/a",
    "http://evil.example/redfish/v1/SessionService/Sessions/a",
    "https://evil.example/redfish/v1/SessionService/Sessions/a",
    "https:/redfish/v1/SessionService/Sessions/a",
    "file:///etc/passwd",
    "javascript:a",
    "",
    "/",
    "//",
    "a",
    "./a",
    "../a",
    "redfish/v1/SessionService/Sessions/a",
    "/redfish/v1/Systems/1",
    "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
    "/redfish/v1/SessionService/Sessions",
    "/redfish/v1/SessionService/Sessions/",
    "/redfish/v1/SessionService/Sessions//",
    "/redfish/v1/SessionService/Sessions//a",
    "/redfish/v1/SessionService/Sessions/a//",
    "/redfish/v1/SessionService/Sessions/a/b",
    "/redfish/v1/SessionService/Sessions/.",
    "/redfish/v1/SessionService/Sessions/..",
    "/redfish/v1/SessionService/Sessions/../",
    "/redfish/v1/SessionService/Sessions/../a",
    "/redfish/v1/SessionService/Sessions/../../Systems/1",
    "/redfish/v1/SessionService/Sessions/%2e%2e",
    "/redfish/v1/SessionService/Sessions/%2E%2E%2Fa",
    "/redfish/v1/SessionService/Sessions/a%2fb",
    "/redfish/v1/SessionService/Sessions/a%00",
    "/redfish/v1/SessionService/Sessions/a\\b",
    "/redfish/v1/SessionService/Sessions\\a",
    "/redfish/v1/SessionService/Sessions/a?b=c",
    "/redfish/v1/SessionService/Sessions?/a",
    "/redfish/v1/SessionService/Sessions/a#b",
    "/redfish/v1/SessionService/Sessions#/a",
    "/redfish/v1/SessionService/Sessions/a;b",
    "/redfish/v1/SessionService/Sessions/a b",
    "/redfish/v1/SessionService/Sessions/a\0",
    "/redfish/v1/SessionService/Sessions/a\r\nX-Auth-Token: b",
    "/redfish/v1/SessionService/Sessions/a@evil.example",
    "/redfish/v1/SessionService/Sessions/a:b",
    "/redfish/v1/SessionService/Sessions/\u{2024}\u{2024}",
    "/redfish/v1/SessionService/Sessions/a\u{2215}b",
    "/redfish/v1/SessionService/Sessions/\u{ff0e}\u{ff0e}\u{ff0f}a",
];

#[test]
fn no_evil_link_becomes_a_segment_of_a_path() {
    let long = format!("{PATH}/{}", "a".repeat(8192));
    for evil in EVIL_LINKS.into_iter().chain([long.as_str()]) {
        let quoted = serde_json::to_string(evil).expect("JSON");
        let last = serde_json::to_string(evil.rsplit('/').next().unwrap_or_default()).expect("JSON");
        for member in [
            format!(r#"{{"@odata.id":{quoted}}}"#),
            format!(r#"{{"@odata.id":{quoted},"UserName":"bob"}}"#),
            format!(r#"{{"@odata.id":{quoted},"Id":{last},"UserName":"bob"}}"#),
            format!(r#"{{"@odata.id":{quoted},"Id":"a"}}"#),
            format!(r#"{{"Id":{quoted}}}"#),
        ] {
            // As an id alone, one letter is a good one.
            if evil == "a" && !member.contains("@odata.id") {
                continue;
            }
            let body = format!(r#"{{"Members":[{member}],"Members@odata.count":1}}"#);
            let read = collection(body.as_bytes(), PATH).expect("a collection");
            for found in &read.members {
                assert_eq!(found.id().segment(), None, "{member:.200}");
                assert!(found.id().to_string().len() <= FOREIGN_TEXT_MAX, "{member:.200}");
            }
            assert!(!read.members.is_empty() || read.extent != Extent::Whole, "{member:.200}: skipped in silence");
            assert!(session(member.as_bytes(), PATH, &SessionId::read("a")).is_err(), "{member:.200}");
        }
    }
}

/// A 32 bit xorshift: the same bytes in every run.
fn next(state: &mut u32) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state as usize
}

/// Breaks a body in one to four places: a byte changed, a piece cut out, doubled or moved, the end cut off.
fn broken(body: &[u8], state: &mut u32) -> Vec<u8> {
    let mut bytes = body.to_vec();
    for _ in 0..=next(state) % 4 {
        if bytes.is_empty() {
            return bytes;
        }
        let at = next(state) % bytes.len();
        let end = (at + 1 + next(state) % 24).min(bytes.len());
        match next(state) % 8 {
            0 => bytes[at] = u8::try_from(next(state) % 256).unwrap_or_default(),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => bytes.swap(at, end - 1),
            4 => bytes.truncate(bytes.len() - next(state) % 40.min(bytes.len())),
            _ => bytes[at] = b"\"{}[]:,./\\?#%0tfn-"[next(state) % 18],
        }
    }
    bytes
}

#[test]
fn twenty_thousand_broken_bodies_invent_no_id_and_panic_nowhere() {
    const WHOLE: &str = r#"{"Members":[{"@odata.id":"/redfish/v1/SessionService/Sessions/svc_backup6859b2d3","Id":"svc_backup6859b2d3",
        "Oem":{"Hpe":{"AccessTime":"2025-06-23T20:02:27Z","LoginTime":"2025-06-23T20:02:27Z","MySession":false,"UserIP":"2001:db8::10",
        "UserTag":"REST","UserType":"Local"}},"UserName":"svc_Backup"},
        {"@odata.id":"/redfish/v1/SessionService/Sessions/bob6859a000/"}],"Members@odata.count":2}"#;
    let mut state = 0x1BAD_B002;
    let mut outcomes = BTreeMap::<&str, u32>::new();
    for round in 0..20_000 {
        let body = broken(WHOLE.as_bytes(), &mut state);
        let text = String::from_utf8_lossy(&body);
        let outcome = match collection(&body, PATH) {
            Err(why) => {
                assert!(why.len() <= 300, "round {round}: {why}");
                "error"
            }
            Ok(read) => {
                for member in &read.members {
                    let Some(segment) = member.id().segment() else { continue };
                    let plain = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
                    assert!(
                        plain && (1..=128).contains(&segment.len()) && segment != "." && segment != "..",
                        "round {round}"
                    );
                    assert!(text.contains(segment), "round {round}: {segment} was not in {text}");
                }
                if read.extent == Extent::Whole { "whole" } else { "cut" }
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
        let _ = (message_ids(&body), flashing(&body), root(&body));
        let asked = SessionId::read("svc_backup6859b2d3");
        if let Ok(read) = session(&body, PATH, &asked) {
            assert_eq!(read.id, asked, "round {round}");
        }
    }
    assert!(
        ["error", "whole", "cut"].iter().all(|outcome| outcomes[outcome] > 200),
        "all three ends were met: {outcomes:?}"
    );
}

#[test]
fn messages_are_found_in_every_spelling() {
    for (name, body, expected) in [
        (
            "iLO 5",
            r#"{"error":{"code":"iLO.0.10.ExtendedInfo","@Message.ExtendedInfo":[{"MessageId":"Base.1.0.Success"}]}}"#,
            &["Base.1.0.Success"][..],
        ),
        (
            "iLO 4",
            r#"{"Messages":[{"MessageID":"Base.0.10.Created"}],"Type":"ExtendedError.1.0.0","error":{"@Message.ExtendedInfo":[{"MessageID":"Base.0.10.Created"}]}}"#,
            &["Base.0.10.Created"],
        ),
        (
            "before Redfish",
            r#"{"Messages":[{"MessageID":"Base.0.10.UnauthorizedLoginAttempt"}],"Type":"ExtendedError.1.0.0"}"#,
            &["Base.0.10.UnauthorizedLoginAttempt"],
        ),
        (
            "beside the resource",
            r#"{"@odata.id":"/x","@Message.ExtendedInfo":[{"MessageId":"Base.1.17.OneTimePasscodeSent"}]}"#,
            &["Base.1.17.OneTimePasscodeSent"],
        ),
        ("none", "{}", &[]),
        ("no JSON", "<html>", &[]),
        ("wrong types", r#"{"error":{"@Message.ExtendedInfo":[7,{"MessageId":7},{"MessageId":"a"},null]}}"#, &["a"]),
        ("no list", r#"{"error":{"@Message.ExtendedInfo":{"MessageId":"a"}}}"#, &[]),
        ("escapes", "{\"error\":{\"@Message.ExtendedInfo\":[{\"MessageId\":\"a\\u001b\\nb\"}]}}", &["a\\u{1b}\\u{a}b"]),
    ] {
        assert_eq!(message_ids(body.as_bytes()), expected, "{name}");
    }
    let many = format!(r#"{{"error":{{"@Message.ExtendedInfo":[{}]}}}}"#, vec![r#"{"MessageId":"a"}"#; 1000].join(","));
    assert_eq!(message_ids(many.as_bytes()).len(), 16);
}

#[test]
fn only_a_word_of_rest_means_that_nothing_is_flashed() {
    for word in ["Idle", "Complete", "Error"] {
        for vendor in ["Hpe", "Hp"] {
            assert_eq!(flashing(format!(r#"{{"Oem":{{"{vendor}":{{"State":"{word}"}}}}}}"#).as_bytes()), Flashing::No);
        }
    }
    for word in ["Uploading", "Verifying", "Writing", "Updating", "idle", "Idle ", ""] {
        let body = format!(r#"{{"Oem":{{"Hpe":{{"State":"{word}"}}}}}}"#);
        assert_eq!(flashing(body.as_bytes()), Flashing::Perhaps(word.to_owned()));
    }
    for body in ["", "{}", "<html>", r#"{"Oem":{"Hpe":{"State":7}}}"#, r#"{"State":"Idle"}"#, r#"{"Oem":{"Hpe":{}}}"#] {
        assert_eq!(flashing(body.as_bytes()), Flashing::Perhaps(String::from("unknown")), "{body}");
    }
}

#[test]
fn the_delay_of_a_login_is_believed_within_reason() {
    for (body, delay_s) in [
        (r#"{"Oem":{"Hpe":{"Sessions":{"LoginFailureDelay":0}}}}"#, Ok(0)),
        (r#"{"Oem":{"Hp":{"Sessions":{"LoginFailureDelay":10}}}}"#, Ok(10)),
        (r#"{"Oem":{"Hpe":{"Sessions":{"LoginFailureDelay":18446744073709551615}}}}"#, Ok(600)),
        (r#"{"Oem":{"Hpe":{"Sessions":{"LoginFailureDelay":-1}}}}"#, Ok(0)),
        (r#"{"Oem":{"Hpe":{"Sessions":{}}}}"#, Ok(0)),
        (r#"{"Oem":{"Hpe":{}}}"#, Ok(0)),
        ("{}", Ok(0)),
        (r#"{"Oem":{"Hpe":{"Sessions":{"Log"#, Err(())),
        ("", Err(())),
        ("x", Err(())),
    ] {
        assert_eq!(root(body.as_bytes()).map(|(delay_s, _)| delay_s).map_err(drop), delay_s, "{body}");
    }
}
