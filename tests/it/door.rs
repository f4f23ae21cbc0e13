//! Our own session: one at most, through kills, lost replies and spurious refusals; none after a clean stop.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ilo_reaper::event::Event;
use ilo_reaper::fleet::Command;
use ilo_reaper::session::{Owner, SessionId};
use ilo_reaper::settings::{Authority, IloName, OnStop};
use ilo_reaper::state::{Former, Memory, State};
use ilo_sim::{Fault, FaultKind, Matcher, SessionSpec};

use crate::harness::{OURS, Running, US, World, other_credential, story};

const SESSIONS: &str = "/redfish/v1/SessionService/Sessions/";

pub(crate) fn lose_login() -> Fault {
    Fault { on: Matcher::new(http::Method::POST, SESSIONS), what: FaultKind::LoseReply }
}

#[test]
fn one_login_serves_for_days_and_a_clean_stop_leaves_nothing() {
    story(|| async {
        let world = World::of(&["r1", "r2", "r3"]);
        let running = world.start();
        world.pass(2 * 86_400).await;
        for name in ["r1", "r2", "r3"] {
            assert_eq!((world.logins(name), world.ours(name)), (1, 1), "{name}");
        }
        world.stop(running).await;
        for name in ["r1", "r2", "r3"] {
            assert_eq!(world.ours(name), 0, "{name}");
            assert_eq!(world.state.remembered().values().filter(|memory| memory.held.is_some()).count(), 0);
        }
    });
}

#[test]
fn a_calm_poll_is_one_request() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.leaked("r1", "svc-backup", 10);
        let running = world.start();
        world.pass(300).await;
        let log = world.log("r1");
        assert_eq!(log.iter().filter(|logged| logged.method == "GET" && logged.path == SESSIONS).count(), 5, "{log:?}");
        assert_eq!(log.len(), 5 + 2, "and the root and the login, once");
        world.stop(running).await;
    });
}

#[test]
fn after_a_kill_the_held_session_is_taken_up_again() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        for _ in 0..5 {
            let running = world.start();
            world.pass(200).await;
            world.kill(running).await;
        }
        assert_eq!((world.logins("r1"), world.ours("r1")), (1, 1));
        world.run(200).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (1, 0));
    });
}

/// Kills at every commit, before and after it: whatever was lost, we converge to one session.
#[test]
fn a_kill_at_any_write_leaves_one_session_after_two_visits() {
    for after in [false, true] {
        for at in 0..4 {
            story(|| async move {
                let mut world = World::of(&["r1"]);
                world.leaked("r1", "svc-backup", 1200);
                let running = world.start();
                for _ in 0..at {
                    world.pass(20).await;
                }
                if after {
                    world.state.crash_after_next_commit();
                } else {
                    world.state.crash_before_next_commit();
                }
                world.pass(61).await;
                world.kill(running).await;
                let running = world.start();
                world.pass(180).await;
                assert_eq!(world.ours("r1"), 1, "after: {after}, at: {at}\n{}", world.story());
                world.stop(running).await;
                assert_eq!(world.ours("r1"), 0);
            });
        }
    }
}

#[test]
fn a_kill_between_login_and_its_record_leaves_a_stray_that_is_ended() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        let (state, running) = (world.state.clone(), world.start());
        world.before(move |request, _, _| {
            if request.method() == http::Method::POST {
                state.crash_before_next_commit();
            }
        });
        world.pass(61).await;
        assert_eq!(world.ours("r1"), 1);
        world.before(|_, _, _| {});
        world.kill(running).await;
        let running = world.start();
        world.pass(120).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (2, 1), "{}", world.story());
        assert_eq!(world.heard("session.stray_ended").len(), 1);
        world.stop(running).await;
    });
}

/// The answer to a login names a session of somebody else. Neither a stop nor anything before it ends that one, and ours
/// is known by its login.
#[test]
fn a_login_that_names_somebody_elses_session_takes_nothing_from_them() {
    for (tells_ours, is_nobodys) in [(true, false), (false, false), (false, true)] {
        story(move || async move {
            let world = World::of(&["r1"]);
            let live = world.leaked("r1", "alice", 0);
            let theirs = if is_nobodys { String::from("nobody") } else { live.to_string() };
            let (theirs, mut logins) = (format!("{SESSIONS}{theirs}/"), 0);
            world.after(move |request, answer| {
                logins += u32::from(request.method() == http::Method::POST);
                if request.method() == http::Method::POST && logins == 1 {
                    answer.headers_mut().insert(http::header::LOCATION, theirs.parse().unwrap());
                    if !tells_ours {
                        *answer.body_mut() = "{}".into();
                    }
                }
                Duration::ZERO
            });
            let running = world.start();
            world.pass(30).await;
            assert_eq!(world.logins("r1"), 1, "{}", world.story());
            world.pass(200).await;
            // Where two were named, it is a lost login; else the table tells which one is ours.
            let logins = 1 + usize::from(tells_ours);
            assert_eq!((world.ours("r1"), world.logins("r1")), (1, logins), "{}", world.story());
            world.stop(running).await;
            assert_eq!(world.ours("r1"), 0, "{}", world.story());
            assert!(world.lives("r1", &live), "{}", world.story());
        });
    }
}

