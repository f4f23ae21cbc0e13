//! SIGHUP takes a good configuration and leaves a bad one.

use super::site::Site;

#[test]
fn a_good_configuration_is_in_force_at_once() {
    let site = Site::of(&["r1", "r2"]);
    let mut config = site.config();
    config.mode = "observe";
    site.write(&config);
    let leaked = site.leaked("r1", 1200);
    let daemon = site.daemon();
    assert_eq!(daemon.hears("session.would_reap")["session"], leaked.as_str());
    config.mode = "enforce";
    site.write(&config);
    daemon.signal("HUP", 1);
    let told = daemon.hears("config.reloaded");
    assert_eq!((&told["added"], &told["removed"], &told["changed"]), (&0.into(), &0.into(), &2.into()), "{told}");
    assert!(told["bolder"].as_array().is_some_and(|bolder| !bolder.is_empty()), "{told}");
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));

    config.policies = String::from("policies: { default: { protect: [{ id: keep, owner: svc-backup }], reap: [] } }\n");
    site.write(&config);
    daemon.signal("HUP", 1);
    daemon.hears_more("config.reloaded", 1);
    let kept = site.leaked("r1", 1200);
    daemon.visits("r1", 2);
    assert!(site.lives("r1", &kept));
    daemon.stop();
    assert_eq!((site.logins("r1"), site.logins("r2")), (1, 1));
}

#[test]
fn an_ilo_that_is_taken_out_loses_our_session_and_one_that_comes_back_gets_one() {
    let site = Site::of(&["r1", "r2"]);
    let daemon = site.daemon();
    daemon.until_true("a session on both", || site.our_tokens("r1").len() + site.our_tokens("r2").len() == 2);
    let mut without = site.config();
    without.pins.remove("r2");
    site.write(&without);
    daemon.signal("HUP", 1);
    assert_eq!(daemon.hears("config.reloaded")["removed"], 1);
    daemon.until_true("the log-out", || site.our_tokens("r2").is_empty());
    let asked = site.requests_to("r2").len();
    daemon.visits("r1", 2);
    assert_eq!(site.requests_to("r2").len(), asked);
    site.write(&site.config());
    daemon.signal("HUP", 1);
    daemon.until_true("a session on both", || site.our_tokens("r1").len() + site.our_tokens("r2").len() == 2);
    daemon.stop();
    assert_eq!((site.logins("r1"), site.logins("r2")), (1, 2));
}

/// Rule 6 of the design.
#[test]
fn a_bad_configuration_changes_nothing() {
    let site = Site::of(&["r1"]);
    let daemon = site.daemon();
    daemon.visits("r1", 1);
    let good = std::fs::read_to_string(site.config_path()).unwrap();
    site.write_config(&good.replace("mode: enforce", "mode: enforced"));
    daemon.signal("HUP", 1);
    let told = daemon.hears("config.rejected");
    let place = (&told["file"], &told["line"], &told["column"], &told["level"]);
    let path = site.config_path().display().to_string();
    assert_eq!(place, (&path.into(), &1.into(), &7.into(), &"err".into()), "{told}");
    assert!(told["mistake"].as_str().is_some_and(|text| text.contains("enforced")), "{told}");
    let leaked = site.leaked("r1", 1200);
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));

    for bad in ["", "mode: [\n", "\u{7}\0"] {
        let before = daemon.heard("config.rejected").len();
        site.write_config(bad);
        daemon.signal("HUP", 1);
        daemon.hears_more("config.rejected", before);
    }
    std::fs::remove_file(site.path("password")).unwrap();
    site.write_config(&good);
    let before = daemon.heard("config.rejected").len();
    daemon.signal("HUP", 1);
    daemon.hears_more("config.rejected", before);
    let leaked = site.leaked("r1", 1200);
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    daemon.stop();
    assert_eq!(site.logins("r1"), 1);
}

#[test]
fn a_storm_of_reloads_does_no_harm() {
    let site = Site::of(&["r1", "r2"]);
    let daemon = site.daemon();
    daemon.visits("r1", 1);
    daemon.signal("HUP", 200);
    daemon.hears("config.reloaded");
    let leaked = [site.leaked("r1", 1200), site.leaked("r2", 1200)];
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked[0]) && !site.lives("r2", &leaked[1]));
    daemon.signal("HUP", 200);
    let ended = daemon.stop();
    assert_eq!(ended.err, "");
    assert_eq!((site.logins("r1"), site.logins("r2")), (1, 1));
    assert_eq!(site.our_tokens("r1").len() + site.our_tokens("r2").len(), 0);
}
