//! What the service manager is told, over a `NOTIFY_SOCKET` of the story's own.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use ilo_sim::FaultKind;

use super::program::Program;
use super::site::Site;

/// A service manager, which takes everything in.
struct Manager {
    socket: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    fn of(site: &Site) -> Self {
        let path = site.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let (taken, bell) = (Arc::clone(&heard), site.bell.clone());
        std::thread::spawn(move || {
            let mut datagram = [0; 4096];
            while let Ok(length) = socket.recv(&mut datagram) {
                let text = String::from_utf8(datagram[..length].to_vec()).unwrap();
                taken.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                bell.ring();
            }
        });
        Self { socket: path.display().to_string(), heard }
    }

    /// Starts the daemon under it.
    fn starts(&self, site: &Site, environment: &[(&str, &str)]) -> Program {
        let environment: Vec<_> =
            [("NOTIFY_SOCKET", self.socket.as_str())].into_iter().chain(environment.iter().copied()).collect();
        site.start(&["run"], &environment)
    }

    /// All datagrams so far.
    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until there are more than `than` datagrams with this in them; the last of them.
    fn hears(&self, daemon: &Program, what: &str, than: usize) -> String {
        daemon.until(what, || {
            let mut fitting: Vec<String> = self.heard().into_iter().filter(|text| text.contains(what)).collect();
            if fitting.len() > than { fitting.pop() } else { None }
        })
    }

    fn count(&self, what: &str) -> usize {
        self.heard().iter().filter(|text| text.contains(what)).count()
    }
}

#[test]
fn it_is_told_what_the_daemon_does_from_ready_to_stopping() {
    let site = Site::of(&["r1"]);
    let manager = Manager::of(&site);
    let daemon = manager.starts(&site, &[]);
    assert_eq!(manager.hears(&daemon, "READY", 0), "READY=1\n");
    // All is there by then.
    assert_eq!(site.ask(&["protect", "list"]).code, Some(0));
    let status = manager.hears(&daemon, "STATUS=", 1);
    assert!(status.contains("1 iLO") && status.lines().count() == 1, "{status}");

    let good = std::fs::read_to_string(site.config_path()).unwrap();
    let config = site.config_path().display().to_string();
    for (text, is_good) in [(good.replace("mode: enforce", "mode: enforced"), false), (good.clone(), true)] {
        site.write_config(&text);
        let (reloads, readies) = (manager.count("RELOADING"), manager.count("READY"));
        daemon.signal("HUP", 1);
        manager.hears(&daemon, "READY", readies);
        let told: Vec<String> = manager.heard().into_iter().filter(|text| text.contains("RELOADING")).collect();
        assert_eq!(told.len(), reloads + 1);
        let told = told.last().unwrap();
        let monotonic = told.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
        assert!(monotonic.parse::<u64>().unwrap() > 0 && told.starts_with("RELOADING=1\n"), "in one datagram: {told}");
        let before = manager.heard().len();
        if is_good {
            daemon.until_true("a summary", || manager.heard()[before..].iter().any(|text| text.contains("Visits")));
            assert!(!manager.heard().last().unwrap().contains("refused"), "{:?}", manager.heard());
        } else {
            let place = format!("{config}:1:7");
            assert!(
                manager.heard().iter().any(|text| text.contains(&place) && text.contains("old one stays in force"))
            );
            let told = daemon
                .until("a summary", || manager.heard()[before..].iter().find(|text| text.contains("Visits")).cloned());
            assert!(told.contains("an older configuration is in force"), "{told}");
        }
    }

    site.ask(&["pause", "--reason", "change 4711"]);
    manager.hears(&daemon, "The daemon is paused", 0);
    assert_eq!(manager.count("WATCHDOG"), 0, "nobody watches");
    daemon.stop();
    let heard = manager.heard();
    let stopping = heard.iter().find(|text| text.contains("STOPPING")).unwrap();
    assert_eq!(stopping, "STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000\n");
}

#[test]
fn nothing_is_ready_before_it_is() {
    let site = Site::of(&["r1"]);
    let manager = Manager::of(&site);
    std::fs::create_dir(site.path("run")).unwrap();
    std::fs::write(site.path("run").join("control.sock"), "in the way").unwrap();
    let ended = manager.starts(&site, &[]).ended();
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("control.sock: something that is no socket lies there"), "{}", ended.err);
    site.write_config("mode: nonsense\n");
    assert_eq!(manager.starts(&site, &[]).ended().code, Some(78));
    assert_eq!(manager.heard(), Vec::<String>::new());
}

/// A fleet that is dead is no reason to be started again.
#[test]
fn the_watchdog_is_fed_whatever_the_ilos_do_and_only_by_whom_it_is_meant_for() {
    let site = Site::of(&["r1"]);
    for _ in 0..50 {
        site.fault("r1", &Method::POST, FaultKind::Hang);
    }
    let manager = Manager::of(&site);
    let daemon = manager.starts(&site, &[("WATCHDOG_USEC", "300000")]);
    manager.hears(&daemon, "WATCHDOG=1", 9);
    daemon.kill();

    let before = manager.count("WATCHDOG");
    let daemon = manager.starts(&site, &[("WATCHDOG_USEC", "3000"), ("WATCHDOG_PID", "1")]);
    daemon.hears_more("fleet.summary", 1);
    assert_eq!(manager.count("WATCHDOG"), before, "it is another process's");
    daemon.kill();
}

/// The log takes nothing and the disk neither: the loop turns all the same.
#[test]
fn a_manager_that_does_not_listen_holds_nothing_up() {
    let site = Site::of(&["r1"]);
    let path = site.path("notify");
    // It is there, and nobody ever reads.
    let _socket = UnixDatagram::bind(&path).unwrap();
    let leaked = site.leaked("r1", 1200);
    let daemon = site.start(&["run"], &[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "1000")]);
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    daemon.hears_more("fleet.summary", 2);
    let leaked = site.leaked("r1", 1200);
    daemon.until_true("the end of the leaked", || !site.lives("r1", &leaked));
    daemon.stop();
}
