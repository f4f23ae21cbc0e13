//! The demo: two halves, and a score.

use super::site::Site;

#[test]
fn the_demo_ends_with_its_score() {
    let site = Site::of(&[]);
    let ended = site.ask(&["demo", "--ilos", "1", "--for", "6s", "--json"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
    let score: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&score), ["bare", "guarded"]);
    assert_eq!(keys(&score["bare"]), ["lock_outs", "refused_logins"]);
    let guarded = &score["guarded"];
    assert_eq!(
        keys(guarded),
        ["live_sessions_ended", "lock_outs", "own_logins_per_ilo", "refused_logins", "sessions_reaped"]
    );
    assert_eq!((&guarded["live_sessions_ended"], &guarded["own_logins_per_ilo"]), (&0.into(), &1.into()));
    assert_eq!((&guarded["lock_outs"], &guarded["refused_logins"]), (&0.into(), &0.into()));
}