/// The same, where a stop comes before anybody could see whose session that is; or a start and a stop.
#[test]
fn a_stop_before_the_first_look_ends_nobody_elses_session() {
    for is_killed in [false, true] {
        story(move || async move {
            let mut world = World::of(&["r1"]);
            let live = world.leaked("r1", "alice", 0);
            let theirs = format!("{SESSIONS}{live}/");
            world.after(move |request, answer| {
                if request.method() == http::Method::POST {
                    answer.headers_mut().insert(http::header::LOCATION, theirs.parse().unwrap());
                    *answer.body_mut() = "{}".into();
                } else if request.uri().path() == SESSIONS {
                    *answer.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
                }
                Duration::ZERO
            });
            let mut running = world.start();
            world.pass(30).await;
            assert_eq!(world.logins("r1"), 1, "{}", world.story());
            if is_killed {
                world.kill(running).await;
                running = world.start();
            }
            world.stop(running).await;
            assert!(world.lives("r1", &live), "{}", world.story());
        });
    }
}

/// The answer to a login names a session of a person who uses our account, and the first tables were made before it: ours
/// is not told yet. Neither what comes then nor a stop, nor a start before that, takes it for ours; nor does a clock that
/// is set meanwhile.
#[test]
fn a_login_that_names_another_session_of_our_account_takes_nothing_from_it() {
    for case in 0..8 {
        let [is_killed, is_lost, is_set] = [1, 2, 4].map(|bit| case & bit != 0);
        story(move || async move {
            let mut world = World::of(&["r1"]);
            let live = world.leaked("r1", OURS, 3600);
            let theirs = format!("{SESSIONS}{live}/");
            let (is_refused, mut logins) = (Arc::new(AtomicBool::new(false)), 0);
            let refused = Arc::clone(&is_refused);
            world.after(move |request, answer| {
                if request.method() == http::Method::POST {
                    logins += 1;
                    if logins == 1 {
                        answer.headers_mut().insert(http::header::LOCATION, theirs.parse().unwrap());
                        *answer.body_mut() = "{}".into();
                    }
                } else if request.uri().path() == SESSIONS && refused.load(Ordering::Relaxed) {
                    *answer.status_mut() = http::StatusCode::UNAUTHORIZED;
                } else if request.uri().path() == SESSIONS && logins == 1 {
                    leave_out_whose_it_is(answer);
                }
                Duration::ZERO
            });
            let mut running = world.start();
            world.pass(100).await;
            assert_eq!(world.logins("r1"), 1, "{}", world.story());
            if is_set {
                world.sky.ilo("r1").set_clock_offset(-600);
                world.pass(100).await;
            }
            if is_killed {
                world.kill(running).await;
                running = world.start();
                world.pass(100).await;
            }
            if is_lost {
                is_refused.store(true, Ordering::Relaxed);
                while world.logins("r1") == 1 {
                    world.pass(1).await;
                }
                is_refused.store(false, Ordering::Relaxed);
                world.pass(300).await;
            }
            world.stop(running).await;
            assert!(world.lives("r1", &live), "{}", world.story());
        });
    }
}

/// A collection without the session that asks for it.
fn leave_out_whose_it_is(answer: &mut http::Response<bytes::Bytes>) {
    let mut table: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    let members = table["Members"].as_array_mut().unwrap();
    members.retain(|member| member["Oem"]["Hpe"]["MySession"] != true);
    table["Members@odata.count"] = members.len().into();
    *answer.body_mut() = table.to_string().into();
}

/// Such a session's times may not be told, or it may be said to be ours in a word that means nothing, or it may have logged
/// in just when we did: nothing of that proves that it is ours.
#[test]
fn a_session_that_a_login_names_is_not_ours_by_what_is_odd_about_it() {
    for oddity in ["no times", "no times, and alone", "an odd word", "on the web just then", "just then", "nobody ours"]
    {
        story(move || async move {
            let world = World::of(&["r1"]);
            if oddity != "no times, and alone" {
                world.leaked("r1", "svc-backup", 10);
            }
            let is_of_then = ["on the web just then", "just then", "nobody ours"].contains(&oddity);
            let live = Arc::new(Mutex::new((!is_of_then).then(|| world.leaked("r1", OURS, 3600))));
            let (theirs, mut logins) = (Arc::clone(&live), 0);
            world.before(move |request, ilo, now| {
                let tag = String::from(if oddity == "on the web just then" { "Web UI" } else { "REST" });
                let admit = || ilo.admit(now, SessionSpec { tag, ..SessionSpec::rest(OURS, US) });
                if request.method() == http::Method::POST {
                    theirs.lock().unwrap().get_or_insert_with(admit);
                }
            });
            let theirs = Arc::clone(&live);
            world.after(move |request, answer| {
                let Some(id) = theirs.lock().unwrap().clone() else { return Duration::ZERO };
                logins += u32::from(request.method() == http::Method::POST);
                if request.method() == http::Method::POST {
                    answer.headers_mut().insert(http::header::LOCATION, format!("{SESSIONS}{id}/").parse().unwrap());
                    *answer.body_mut() = "{}".into();
                } else if request.method() == http::Method::GET && logins > 0 {
                    if request.uri().path() == SESSIONS && oddity != "nobody ours" {
                        leave_out_whose_it_is(answer);
                    }
                    let mut told: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
                    make_odd(&mut told, &id.to_string(), oddity);
                    *answer.body_mut() = told.to_string().into();
                }
                Duration::ZERO
            });
            let running = world.start();
            world.pass(100).await;
            assert_eq!(world.logins("r1"), 1, "{}", world.story());
            world.stop(running).await;
            let live = live.lock().unwrap().clone().expect("admitted");
            assert!(world.lives("r1", &live), "{oddity}: {}", world.story());
        });
    }
}

