//! iLOs that do not expand a collection are asked member by member, to the same end.

use ilo_sim::SessionSpec;

use crate::harness::{Expand, SCRIPT, World, story};

const SESSIONS: &str = "/redfish/v1/SessionService/Sessions/";

#[test]
fn whoever_does_not_expand_is_asked_for_each_member() {
    for expand in [Expand::Ignores, Expand::Refuses] {
        story(|| async move {
            let world = World::of(&["r1"]);
            world.expand(expand);
            let leaked = world.leaked("r1", "svc-backup", 1200);
            let web = world.admit("r1", SessionSpec::web("alice", SCRIPT), 7200);
            let running = world.start();
            world.pass(300).await;
            assert!(!world.lives("r1", &leaked) && world.lives("r1", &web), "{}", world.story());
            let polls =
                world.log("r1").iter().filter(|logged| logged.path == SESSIONS && logged.method == "GET").count();
            assert_eq!(polls, 5, "once a poll: what it can't do is remembered");
            world.stop(running).await;
            assert_eq!(world.ours("r1"), 0);
        });
    }
}

#[test]
fn a_member_that_ends_while_the_others_are_read_is_nobodys_loss() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.expand(Expand::Ignores);
        let leaked = world.leaked("r1", "svc-backup", 1200);
        let leaving = world.leaked("r1", "alice", 10);
        let id = leaving.clone();
        world.before(move |request, ilo, _| {
            if request.uri().path().contains(id.as_str()) {
                ilo.end(&id);
            }
        });
        world.run(120).await;
        assert!(!world.lives("r1", &leaked), "{}", world.story());
        assert!(world.heard("ilo.unreachable").is_empty());
    });
}

#[test]
fn after_a_new_login_an_ilo_is_asked_again_whether_it_expands() {
    story(|| async {
        let world = World::of(&["r1"]);
        world.expand(Expand::Refuses);
        let running = world.start();
        world.pass(200).await;
        world.expand(Expand::Does);
        world.sky.ilo("r1").reboot(world.sky.now());
        world.pass(900).await;
        let before = world.log("r1").len();
        world.pass(600).await;
        assert_eq!(world.log("r1").len() - before, 10, "one request a poll: {}", world.story());
        world.stop(running).await;
    });
}
