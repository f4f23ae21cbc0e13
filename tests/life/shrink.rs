//! From a life that broke a rule to the shortest one that still does.

use crate::life::{Ended, live};
use crate::script::{Script, What};

/// How many lives are lived to shrink one.
const TRIES: usize = 600;

/// Leaves out whatever is not needed to break the same rule.
pub(crate) fn shrink(script: &Script, broken: &Ended) -> (Script, Ended) {
    let rule = broken.broken.as_ref().map(|broken| broken.rule);
    let mut best = script.clone();
    let mut ended = live(&best);
    let mut tries = TRIES;
    let mut size = (best.acts.len() / 2).max(1);
    while size >= 1 && tries > 0 {
        let mut at = 0;
        let mut got_shorter = false;
        while at < best.acts.len() && tries > 0 {
            tries -= 1;
            let mut shorter = best.clone();
            shorter.acts.drain(at..(at + size).min(shorter.acts.len()));
            let again = live(&shorter);
            if again.broken.as_ref().map(|broken| broken.rule) == rule {
                (best, ended, got_shorter) = (shorter, again, true);
            } else {
                at += size;
            }
        }
        if !got_shorter || size > 1 {
            if size == 1 {
                break;
            }
            size /= 2;
        }
    }
    leave_out_ilos(&mut best, &mut ended, rule);
    (best, ended)
}

/// iLOs to which nothing happens need not be in the configuration.
fn leave_out_ilos(best: &mut Script, ended: &mut Ended, rule: Option<&'static str>) {
    for number in 0..best.ilos.len() {
        let mut fewer = best.clone();
        fewer.config.members[number] = None;
        for act in &mut fewer.acts {
            if let What::Reload { config } = &mut act.what {
                config.members[number] = None;
            }
        }
        let tried = live(&fewer);
        if tried.broken.as_ref().map(|broken| broken.rule) == rule {
            (*best, *ended) = (fewer, tried);
        }
    }
}