/// Changes what is told of one session, in a table or alone.
fn make_odd(told: &mut serde_json::Value, id: &str, oddity: &str) {
    let members: Vec<_> = if told.get("Members").is_some() {
        told["Members"].as_array_mut().into_iter().flatten().collect()
    } else {
        vec![told]
    };
    for member in members {
        let is_it = member["Id"] == id;
        let Some(oem) = member.pointer_mut("/Oem/Hpe").and_then(serde_json::Value::as_object_mut) else { continue };
        match oddity {
            "nobody ours" => drop(oem.remove("MySession")),
            "no times" | "no times, and alone" if is_it => {
                oem.retain(|key, _| !["LoginTime", "AccessTime"].contains(&key.as_str()));
            }
            "an odd word" if is_it => drop(oem.insert(String::from("MySession"), "false".into())),
            _ => {}
        }
    }
}

/// An iLO that calls no session ours, and has no tag for those with a token: ours is known by when we logged in. Orphans
/// go there, and a stop leaves nothing.
#[test]
fn an_ilo_that_calls_nobody_ours_is_asked_when_we_logged_in() {
    story(|| async {
        let world = World::of(&["r1"]);
        let leaked = [world.leaked("r1", "svc-backup", 7200), world.leaked("r1", "svc-backup", 7000)];
        world.after(move |request, answer| {
            let mut told: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            if request.method() == http::Method::POST {
                told = serde_json::json!({});
            }
            for member in told.get_mut("Members").and_then(|members| members.as_array_mut()).into_iter().flatten() {
                if member["UserName"] == OURS {
                    member["Oem"]["Hpe"]["MySession"] = serde_json::Value::Null;
                    member["Oem"]["Hpe"]["UserTag"] = "Unknown".into();
                }
            }
            *answer.body_mut() = told.to_string().into();
            Duration::ZERO
        });
        let running = world.start();
        world.pass(300).await;
        assert!(!world.lives("r1", &leaked[0]), "{}", world.story());
        assert_eq!((world.logins("r1"), world.ours("r1")), (1, 1), "{}", world.story());
        world.stop(running).await;
        assert_eq!(world.ours("r1"), 0, "{}", world.story());
    });
}

/// At a stop it was looked at, and the answer to its DELETE is lost: it is known by its id from then on, and explains nobody
/// who logged in with our account when we did.
#[test]
fn a_log_out_whose_answer_is_lost_explains_nobody() {
    story(|| async {
        let world = World::of(&["r1"]);
        let is_blind = world.is_blind_and_names_once();
        let running = world.start();
        while world.logins("r1") == 0 {
            world.pass(1).await;
        }
        let twin = world.sky.ilo("r1").admit(world.sky.now(), SessionSpec::rest(OURS, US));
        world.pass(30).await;
        world.sky.ilo("r1").inject(Fault {
            on: Matcher { method: Some(http::Method::DELETE), ..Matcher::default() },
            what: FaultKind::LoseReply,
        });
        world.stop(running).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (1, 1), "{}", world.story());
        is_blind.store(false, Ordering::Relaxed);
        let running = world.start();
        world.pass(400).await;
        assert!(world.lives("r1", &twin), "{}", world.story());
        world.stop(running).await;
        assert!(world.lives("r1", &twin), "{}", world.story());
    });
}

/// Some iLOs name a new session once. Killed before we saw it in the table, we hold it all the same, and whoever else
/// logged in with our account just then is none of ours.
#[test]
fn a_login_that_was_named_once_explains_nobody_else() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        let is_blind = world.is_blind_and_names_once();
        let running = world.start();
        while world.logins("r1") == 0 {
            world.pass(1).await;
        }
        let now = world.sky.now();
        let twin = world.sky.ilo("r1").admit(now, SessionSpec::rest(OURS, US));
        world.pass(30).await;
        assert_eq!(world.logins("r1"), 1, "{}", world.story());
        world.kill(running).await;
        is_blind.store(false, Ordering::Relaxed);
        let running = world.start();
        world.pass(400).await;
        assert!(world.lives("r1", &twin), "{}", world.story());
        assert_eq!((world.logins("r1"), world.ours("r1")), (1, 2), "{}", world.story());
        world.stop(running).await;
        assert!(world.lives("r1", &twin), "{}", world.story());
    });
}

/// A login's reply is lost, a kill comes, and the login after it, seconds later, is named once: with that, the first is not
/// done with.
#[test]
fn a_login_that_was_named_once_takes_no_proof_from_a_lost_one() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.sky.ilo("r1").inject(lose_login());
        let running = world.start();
        while world.logins("r1") == 0 {
            world.pass_ms(1).await;
        }
        world.kill(running).await;
        world.after(|request, answer| {
            if request.method() == http::Method::POST {
                *answer.body_mut() = "{}".into();
                answer.headers_mut().insert(http::header::LOCATION, format!("{SESSIONS}nobody/").parse().unwrap());
            }
            Duration::ZERO
        });
        world.pass(3).await;
        let running = world.start();
        world.pass(400).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (2, 1), "{}", world.story());
        world.stop(running).await;
        assert_eq!(world.ours("r1"), 0, "{}", world.story());
    });
}

