//! What happens at one iLO.

use std::time::Duration;

use super::{Driver, Task};
use crate::config;
use crate::script::What;

impl Driver<'_> {
    pub(super) fn act_at_ilo(&mut self, what: &What) {
        match *what {
            What::Clock { ilo, offset_s } => self.set_clock(ilo, offset_s),
            What::Reboot { ilo, boot_offset_s, set_after_s } => {
                let right_s = {
                    let mut inner = self.world.lock();
                    let now = self.world.now(&inner);
                    inner.sites[ilo].ilo.reboot(now);
                    inner.sites[ilo].is_flashing = false;
                    inner.sites[ilo].ilo.spec().clock_offset_s
                };
                self.set_clock(ilo, right_s + boot_offset_s);
                self.plan_in(Duration::from_secs(set_after_s), Task::ClockSet(ilo, right_s));
            }
            What::Swapped { ilo, seed } => {
                let mut inner = self.world.lock();
                let now = self.world.now(&inner);
                inner.sites[ilo].swap(ilo, seed);
                inner.oracle.clock_set(now, ilo, i64::MAX);
            }
            What::Flash { ilo, for_s } => {
                self.world.lock().sites[ilo].flash(true);
                self.plan_in(Duration::from_secs(for_s), Task::FlashEnds(ilo));
            }
            What::Certificate { ilo, for_s } => {
                self.world.lock().sites[ilo].is_recertified = true;
                self.plan_in(Duration::from_secs(for_s), Task::Recertified(ilo));
            }
            What::Password { ilo, number } => {
                self.world.lock().sites[ilo].set_password(&config::password(number));
            }
            What::Guess { ilo, times } => {
                let mut inner = self.world.lock();
                let now = self.world.now(&inner);
                (0..times).for_each(|_| inner.sites[ilo].guess(now));
                inner.oracle.guessed(now, ilo);
            }
            What::Timeout { ilo, minutes } => self.world.lock().sites[ilo].ilo.set_session_timeout(minutes),
            _ => {}
        }
    }

    pub(super) fn set_clock(&mut self, site: usize, offset_s: i64) {
        let mut inner = self.world.lock();
        let now = self.world.now(&inner);
        let step_s = offset_s - inner.sites[site].ilo.spec().clock_offset_s;
        if step_s != 0 {
            inner.sites[site].ilo.set_clock_offset(offset_s);
            inner.oracle.clock_set(now, site, step_s);
        }
    }
}
