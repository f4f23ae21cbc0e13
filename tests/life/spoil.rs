//! What an iLO answers, and what is made of it on its way: each fault that an answer can carry.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use ilo_sim::{Delivery, Moment, Session};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::oracle::{Picture, Truth};
use crate::script::{Fault, On};
use crate::world::{ACCOUNTS, Site};

const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// An answer as it arrives, and the truth behind it.
pub(crate) struct Spoiled {
    pub(crate) response: Option<Response<Bytes>>,
    /// `None` is never.
    pub(crate) after: Option<Duration>,
    pub(crate) truth: Truth,
}

/// The iLO handles a request, and the answer meets its fault.
pub(crate) fn serve(site: &mut Site, now: Moment, on: On, fault: Option<Fault>, request: &Request<Bytes>) -> Spoiled {
    if let Some(response) = fault.and_then(|fault| instead(fault, on)) {
        let truth = Truth { is_flashing: on == On::Update, ..Truth::default() };
        return Spoiled { response: Some(response), after: Some(Duration::ZERO), truth };
    }
    if fault == Some(Fault::Stale)
        && on == On::Collection
        && let Some((response, picture)) = site.last.clone()
    {
        // What is told is old; how long somebody was idle is not.
        let truth = Truth { picture: Some(Picture { at: now, ..picture }), is_stale: true, ..Truth::default() };
        return Spoiled { response: Some(response), after: Some(Duration::ZERO), truth };
    }
    let reply = site.serve(now, request);
    let effect = site.ilo.take_log().pop().and_then(|logged| logged.effect);
    let mut truth = Truth { effect, ..Truth::default() };
    if reply.delivery != Delivery::Whole {
        let after = (reply.delivery == Delivery::Lost).then_some(Duration::ZERO);
        return Spoiled { response: None, after, truth };
    }
    if on == On::Collection && reply.response.status() == StatusCode::OK {
        let sessions: Vec<_> = site.ilo.sessions(now).cloned().collect();
        let is_expanded = request.uri().query().is_some() && !site.expands_not();
        let links = (!is_expanded).then_some(sessions.len());
        let picture = Picture {
            at: now,
            shown_s: site.ilo.clock(now).epoch_s(),
            sessions,
            hidden: Vec::new(),
            links,
            ghosts: 0,
            is_cut: false,
            is_vague: false,
        };
        site.last = Some((reply.response.clone(), picture.clone()));
        truth.picture = Some(picture);
    }
    if on == On::Member && reply.response.status() == StatusCode::OK {
        let id = request.uri().path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        truth.look = site.ilo.session(&id.into(), now).cloned();
    }
    truth.is_flashing = site.is_flashing;
    let mut spoiled = Spoiled { response: Some(reply.response), after: Some(reply.after), truth };
    if let Some(fault) = fault.filter(|_| on == On::Login)
        && let Some(response) = spoiled.response.as_mut().filter(|response| response.headers().contains_key(LOCATION))
        && matches!(fault, Fault::OtherLocation | Fault::OtherSession)
    {
        // Best that of a person who has our account too, and writes it in capitals.
        let has_our_account = |session: &&Session| ACCOUNTS.contains(&session.owner.to_lowercase().as_str());
        let theirs = site.ilo.sessions(now).filter(|session| !ACCOUNTS.contains(&session.owner.as_str()));
        let theirs = theirs.max_by_key(has_our_account);
        let theirs = theirs.map_or_else(|| String::from("svc-ghost"), |session| session.id.to_string());
        response.headers_mut().insert(LOCATION, format!("{SESSIONS}/{theirs}/").parse().expect("a location"));
        if fault == Fault::OtherSession {
            *response.body_mut() = Bytes::from_static(b"{}");
        }
    }
    if let Some(fault) = fault {
        spoil(&mut spoiled, fault, on, &mut site.spoiling);
    }
    spoiled
}

/// Answers that are given without the iLO.
fn instead(fault: Fault, on: On) -> Option<Response<Bytes>> {
    let response = match fault {
        // A login that is refused for no reason looks like a wrong password.
        Fault::Status { status, retry_after_s } => {
            let mut response = Response::builder().status(status).header(DATE, "Mon, 23 Jun 2025 20:08:14 GMT");
            if let Some(wait_s) = retry_after_s {
                response = response.header(RETRY_AFTER, wait_s);
            }
            if status == 401 && on == On::Login {
                return None;
            }
            response.body(Bytes::new())
        }
        Fault::Html => Response::builder().header(CONTENT_TYPE, "text/html").body("<html>Please log in".into()),
        Fault::Redirect => {
            Response::builder().status(302).header(LOCATION, "https://evil.example.net/redfish/v1/").body(Bytes::new())
        }
        _ => return None,
    };
    Some(response.expect("a good answer"))
}

