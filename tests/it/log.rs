//! How much is told: a line every five minutes when all is calm, a line a minute when all goes wrong at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ilo_reaper::event::Event;
use ilo_sim::SessionSpec;

use crate::harness::{World, story};

/// A data centre.
const MANY: usize = 10_000;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("r{number:05}")).collect()
}

/// What was told of a kind: one by one, in bundles, and how many iLOs those bundles stood for.
fn told(events: &[(Duration, Event)], name: &str) -> (usize, usize, usize) {
    let (mut singly, mut bundles, mut ilos_of_bundles) = (0, 0, 0);
    for (_, event) in events.iter().filter(|(_, event)| event.name() == name) {
        match event {
            Event::Many { ilos, .. } => {
                bundles += 1;
                ilos_of_bundles += ilos;
            }
            _ => singly += 1,
        }
    }
    (singly, bundles, ilos_of_bundles)
}

/// The most events in any minute, of each name.
fn busiest_minutes(events: &[(Duration, Event)]) -> BTreeMap<&'static str, usize> {
    let mut minutes: BTreeMap<(&'static str, u64), usize> = BTreeMap::new();
    for (at, event) in events {
        *minutes.entry((event.name(), at.as_secs() / 60)).or_default() += 1;
    }
    let mut busiest = BTreeMap::new();
    for ((name, _), count) in minutes {
        let most: &mut usize = busiest.entry(name).or_default();
        *most = (*most).max(count);
    }
    busiest
}

#[test]
fn a_calm_day_is_the_heartbeat_alone() {
    story(|| async {
        let names = names(8);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let world = World::of(&names);
        let mut live = Vec::new();
        for name in &names {
            live.push((*name, world.admit(name, SessionSpec::rest("alice", IpAddr::from([192, 0, 2, 7])), 0)));
            live.push((*name, world.admit(name, SessionSpec::web("alice", IpAddr::from([192, 0, 2, 8])), 0)));
        }
        let running = world.start();
        for _ in 0..24 * 60 {
            for (name, id) in &live {
                world.sky.ilo(name).touch(id, world.sky.now());
            }
            world.pass(60).await;
        }
        world.pass(1).await;
        world.kill_only(running).await;
        let told = world.take_heard();
        assert_eq!(told.len(), 288, "{}", world.story());
        assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(["fleet.summary"]));
    });
}

#[test]
fn an_outage_of_a_whole_data_centre_is_a_line_a_minute() {
    story(|| async {
        let names = names(MANY);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut world = World::of(&names);
        // Few polls, so that the story is short; all else as it ships.
        world.settings.poll.every = Duration::from_secs(600);
        let running = world.start();
        world.pass(660).await;
        world.take_heard();

        world.network_is_down(true);
        let outage = until_unreachable(&world, MANY).await;
        let (singly, bundles, together) = told(&outage, "ilo.unreachable");
        assert_eq!((singly, singly + together), (5, MANY), "{}", story_of(&outage));
        assert!(bundles > 1, "{bundles}");
        let busiest = busiest_minutes(&outage);
        assert!(busiest["ilo.unreachable"] <= 6, "{busiest:?}");
        assert_eq!(busiest.keys().copied().collect::<Vec<_>>(), ["fleet.summary", "ilo.unreachable"], "{busiest:?}");

        world.network_is_down(false);
        let back = until_unreachable(&world, 0).await;
        let (singly, _, together) = told(&back, "ilo.reachable");
        // Five, and the five whose trouble was told by itself.
        assert_eq!((singly, singly + together), (10, MANY), "{}", story_of(&back));
        let busiest = busiest_minutes(&back);
        assert!(busiest["ilo.reachable"] <= 11, "{busiest:?}");
        assert_eq!(busiest.keys().copied().collect::<Vec<_>>(), ["fleet.summary", "ilo.reachable"], "{busiest:?}");
        world.kill_only(running).await;
    });
}

/// Lets time pass until the heartbeat counts so many iLOs that are unreachable, and all of that is told.
async fn until_unreachable(world: &World, ilos: usize) -> Vec<(Duration, Event)> {
    let counts =
        |(_, event): &(Duration, Event)| matches!(event, Event::FleetSummary(summary) if summary.unreachable == ilos);
    while !world.heard_all().iter().any(counts) {
        world.pass(60).await;
    }
    world.pass(60).await;
    let heard = world.heard_all();
    world.take_heard();
    heard
}

fn story_of(events: &[(Duration, Event)]) -> String {
    let lines = events.iter().map(|(at, event)| format!("{:>6} s {} {:?}", at.as_secs(), event.name(), event.place()));
    lines.take(100).collect::<Vec<_>>().join("\n")
}