#[test]
fn a_login_whose_reply_is_lost_leaves_no_stray_after_two_visits() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.sky.ilo("r1").inject(lose_login());
        let running = world.start();
        world.pass(60).await;
        assert_eq!(world.ours("r1"), 1, "a session that nobody holds");
        world.pass(130).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (2, 1), "{}", world.story());
        world.stop(running).await;
        assert_eq!(world.ours("r1"), 0);
    });
}

#[test]
fn lost_replies_in_a_row_do_not_fill_the_table() {
    story(|| async {
        let world = World::of(&["r1"]);
        for _ in 0..50 {
            world.sky.ilo("r1").inject(lose_login());
        }
        let running = world.start();
        world.pass(3000).await;
        assert_eq!(world.ours("r1"), 2, "{}", world.story());
        let faults = world.sky.ilo("r1").pending_faults().count();
        assert_eq!(faults, 48);
        world.kill_only(running).await;
    });
}

/// Somebody logs in with our account just before our first login arrives: who that is, then.
fn logs_in_with_us(world: &World, origin: IpAddr) -> Arc<Mutex<Option<ilo_sim::SessionId>>> {
    let made = Arc::new(Mutex::new(None));
    let theirs = Arc::clone(&made);
    world.before(move |request, ilo, now| {
        let mut theirs = theirs.lock().unwrap();
        if request.method() == http::Method::POST && theirs.is_none() {
            *theirs = Some(ilo.admit(now, SessionSpec::rest(OURS, origin)));
        }
    });
    made
}

/// A person who uses our account is not us.
#[test]
fn a_session_of_our_account_that_no_lost_login_explains_lives() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.sky.ilo("r1").inject(lose_login());
        let before = world.leaked("r1", OURS, 3600);
        let running = world.start();
        world.pass(200).await;
        let after = world.leaked("r1", OURS, 0);
        world.pass(7200).await;
        assert!(world.lives("r1", &before) && world.lives("r1", &after), "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn two_sessions_that_one_lost_login_could_explain_both_live() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.sky.ilo("r1").inject(lose_login());
        let twin = logs_in_with_us(&world, US);
        let running = world.start();
        world.pass(600).await;
        let twin = twin.lock().unwrap().clone().expect("there was a login");
        assert!(world.lives("r1", &twin), "{}", world.story());
        assert!(world.heard("session.stray_ended").is_empty());
        world.stop(running).await;
    });
}

/// What an iLO does not tell today it may tell tomorrow; until then a proof is kept.
#[test]
fn a_proof_waits_until_the_ilo_tells_whose_session_it_is() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.sky.ilo("r1").inject(lose_login());
        let mut vague = 3;
        world.after(move |request, answer| {
            if request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/") && vague > 0 {
                vague -= 1;
                let told = String::from_utf8(answer.body().to_vec()).unwrap();
                *answer.body_mut() = told.replace("\"UserName\"", "\"Somebody\"").into();
            }
            Duration::ZERO
        });
        let running = world.start();
        world.pass(200).await;
        assert_eq!((world.ours("r1"), world.heard("session.stray_ended").len()), (2, 0), "{}", world.story());
        world.pass(400).await;
        assert_eq!((world.ours("r1"), world.heard("session.stray_ended").len()), (1, 1), "{}", world.story());
        world.stop(running).await;
    });
}

/// Two could be it, and the first of them is gone when we look again.
#[test]
fn whoever_is_left_of_two_that_one_lost_login_could_explain_lives() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.sky.ilo("r1").inject(lose_login());
        let made = logs_in_with_us(&world, US);
        let running = world.start();
        world.pass(150).await;
        let theirs = made.lock().unwrap().clone().expect("there was a login");
        let held = world.state.remembered().values().find_map(|memory| memory.held.clone()).expect("we are in");
        {
            let mut ilo = world.sky.ilo("r1");
            let now = world.sky.now();
            let ours = ilo.sessions(now).map(|session| session.id.clone());
            let lost: Vec<_> = ours.filter(|id| *id != theirs && id.as_str() != held.session.to_string()).collect();
            assert_eq!(lost.len(), 1);
            ilo.end(&lost[0]);
        }
        world.pass(400).await;
        assert!(world.lives("r1", &theirs), "{}", world.story());
        assert!(world.heard("session.stray_ended").is_empty());
        world.stop(running).await;
    });
}

/// How long a login waits is in the part of it that did not come.
#[test]
fn a_service_root_that_is_cut_is_no_leave_to_log_in() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.after(|request, answer| {
            if request.uri().path() == "/redfish/v1/" {
                let half = answer.body().slice(..answer.body().len() / 2);
                *answer.body_mut() = half;
            }
            Duration::ZERO
        });
        let running = world.start();
        world.pass(300).await;
        assert_eq!(world.login_requests("r1"), 0, "{}", world.story());
        world.after(|_, _| Duration::ZERO);
        world.pass(600).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (1, 1), "{}", world.story());
        world.stop(running).await;
    });
}

