use std::net::IpAddr;

use super::*;

const PATH: &str = "/redfish/v1/SessionService/Sessions";

#[test]
fn a_standard_session_has_an_age_and_no_last_access() {
    let body = r#"{ "@odata.id": "/redfish/v1/SessionService/Sessions/132562", "Id": "132562", "UserName": "svc",
        "ClientOriginIPAddress": "::ffff:192.0.2.50", "CreatedTime": "2024-07-16T13:59:10-05:00", "Password": null,
        "SessionType": "Redfish" }"#;
    let read = session(body.as_bytes(), PATH, &SessionId::read("132562")).expect("a session");
    assert_eq!(read.origin, Some(IpAddr::from([192, 0, 2, 50])));
    assert_eq!(read.login, Timestamp::parse_rfc3339("2024-07-16T18:59:10Z"));
    assert_eq!((read.access, read.kind, read.user_type), (None, Kind::Rest, UserType::Unknown));
    for (word, kind) in [("WebUI", Kind::Web), ("KVMIP", Kind::Console), ("OEM", Kind::Other(String::from("OEM")))] {
        let body = body.replace("\"Redfish\"", &format!("\"{word}\""));
        assert_eq!(session(body.as_bytes(), PATH, &SessionId::read("132562")).expect("a session").kind, kind);
    }
}

/// What the maker tells, but not so that it makes sense, is unknown; the standard does not stand in for it.
#[test]
fn a_makers_word_that_makes_no_sense_is_not_made_up_for() {
    let body = r#"{ "@odata.id": "/redfish/v1/SessionService/Sessions/a", "UserName": "svc", "SessionType": "Redfish",
        "CreatedTime": "2024-07-16T13:59:10Z", "ClientOriginIPAddress": "192.0.2.50",
        "Oem": { "Hpe": { "UserTag": 5, "LoginTime": null, "UserIP": {}, "UserType": "Local" } } }"#;
    let read = session(body.as_bytes(), PATH, &SessionId::read("a")).expect("a session");
    assert_eq!((read.kind, read.login, read.origin), (Kind::Unknown, None, None));
}