/// Answers that the iLO gave, and that do not arrive as it gave them.
fn spoil(spoiled: &mut Spoiled, fault: Fault, on: On, chance: &mut Chance) {
    let Some(response) = &mut spoiled.response else { return };
    match fault {
        Fault::ResetAfter | Fault::Huge => spoiled.response = None,
        Fault::Silence => (spoiled.response, spoiled.after) = (None, None),
        Fault::Slow { ms } => spoiled.after = spoiled.after.map(|after| after + Duration::from_millis(ms)),
        Fault::StatusAfter { status } => {
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            *response.body_mut() = Bytes::new();
            spoiled.truth.picture = None;
            spoiled.truth.look = None;
        }
        Fault::Torn | Fault::Empty => {
            let kept = if fault == Fault::Torn { response.body().len() / 2 } else { 0 };
            let body = response.body().slice(..kept);
            *response.body_mut() = body;
            spoiled.truth.picture = None;
            spoiled.truth.look = None;
            spoiled.truth.is_flashing |= on == On::Update;
        }
        Fault::NoDate => {
            response.headers_mut().remove(DATE);
        }
        Fault::NoToken => {
            response.headers_mut().remove("X-Auth-Token");
        }
        Fault::OddToken if response.headers().contains_key("X-Auth-Token") => {
            let odd = HeaderValue::from_static("two words\t");
            response.headers_mut().insert(HeaderName::from_static("x-auth-token"), odd);
        }
        Fault::Mixed if on == On::Member => {
            *response.body_mut() = Bytes::from(another(0).to_string());
            spoiled.truth.look = None;
        }
        Fault::NoUpdateState if on == On::Update => {
            *response.body_mut() = Bytes::from_static(b"{}");
            spoiled.truth.is_flashing = true;
        }
        Fault::Vague if on == On::Member => {
            rewrite(response, make_vague);
            spoiled.truth.is_vague = true;
        }
        _ if on == On::Collection && response.status() == StatusCode::OK => {
            let missing = lie(response, fault, chance);
            if let Some(picture) = &mut spoiled.truth.picture {
                picture.is_cut = matches!(fault, Fault::CountLies | Fault::Pages | Fault::Twice | Fault::Foreign);
                picture.is_vague = fault == Fault::Vague && picture.links.is_none();
                for place in missing.iter().rev() {
                    picture.hidden.push(picture.sessions.remove(*place).id);
                }
                picture.ghosts = usize::from(matches!(fault, Fault::EvilId | Fault::Dangling));
                picture.links = picture.links.map(|links| links - missing.len());
            }
        }
        _ => {}
    }
}

/// A collection that does not tell the truth about itself; the places of the members that it lacks.
fn lie(response: &mut Response<Bytes>, fault: Fault, chance: &mut Chance) -> Vec<usize> {
    let mut missing = Vec::new();
    rewrite(response, |collection| {
        let Some(members) = collection["Members"].as_array_mut() else { return };
        match fault {
            Fault::Twice => members.extend(members.first().cloned()),
            Fault::Foreign => members.push(json!({ "@odata.id": "/redfish/v1/Systems/1/" })),
            Fault::EvilId => {
                let id = chance.of_these(&["..", "a%2fb", "a?b", "a b", "%2e%2e", "a/../../../Systems/1", ""]);
                let mut evil = another(1);
                evil["Id"] = json!(id);
                evil["@odata.id"] = json!(format!("{SESSIONS}/{id}"));
                members.push(evil);
            }
            Fault::Dangling => members.push(another(2)),
            Fault::Vague => members.iter_mut().for_each(make_vague),
            Fault::Hidden if !members.is_empty() => {
                missing.push(chance.index(members.len()));
            }
            Fault::Pages => missing.extend((0..members.len()).filter(|_| chance.one_in(3))),
            _ => {}
        }
        for place in missing.iter().rev() {
            members.remove(*place);
        }
        let count = members.len() + usize::from(fault == Fault::CountLies);
        collection["Members@odata.count"] = json!(count);
        if fault == Fault::Pages {
            collection["Members@odata.nextLink"] = json!(format!("{SESSIONS}?$skip=10"));
        }
    });
    missing
}

fn rewrite(response: &mut Response<Bytes>, change: impl FnOnce(&mut Value)) {
    if let Ok(mut body) = serde_json::from_slice(response.body()) {
        change(&mut body);
        *response.body_mut() = Bytes::from(body.to_string());
    }
}

/// Takes away what must be known of a session before it may go: always the same of the same one.
fn make_vague(member: &mut Value) {
    let lacks = lacks(member["Id"].as_str().unwrap_or_default());
    if lacks == "UserName" {
        member.as_object_mut().and_then(|member| member.remove(lacks));
    } else if let Some(oem) = member.pointer_mut("/Oem/Hpe").and_then(Value::as_object_mut) {
        // A link has none of it, and stays a link.
        oem.remove(lacks);
    }
}

/// What the iLO does not tell of a session where it is vague.
pub(crate) fn lacks(id: &str) -> &'static str {
    let keys = ["UserIP", "UserTag", "UserType", "UserName", "AccessTime", "LoginTime"];
    keys[id.bytes().map(usize::from).sum::<usize>() % keys.len()]
}

/// A session that is not in the table, and that looks like an orphan of long ago.
fn another(number: u32) -> Value {
    let id = format!("svc-ghost00000000{number:08x}0000000");
    json!({
        "@odata.id": format!("{SESSIONS}/{id}"),
        "Id": id,
        "UserName": "svc-ghost",
        "Oem": { "Hpe": {
            "AccessTime": "2001-01-01T00:00:00Z",
            "LoginTime": "2001-01-01T00:00:00Z",
            "MySession": false,
            "UserIP": "192.0.2.66",
            "UserTag": "REST",
            "UserType": "Local",
        }},
    })
}