/// We know by id what our login made, so it explains nobody else.
#[test]
fn a_login_whose_session_was_refused_at_once_explains_nobody() {
    story(|| async {
        let world = World::of(&["r1"]);
        let denied = http::Response::builder().status(401).body(bytes::Bytes::new()).unwrap();
        world
            .sky
            .ilo("r1")
            .inject(Fault { on: Matcher::new(http::Method::GET, SESSIONS), what: FaultKind::Answer(denied) });
        let made = logs_in_with_us(&world, US);
        let running = world.start();
        world.pass(400).await;
        let theirs = made.lock().unwrap().clone().expect("there was a login");
        assert!(world.lives("r1", &theirs), "{}", world.story());
        assert_eq!((world.logins("r1"), world.heard("session.stray_ended").len()), (2, 1), "{}", world.story());
        world.stop(running).await;
    });
}

/// Somebody else uses our account while a reply of ours is lost.
#[test]
fn a_lost_login_explains_no_session_from_elsewhere() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.sky.ilo("r1").inject(lose_login());
        let guest = world.admit("r1", SessionSpec::rest(OURS, crate::harness::SCRIPT), 0);
        let late = logs_in_with_us(&world, crate::harness::SCRIPT);
        let running = world.start();
        world.pass(600).await;
        let late = late.lock().unwrap().clone().expect("there was a login");
        assert!(world.lives("r1", &guest) && world.lives("r1", &late), "{}", world.story());
        assert_eq!(world.heard("session.stray_ended").len(), 1, "ours goes: {}", world.story());
        world.stop(running).await;
    });
}

/// Another table than the iLO's.
fn tell(answer: &mut http::Response<bytes::Bytes>, change: impl FnOnce(&mut Vec<serde_json::Value>)) {
    let mut body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    let members = body["Members"].as_array_mut().unwrap();
    change(members);
    let count = members.len();
    body["Members@odata.count"] = count.into();
    *answer.body_mut() = bytes::Bytes::from(body.to_string());
}

/// For a quarter of an hour no whole table tells the session that we lost; now and then a part of one does.
#[test]
fn a_session_of_ours_that_a_part_of_the_table_shows_is_not_forgotten() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.sky.ilo("r1").inject(lose_login());
        let mut looks = 0;
        world.after(move |request, answer| {
            let is_look = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
            if is_look && answer.status() == 200 {
                looks += 1;
                tell(answer, |members| {
                    members.sort_by_key(|member| member["Id"].to_string());
                    // Without our own session it is no whole one.
                    let left_out = match looks {
                        16.. => None,
                        _ if looks % 5 == 0 => Some(1),
                        _ => Some(0),
                    };
                    left_out.filter(|place| *place < members.len()).map(|place| members.remove(place));
                });
            }
            Duration::ZERO
        });
        let running = world.start();
        world.pass(900).await;
        assert_eq!(world.ours("r1"), 2, "{}", world.story());
        world.pass(300).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (2, 1), "{}", world.story());
        world.stop(running).await;
    });
}

/// The table leaves the session that we lost out of the next three looks.
#[test]
fn a_session_of_ours_that_a_table_leaves_out_for_a_while_is_not_forgotten() {
    let denied = || Fault {
        on: Matcher::new(http::Method::GET, SESSIONS),
        what: FaultKind::Answer(http::Response::builder().status(401).body(bytes::Bytes::new()).unwrap()),
    };
    for (fault, after_s) in [(denied(), 120), (lose_login(), 0)] {
        story(|| async move {
            let world = World::of(&["r1"]);
            let (mut lost, mut looks) = (None, 0);
            world.after(move |request, answer| {
                let is_look = request.method() == http::Method::GET && request.uri().path().ends_with("/Sessions/");
                if !is_look || answer.status() != 200 {
                    return Duration::ZERO;
                }
                tell(answer, |members| {
                    if members.len() == 2 {
                        // An id tells when it was made.
                        lost = lost.take().or(members.iter().map(|member| member["Id"].to_string()).min());
                        looks += 1;
                    }
                    if looks <= 3 {
                        members.retain(|member| Some(member["Id"].to_string()) != lost);
                    }
                });
                Duration::ZERO
            });
            let running = world.start();
            world.pass(after_s).await;
            world.sky.ilo("r1").inject(fault);
            world.pass(150).await;
            assert_eq!(world.ours("r1"), 2, "the table hides it: {}", world.story());
            world.pass(300).await;
            assert_eq!((world.logins("r1"), world.ours("r1")), (2, 1), "{}", world.story());
            world.stop(running).await;
        });
    }
}

/// It says that the session is gone, and shows it again.
/// The next login is lost, and we may be killed then.
async fn a_lost_login_leaves_no_stray(mut world: World, mut running: Running, is_killed: bool) {
    world.sky.ilo("r1").inject(lose_login());
    world.pass(16).await;
    assert_eq!((world.ours("r1"), world.logins("r1")), (1, 2), "it is lost: {}", world.story());
    if is_killed {
        world.kill(running).await;
        running = world.start();
    }
    world.pass(104).await;
    assert_eq!((world.ours("r1"), world.logins("r1")), (1, 3), "{is_killed}: {}", world.story());
    assert_eq!(world.heard("session.stray_ended").len(), 1);
    world.stop(running).await;
}

