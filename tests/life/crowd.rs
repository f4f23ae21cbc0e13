//! Those who use the iLOs: scripts that leak, people, exporters, and all who must not be harmed.

use std::time::Duration;

use ilo_sim::{Moment, SessionId, SessionSpec};
use serde::{Deserialize, Serialize};

use crate::chance::Chance;
use crate::world::Site;

/// Somebody who uses an iLO.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ClientScript {
    pub(crate) seed: u64,
    pub(crate) owner: String,
    pub(crate) origin: String,
    pub(crate) tag: String,
    pub(crate) user_type: String,
    pub(crate) habit: Habit,
}

/// How somebody works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Habit {
    /// Logs in every so often, asks so many times, and never logs out.
    Leaks { every_s: u64, times: u32, uses: u32 },
    /// The same, many at once and then nothing for long.
    Bursts { every_s: u64, times: u32, burst: u32 },
    /// One session, used every so often, to the end.
    Steady { every_s: u64 },
    /// Logs in, works, logs out, again and again.
    Tidy { every_s: u64, work_s: u64 },
    /// One session that is used now and then with growing pauses, and then forgotten.
    Fades { first_s: u64, times: u32 },
    /// One session with one request that lasts long: its access time stands still.
    Streams { for_s: u64 },
}

/// One of them, as it lives.
pub(crate) struct Client {
    pub(crate) ilo: usize,
    script: ClientScript,
    chance: Chance,
    /// Sessions that it will use again, and how often.
    using: Vec<(SessionId, u32)>,
    steps: u32,
}

impl Client {
    pub(crate) fn new(ilo: usize, script: &ClientScript) -> Self {
        let chance = Chance::new(script.seed);
        Self { ilo, script: script.clone(), chance, using: Vec::new(), steps: 0 }
    }

    /// Whether it goes on when nothing goes wrong any more.
    pub(crate) fn is_well_behaved(&self) -> bool {
        matches!(self.script.habit, Habit::Steady { .. } | Habit::Tidy { .. } | Habit::Streams { .. })
    }

    /// Does what is next, and says when to come again.
    pub(crate) fn step(&mut self, site: &mut Site, now: Moment) -> Option<Duration> {
        self.steps += 1;
        let wait_s = match self.script.habit {
            Habit::Leaks { every_s, times, uses } => self.leak(site, now, (every_s, times, uses, 1))?,
            Habit::Bursts { every_s, times, burst } => self.leak(site, now, (every_s, times, 0, burst))?,
            Habit::Steady { every_s } => {
                if !self.touch(site, now) {
                    self.log_in(site, now, 0);
                }
                every_s
            }
            Habit::Tidy { every_s, work_s } => {
                if let Some((id, _)) = self.using.pop() {
                    site.ilo.end(&id);
                    every_s
                } else {
                    self.log_in(site, now, 0);
                    work_s
                }
            }
            Habit::Fades { first_s, times } => {
                if self.steps == 1 {
                    self.log_in(site, now, 0);
                } else {
                    self.touch(site, now);
                }
                (self.steps <= times).then(|| first_s + first_s * u64::from(self.steps) / 2)?
            }
            Habit::Streams { for_s } => {
                if let Some((id, _)) = self.using.pop() {
                    site.ilo.end(&id);
                }
                self.log_in(site, now, 0);
                for_s
            }
        };
        let jitter_ms = self.chance.below(wait_s * 100 + 1000);
        Some(Duration::from_secs(wait_s) + Duration::from_millis(jitter_ms))
    }

    /// Uses what it has, or logs in as many times as it does, and forgets it.
    fn leak(
        &mut self,
        site: &mut Site,
        now: Moment,
        (every_s, times, uses, burst): (u64, u32, u32, u32),
    ) -> Option<u64> {
        if self.touch(site, now) {
            return Some(1 + self.chance.below(20));
        }
        if self.steps > times {
            return None;
        }
        for _ in 0..burst {
            self.log_in(site, now, uses);
        }
        self.using.retain(|(_, left)| *left > 0);
        Some(if self.using.is_empty() { every_s } else { 1 + self.chance.below(20) })
    }

    fn log_in(&mut self, site: &mut Site, now: Moment, uses: u32) {
        if site.ilo.sessions(now).count() >= site.script.limit {
            return;
        }
        let script = &self.script;
        let origin = script.origin.parse().expect("an address");
        let mut spec = SessionSpec::tagged(script.owner.as_str(), origin, script.tag.as_str());
        spec.user_type.clone_from(&script.user_type);
        self.using.push((site.ilo.admit(now, spec), uses));
    }

    /// Uses the session that it has; whether there is one.
    fn touch(&mut self, site: &mut Site, now: Moment) -> bool {
        let Some((id, left)) = self.using.last_mut() else { return false };
        let lives = site.ilo.touch(id, now);
        let is_steady = matches!(self.script.habit, Habit::Steady { .. } | Habit::Fades { .. });
        *left = left.saturating_sub(1);
        if !lives || *left == 0 && !is_steady {
            self.using.pop();
        }
        lives
    }
}
