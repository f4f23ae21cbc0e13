//! A survey: a table of visits gives these numbers, and the pages that are rendered from it hold what they should.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ilo_reaper::event::{Place, Standing, Survey};
use ilo_reaper::fleet::Command;
use ilo_reaper::report::{Exposition, metrics, status_json, status_page};
use ilo_reaper::settings::{IloName, Mode, Pressure};
use ilo_sim::SessionSpec;

use crate::harness::{BEGIN_S, OURS, Running, World, other_credential, story};

impl Running {
    /// What the loop says of itself now.
    async fn survey(&self) -> Survey {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.commands.send(Command::Survey(sender)).await.unwrap();
        receiver.await.unwrap()
    }
}

/// The samples of a page: name with labels, and value.
fn samples(page: &str) -> BTreeMap<&str, &str> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap()).collect()
}

fn standing<'a>(survey: &'a Survey, ilo: &str) -> &'a Standing {
    survey.ilos.iter().find(|standing| standing.at.ilo == IloName::new(ilo)).unwrap()
}

#[test]
fn what_visits_did_is_counted_by_group_rule_and_outcome() {
    story(|| async {
        let mut world = World::of(&["r1", "r2", "r3"]);
        world.settings.pressure.limit = Some(10);
        world.settings.caps.per_visit = 2;
        for (name, group) in [("r2", "watched"), ("r3", "broken")] {
            let target = world.settings.targets.get_mut(&IloName::new(name)).unwrap();
            let mut changed = ilo_reaper::settings::Target::clone(target);
            changed.group = group.to_owned();
            changed.mode = if name == "r2" { Mode::Observe } else { Mode::Enforce };
            if name == "r3" {
                changed.credential = other_credential("rack-3", OURS, "wrong");
            }
            *target = changed.into();
        }
        for ilo in ["r1", "r2"] {
            for _ in 0..3 {
                world.leaked(ilo, "svc-backup", 1200);
            }
        }
        world.admit("r1", SessionSpec::web("alice", "192.0.2.7".parse().unwrap()), 5);
        let running = world.start();
        let page = metrics(&running.survey().await, Exposition::Text);
        let before = samples(&page);
        assert_eq!(before[r#"ilo_reaper_sessions_reaped_total{group="rack-1",rule="never-used"}"#], "0", "{page}");
        assert!(!before.keys().any(|name| name.starts_with("ilo_reaper_ilo_up")), "nobody was visited yet: {page}");
        world.pass(290).await;
        let survey = running.survey().await;
        let page = metrics(&survey, Exposition::Text);
        let found = samples(&page);
        for (name, value) in [
            (r#"ilo_reaper_sessions_reaped_total{group="rack-1",rule="never-used"}"#, "3"),
            (r#"ilo_reaper_sessions_reaped_total{group="watched",rule="never-used"}"#, "0"),
            (r#"ilo_reaper_sessions_would_reap_total{group="watched",rule="never-used"}"#, "3"),
            (r#"ilo_reaper_reaps_capped_total{cap="per_visit"}"#, "1"),
            (r#"ilo_reaper_visits_total{group="rack-1",outcome="good"}"#, "5"),
            (r#"ilo_reaper_visits_total{group="broken",outcome="denied"}"#, "1"),
            (r#"ilo_reaper_logins_total{outcome="accepted"}"#, "2"),
            (r#"ilo_reaper_logins_total{outcome="rejected"}"#, "1"),
            (r#"ilo_reaper_exchanges_total{code="201"}"#, "2"),
            (r#"ilo_reaper_ilo_up{ilo="r1",group="rack-1"}"#, "1"),
            (r#"ilo_reaper_ilo_up{ilo="r3",group="broken"}"#, "0"),
            (r#"ilo_reaper_ilo_failing{ilo="r3",group="broken",outcome="denied"}"#, "1"),
            ("ilo_reaper_leakers_found_total", "0"),
            (r#"ilo_reaper_ilo_sessions{ilo="r1",group="rack-1",kind="rest"}"#, "1"),
            (r#"ilo_reaper_ilo_sessions{ilo="r1",group="rack-1",kind="web"}"#, "1"),
            (r#"ilo_reaper_ilo_sessions{ilo="r2",group="watched",kind="rest"}"#, "4"),
            (r#"ilo_reaper_ilo_session_limit{ilo="r1",group="rack-1"}"#, "10"),
            (r#"ilo_reaper_ilo_pressure{ilo="r1",group="rack-1"}"#, "0"),
            (r#"ilo_reaper_mode{group="watched"}"#, "0"),
            (r#"ilo_reaper_mode{group="rack-1"}"#, "1"),
            ("ilo_reaper_visit_duration_seconds_count", "10"),
            ("ilo_reaper_visit_lag_seconds_count", "10"),
            ("ilo_reaper_state_writable", "1"),
            ("ilo_reaper_paused", "0"),
        ] {
            assert_eq!(found.get(name), Some(&value), "{name}\n{page}\n{}", world.story());
        }
        let last_visit = found[r#"ilo_reaper_ilo_last_visit_timestamp_seconds{ilo="r1",group="rack-1"}"#];
        let last_visit_s = last_visit.parse::<u64>().unwrap() - BEGIN_S;
        assert!((230..=290).contains(&last_visit_s), "{last_visit}");
        let failing = standing(&survey, "r3").failing.clone().unwrap();
        assert_eq!(failing.outcome, "denied", "{failing:?}");
        world.stop(running).await;
    });
}

#[test]
fn a_table_that_fills_tells_when_it_is_full_and_one_that_refuses_us_is_full() {
    story(|| async {
        let mut world = World::with(&["r1", "r2"], |spec| spec.limit = 10);
        world.settings.pressure.limit = Some(10);
        world.targets(|target| target.mode = Mode::Observe);
        for _ in 0..10 {
            world.leaked("r2", "svc-backup", 5);
        }
        let running = world.start();
        for _ in 0..4 {
            world.pass(60).await;
            world.leaked("r1", "svc-backup", 5);
        }
        world.pass(30).await;
        let survey = running.survey().await;
        let filling = standing(&survey, "r1");
        let table = filling.table.as_ref().unwrap();
        let full_in_s = table.full_in.unwrap().as_secs();
        assert!((120..=600).contains(&full_in_s), "{table:?}");
        let full = standing(&survey, "r2");
        assert_eq!((full.pressure(), full.is_up()), (Some(Pressure::Full), Some(false)), "{full:?}");
        let page = metrics(&survey, Exposition::Text);
        assert_eq!(samples(&page)[r#"ilo_reaper_ilo_pressure{ilo="r2",group="rack-1"}"#], "3", "{page}");
        world.stop(running).await;
    });
}

#[test]
fn what_is_in_force_is_told_through_reloads_and_losses() {
    story(|| async {
        let mut world = World::of(&["r1", "r2"]);
        world.observing = Some(String::from("the state was lost"));
        let running = world.start();
        world.pass(100).await;
        running.commands.send(Command::Refused).await.unwrap();
        let survey = running.survey().await;
        assert_eq!((survey.reload.is_good, survey.paused.as_deref()), (false, Some("the state was lost")));
        assert_eq!(survey.reload.last_good, survey.started);
        let mut settings = world.settings.clone();
        settings.targets.remove(&IloName::new("r2"));
        running.commands.send(Command::Replace(settings.into())).await.unwrap();
        let survey = running.survey().await;
        assert!(survey.reload.is_good);
        assert_eq!(survey.reload.last_good.since(survey.started), Some(Duration::from_secs(100)));
        let names: Vec<&str> = survey.ilos.iter().map(|ilo| ilo.at.ilo.as_str()).collect();
        assert_eq!(names, ["r1"], "who leaves is shown no more");
        world.stop(running).await;
    });
}

#[test]
fn foreign_text_ends_no_label_no_line_and_no_element() {
    story(|| async {
        let mut world = World::of(&["r1"]);
        let group = "ra\"ck\\\n\u{1b}[31m\u{202e}<b>";
        world.targets(|target| {
            target.group = group.to_owned();
            target.credential = other_credential("rack-<i>", OURS, "wrong");
        });
        let running = world.start();
        world.pass(90).await;
        let mut survey = running.survey().await;
        world.stop(running).await;
        survey.paused = Some(String::from("<script>alert('1')</script>"));
        let page = metrics(&survey, Exposition::Text);
        let (start, end) = (r#"group="ra\"ck\\"#, r"[31m");
        let named = page.lines().find(|line| line.starts_with("ilo_reaper_ilo_up{")).unwrap();
        assert!(named.contains(start) && named.contains(end) && named.ends_with("} 0"), "{named}");
        assert!(!page.contains(['\u{1b}', '\u{202e}']), "{page}");
        assert!(page.lines().all(|line| line.starts_with('#') || line.starts_with("ilo_reaper_")), "{page}");
        let html = status_page(&survey);
        assert!(!html.contains("<script") && !html.contains("<b>") && !html.contains('\u{1b}'), "{html}");
        assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"), "{html}");
        let json = status_json(&survey).to_string();
        assert!(!json.contains(['\u{1b}', '\n']), "{json}");
    });
}

/// Ten thousand iLOs: how long the loop is held up, which copies them, and how large the page is.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long the processor takes shows on no virtual clock")]
fn ten_thousand_ilos_have_bounded_labels_and_hold_the_loop_up_for_a_moment() {
    const ILOS: usize = 10_000;
    story(|| async {
        let world = World::of(&["r1"]);
        for owner in ["svc-backup", "alice"] {
            world.leaked("r1", owner, 30);
        }
        let running = world.start();
        world.pass(90).await;
        let mut survey = running.survey().await;
        world.stop(running).await;
        let seen = survey.ilos.remove(0);
        survey.ilos = (0..ILOS)
            .map(|number| {
                let at = Place { ilo: IloName::new(&format!("ilo-{number:05}.oob.example.net")), ..seen.at.clone() };
                Standing { at, ..seen.clone() }
            })
            .collect();
        let began = Instant::now();
        let copy = survey.clone();
        let copied = began.elapsed();
        let began = Instant::now();
        let page = metrics(&copy, Exposition::OpenMetrics);
        let rendered = began.elapsed();
        println!("copy {copied:?}, page {rendered:?}, {} bytes", page.len());
        // In a debug build, on a busy machine: this finds what is quadratic, and not what is slow.
        assert!(copied < Duration::from_millis(500) && rendered < Duration::from_secs(5), "{copied:?} {rendered:?}");
        let series = page.lines().filter(|line| !line.starts_with('#')).count();
        assert!((ILOS * 6..ILOS * 10).contains(&series), "{series}");
        for foreign in ["svc-backup", "alice", "192.0.2."] {
            assert!(!page.contains(foreign), "{foreign} is no label");
        }
        assert_eq!(page.matches("ilo_reaper_ilo_up{").count(), ILOS);
        let status = status_page(&survey);
        assert!(status.len() < 1_000_000 && status.contains("And 9000 more"), "{}", status.len());
        assert_eq!(status_json(&survey)["ilos"].as_array().map(Vec::len), Some(ILOS));
    });
}