/// A clock jumps back, and nobody sees the whole table meanwhile: what is written down since is of the clock as it is
/// now, also after a kill.
#[test]
fn a_login_that_is_lost_after_a_jump_that_only_parts_told_leaves_no_stray() {
    for is_killed in [false, true] {
        story(|| async move {
            let mut world = World::of(&["r1"]);
            world.settings.poll.every = Duration::from_secs(15);
            let running = world.start();
            world.pass(100).await;
            world.sky.ilo("r1").set_clock_offset(-100);
            let mut is_cut = true;
            world.after(move |request, answer| {
                let is_poll = request.method() == http::Method::GET && request.uri().path() == SESSIONS;
                is_cut &= answer.status() != 401;
                if is_poll && is_cut {
                    tell(answer, |members| members.push(serde_json::json!({ "@odata.id": "/redfish/v1/Systems/1/" })));
                }
                Duration::ZERO
            });
            world.pass(60).await;
            let now = world.sky.now();
            let ours = world.sky.ilo("r1").sessions(now).find(|one| one.owner == OURS).unwrap().id.clone();
            world.sky.ilo("r1").end(&ours);
            a_lost_login_leaves_no_stray(world, running, is_killed).await;
        });
    }
}

/// An iLO comes back from a reset with another time, and the reply to our first login there is lost.
#[test]
fn a_login_that_is_lost_after_a_reset_that_set_the_clock_leaves_no_stray() {
    for (offset_s, is_killed) in [(-100, false), (-100, true), (600, false), (600, true)] {
        story(|| async move {
            let mut world = World::of(&["r1"]);
            world.settings.poll.every = Duration::from_secs(15);
            let running = world.start();
            world.pass(100).await;
            let now = world.sky.now();
            world.sky.ilo("r1").reboot(now);
            world.sky.ilo("r1").set_clock_offset(offset_s);
            a_lost_login_leaves_no_stray(world, running, is_killed).await;
        });
    }
}

/// A login is lost, and then the clock is set back before it: only who is on at the next look can be of it, and later
/// nobody, since the clock will show that time again.
#[test]
fn a_login_that_is_lost_before_a_clock_is_set_back_leaves_no_stray_and_explains_nobody_later() {
    for comes_later in [false, true] {
        story(|| async move {
            let mut world = World::of(&["r1"]);
            world.settings.poll.every = Duration::from_secs(15);
            world.sky.ilo("r1").inject(lose_login());
            let running = world.start();
            world.pass(16).await;
            assert_eq!((world.ours("r1"), world.logins("r1")), (1, 1), "it is lost: {}", world.story());
            if comes_later {
                let now = world.sky.now();
                let lost = world.sky.ilo("r1").sessions(now).next().unwrap().id.clone();
                world.sky.ilo("r1").end(&lost);
            }
            world.sky.ilo("r1").set_clock_offset(-120);
            world.pass(104).await;
            assert_eq!((world.ours("r1"), world.logins("r1")), (1, 2), "{}", world.story());
            assert_eq!(world.heard("session.stray_ended").len(), usize::from(!comes_later));
            if comes_later {
                // The clock shows the time of the lost login again, and somebody uses our account here.
                world.pass(14).await;
                let twin = world.admit("r1", SessionSpec::rest(OURS, US), 0);
                world.pass(300).await;
                assert!(world.lives("r1", &twin), "{}", world.story());
            }
            world.stop(running).await;
        });
    }
}

/// The same, where the clock is set back while our next session is open, and we are killed before the lost one could be
/// ended: the next start finds both as they were.
#[test]
fn a_kill_in_the_look_that_sees_a_clock_set_back_leaves_no_stray() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.settings.poll.every = Duration::from_secs(15);
        world.sky.ilo("r1").inject(lose_login());
        let is_cut = Arc::new(AtomicBool::new(true));
        let cuts = Arc::clone(&is_cut);
        world.after(move |request, answer| {
            if cuts.load(Ordering::Relaxed) && request.method() == http::Method::GET && request.uri().path() == SESSIONS
            {
                tell(answer, |members| members.push(serde_json::json!({ "@odata.id": "/redfish/v1/Systems/1/" })));
            }
            Duration::ZERO
        });
        let running = world.start();
        world.pass(60).await;
        assert_eq!((world.ours("r1"), world.logins("r1")), (2, 2), "{}", world.story());
        is_cut.store(false, Ordering::Relaxed);
        world.sky.ilo("r1").set_clock_offset(-3600);
        let on = Matcher::new(http::Method::GET, "/redfish/v1/UpdateService/");
        world.sky.ilo("r1").inject(Fault { on: on.clone(), what: FaultKind::Hang });
        while !world.log("r1").iter().any(|logged| logged.path.ends_with("UpdateService/")) {
            world.pass_ms(10).await;
        }
        world.kill(running).await;
        let running = world.start();
        world.pass(100).await;
        assert_eq!((world.ours("r1"), world.logins("r1")), (1, 2), "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn a_stray_whose_end_is_only_claimed_is_ended_later() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.sky.ilo("r1").inject(lose_login());
        let gone = http::Response::builder().status(404).body(bytes::Bytes::new()).unwrap();
        let on = Matcher::new(http::Method::DELETE, SESSIONS);
        world.sky.ilo("r1").inject(Fault { on, what: FaultKind::Answer(gone) });
        let running = world.start();
        world.pass(400).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (2, 1), "{}", world.story());
        assert_eq!(world.heard("session.stray_ended").len(), 1);
        world.stop(running).await;
    });
}

#[test]
fn a_refusal_of_a_good_session_costs_one_login_and_ends_the_old_one() {
    story(|| async {
        let world = World::of(&["r1"]);
        let running = world.start();
        world.pass(120).await;
        let denied = http::Response::builder().status(401).body(bytes::Bytes::new()).unwrap();
        let on = Matcher::new(http::Method::GET, SESSIONS);
        world.sky.ilo("r1").inject(Fault { on, what: FaultKind::Answer(denied) });
        world.pass(180).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (2, 1), "{}", world.story());
        assert!(world.heard("ilo.login_rejected").is_empty());
        world.stop(running).await;
    });
}

#[test]
fn after_a_reboot_of_the_ilo_we_log_in_again_once() {
    story(|| async {
        let world = World::of(&["r1"]);
        let running = world.start();
        world.pass(120).await;
        let now = world.sky.now();
        world.sky.ilo("r1").reboot(now);
        world.pass(900).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (2, 1), "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn on_stop_keep_leaves_the_session_for_the_next_start() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        world.settings.on_stop = OnStop::Keep;
        world.run(90).await;
        assert_eq!(world.ours("r1"), 1);
        world.state = world.state.restarted();
        world.settings.on_stop = OnStop::Logout;
        world.run(90).await;
        assert_eq!((world.logins("r1"), world.ours("r1")), (1, 0));
    });
}

#[test]
fn an_ilo_that_leaves_the_fleet_keeps_nothing_of_ours() {
    story(|| async {
        let world = World::of(&["r1", "r2"]);
        let running = world.start();
        world.pass(90).await;
        let mut settings = world.settings.clone();
        settings.targets.retain(|name, _| name.as_str() == "r1");
        running.commands.send(Command::Replace(settings.into())).await.unwrap();
        world.pass(5).await;
        assert_eq!((world.ours("r1"), world.ours("r2")), (1, 0));
        running.commands.send(Command::Replace(world.settings.clone().into())).await.unwrap();
        world.pass(120).await;
        assert_eq!((world.ours("r1"), world.ours("r2"), world.logins("r1"), world.logins("r2")), (1, 1, 1, 2));
        world.stop(running).await;
    });
}

/// The account has changed while we were down, and the iLO asks for time when it is asked whose the old session is.
#[test]
fn an_ilo_that_asks_for_time_before_a_log_out_is_not_logged_in_to_meanwhile() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        let running = world.start();
        world.pass(90).await;
        world.kill(running).await;
        world.targets(|target| target.credential = other_credential("other", "svc-backup", "secret123"));
        let mut asked = 0;
        world.after(move |request, answer| {
            let is_look = request.method() == http::Method::GET && request.uri().path().contains(OURS);
            asked += i32::from(is_look);
            if is_look && asked == 1 {
                *answer.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
                answer.headers_mut().insert(http::header::RETRY_AFTER, 120.into());
            }
            Duration::ZERO
        });
        let running = world.start();
        world.pass(110).await;
        assert_eq!(world.login_requests("r1"), 1, "{}", world.story());
        world.pass(200).await;
        assert_eq!((world.login_requests("r1"), world.ours("r1")), (2, 0), "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn an_ilo_that_leaves_and_returns_at_once_has_one_session_of_ours() {
    story(|| async {
        let world = World::of(&["r1", "r2"]);
        let running = world.start();
        world.pass(90).await;
        let mut without = world.settings.clone();
        without.targets.retain(|name, _| name.as_str() == "r1");
        for _ in 0..20 {
            running.commands.send(Command::Replace(without.clone().into())).await.unwrap();
            running.commands.send(Command::Replace(world.settings.clone().into())).await.unwrap();
        }
        world.pass(600).await;
        assert_eq!(world.ours("r2"), 1, "{}", world.story());
        world.stop(running).await;
        assert_eq!(world.ours("r2"), 0);
    });
}

/// Nothing is sent that can't be recorded.
#[test]
fn a_state_that_can_not_be_written_stops_logins_and_deletions() {
    story(|| async {
        let world = World::of(&["r1", "r2"]);
        let leaked = world.leaked("r1", "svc-backup", 0);
        let running = world.start();
        world.pass(90).await;
        world.state.fail(true);
        world.sky.ilo("r2").reboot(world.sky.now());
        world.pass(1800).await;
        assert!(world.lives("r1", &leaked), "{}", world.story());
        assert_eq!(world.login_requests("r2"), 1);
        assert_eq!(world.heard("state.unwritable").len(), 1, "{}", world.story());
        world.state.fail(false);
        world.pass(1300).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
        assert_eq!((world.logins("r2"), world.ours("r2")), (2, 1));
        assert!(matches!(world.heard("state.writable").as_slice(), [Event::StateWritable { .. }]));
        world.stop(running).await;
    });
}

/// An iLO that logs us in and then does not know us must not be filled with sessions of ours.
#[test]
fn a_session_that_is_refused_at_its_first_use_is_not_replaced_for_ever() {
    for path in [SESSIONS, "/redfish/v1/UpdateService/"] {
        story(|| async move {
            let world = World::of(&["r1"]);
            world.leaked("r1", "svc-backup", 1200);
            for _ in 0..1000 {
                let denied = http::Response::builder().status(401).body(bytes::Bytes::new()).unwrap();
                let on = Matcher::new(http::Method::GET, path);
                world.sky.ilo("r1").inject(Fault { on, what: FaultKind::Answer(denied) });
            }
            let running = world.start();
            world.pass(3000).await;
            assert!(world.ours("r1") <= 3, "{path}: {} {}", world.ours("r1"), world.story());
            world.pass(7 * 86_400).await;
            assert!(world.ours("r1") <= 8, "{path}: {} {}", world.ours("r1"), world.story());
            world.kill_only(running).await;
        });
    }
}

#[test]
fn logins_that_are_lost_for_days_do_not_fill_the_table() {
    story(|| async {
        let world = World::of(&["r1"]);
        for _ in 0..500 {
            world.sky.ilo("r1").inject(lose_login());
        }
        let running = world.start();
        world.pass(7 * 86_400).await;
        assert!(world.ours("r1") <= 8, "{}", world.ours("r1"));
        world.kill_only(running).await;
    });
}

/// A refusal may be spurious at the log-out as well.
#[test]
fn a_log_out_that_is_refused_is_not_forgotten() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        let running = world.start();
        world.pass(90).await;
        let denied = http::Response::builder().status(401).body(bytes::Bytes::new()).unwrap();
        let on = Matcher::new(http::Method::DELETE, SESSIONS);
        world.sky.ilo("r1").inject(Fault { on, what: FaultKind::Answer(denied) });
        world.stop(running).await;
        assert_eq!(world.ours("r1"), 1);
        world.state = world.state.restarted();
        world.run(150).await;
        assert_eq!(world.ours("r1"), 0, "{}", world.story());
    });
}

#[test]
fn one_ilo_that_hangs_does_not_keep_a_stop_from_logging_out_of_the_others() {
    for visits_at_once in [64, 1] {
        story(|| async move {
            let mut world = World::of(&["r1", "r2", "r3"]);
            world.settings.poll.exchange_timeout = Duration::from_secs(90);
            world.settings.poll.visits_at_once = visits_at_once;
            let running = world.start();
            world.pass(90).await;
            let hung = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&hung);
            world.sky.ilo("r1").inject(Fault { on: Matcher::any(), what: FaultKind::Hang });
            world.before(move |_, ilo, _| {
                if ilo.spec().name == "r1" {
                    seen.store(true, Ordering::Relaxed);
                }
            });
            while !hung.load(Ordering::Relaxed) {
                world.pass(1).await;
            }
            world.stop(running).await;
            assert_eq!((world.ours("r2"), world.ours("r3")), (0, 0), "{}", world.story());
        });
    }
}

/// A clock that went back, as after a flat battery, does not lock us out for years.
#[test]
fn lost_logins_and_then_a_clock_of_2001_do_not_keep_us_out() {
    story(|| async {
        let world = World::of(&["r1"]);
        for _ in 0..2 {
            world.sky.ilo("r1").inject(lose_login());
        }
        let running = world.start();
        world.pass(300).await;
        world.sky.ilo("r1").set_clock_offset(-745_000_000);
        world.pass(3 * 3600).await;
        assert_eq!(world.logins("r1"), 3, "{}", world.story());
        world.kill_only(running).await;
    });
}

/// An iLO may give an id again after a reset, and another iLO may give the same.
#[test]
fn an_id_that_was_ours_and_is_somebody_elses_now_ends_nobody() {
    for (owner, place) in [("alice", "r1"), (OURS, "r2")] {
        story(|| async move {
            let world = World::of(&["r1"]);
            let theirs = world.leaked("r1", owner, 10);
            let former = Former {
                session: SessionId::read(theirs.as_str()),
                account: Owner::new(OURS),
                authority: Authority { host: place.to_owned(), port: 443 },
            };
            let memory = Memory { former: vec![former], ..Default::default() };
            world.state.save(&IloName::new("r1"), &memory).await.unwrap();
            world.run(200).await;
            assert!(world.lives("r1", &theirs), "{owner} {place}: {}", world.story());
        });
    }
}

/// A disk that stands still between intent and login would leave a session that nothing proves to be ours.
#[test]
fn a_login_is_not_sent_long_after_its_intent_was_written() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.state.slow(Duration::from_secs(20));
        let running = world.start();
        world.pass(600).await;
        assert_eq!(world.login_requests("r1"), 0, "{}", world.story());
        assert_eq!(world.heard("state.unwritable").len(), 1);
        world.state.slow(Duration::ZERO);
        world.pass(1300).await;
        assert_eq!(world.ours("r1"), 1, "{}", world.story());
        world.stop(running).await;
    });
}

#[test]
fn no_stray_is_ended_while_firmware_is_on_its_way() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.sky.ilo("r1").inject(lose_login());
        world.sky.ilo("r1").set_update_state(ilo_sim::UpdateState::Writing);
        let running = world.start();
        world.pass(600).await;
        assert_eq!(world.ours("r1"), 2, "{}", world.story());
        world.sky.ilo("r1").set_update_state(ilo_sim::UpdateState::Complete);
        world.pass(130).await;
        assert_eq!(world.ours("r1"), 1, "{}", world.story());
        world.stop(running).await;
    });
}
