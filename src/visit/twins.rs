//! Two names for one iLO: whoever had it first keeps it. PURE.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::session::Uuid;
use crate::settings::{Fingerprint, IloName};

/// A name keeps an iLO for so long without seeing it, and for no less than a few polls. Then its board may stand
/// elsewhere, and who finds it there has it.
const LASTS: Duration = Duration::from_secs(900);

/// Which name has which iLO. Times are monotonic.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    claims: BTreeMap<IloName, Claim>,
    /// The same by what they claim: a large fleet comes all at once.
    names: BTreeMap<Uuid, BTreeSet<IloName>>,
}

#[derive(Clone, Debug)]
struct Claim {
    uuid: Uuid,
    /// What its certificate is compared with.
    pin: Option<Fingerprint>,
    seen: Duration,
}

impl Claim {
    /// Whether an iLO of the same UUID may be that one. Two that prove the keys of different certificates are two,
    /// whatever they say: an iLO that repeats the UUID of another must not keep us from that one.
    fn may_be(&self, pin: Option<Fingerprint>) -> bool {
        self.pin.is_none() || pin.is_none() || self.pin == pin
    }
}

impl Claims {
    /// Takes an iLO for `name`, which has no other one from now on; or tells whose it is, and then `name` has none.
    pub fn claim(
        &mut self,
        name: &IloName,
        (uuid, pin): (&Uuid, Option<Fingerprint>),
        now: Duration,
        poll_every: Duration,
    ) -> Result<(), IloName> {
        self.release(name);
        let lasts = LASTS.max(poll_every * 3);
        let others: Vec<(IloName, Duration)> = (self.names.get(uuid).into_iter().flatten())
            .filter_map(|other| Some((other, self.claims.get(other)?)))
            .filter(|(_, claim)| claim.may_be(pin))
            .map(|(other, claim)| (other.clone(), claim.seen))
            .collect();
        if let Some((other, _)) = others.iter().find(|(_, seen)| now.saturating_sub(*seen) < lasts) {
            return Err(other.clone());
        }
        for (other, _) in &others {
            self.release(other);
        }
        self.claims.insert(name.clone(), Claim { uuid: uuid.clone(), pin, seen: now });
        self.names.entry(uuid.clone()).or_default().insert(name.clone());
        Ok(())
    }

    /// `name` saw its iLO.
    pub fn sees(&mut self, name: &IloName, now: Duration) {
        if let Some(claim) = self.claims.get_mut(name) {
            claim.seen = now;
        }
    }

    /// Whether `name` has its iLO still.
    pub fn has(&self, name: &IloName) -> bool {
        self.claims.contains_key(name)
    }

    /// `name` has no iLO any more.
    pub fn release(&mut self, name: &IloName) {
        let Some(Claim { uuid, .. }) = self.claims.remove(name) else { return };
        if let Some(names) = self.names.get_mut(&uuid) {
            names.remove(name);
            if names.is_empty() {
                self.names.remove(&uuid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(60);

    fn uuid(digit: char) -> Uuid {
        Uuid::read(&format!("{digit}8cba6a8-5d4f-4a58-9d0b-7b0d1c2e3f4a")).expect("a UUID")
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_keeps_it_until_it_has_another_or_none() {
        let (a, b) = (IloName::new("a"), IloName::new("b"));
        let mut claims = Claims::default();
        let claim =
            |claims: &mut Claims, name: &IloName, digit| claims.claim(name, (&uuid(digit), None), seconds(0), EVERY);
        assert_eq!(claim(&mut claims, &a, '1'), Ok(()));
        assert_eq!(claim(&mut claims, &a, '1'), Ok(()));
        assert_eq!(claim(&mut claims, &b, '1'), Err(a.clone()));
        assert_eq!(claim(&mut claims, &a, '2'), Ok(()), "the iLO was replaced");
        assert_eq!(claim(&mut claims, &b, '1'), Ok(()));
        // Two boards change places: whoever finds another's iLO has none, so that the other finds its own.
        assert_eq!(claim(&mut claims, &a, '1'), Err(b.clone()));
        assert_eq!(claim(&mut claims, &b, '2'), Ok(()));
        assert_eq!(claim(&mut claims, &a, '1'), Ok(()));
        claims.release(&b);
        assert_eq!(claim(&mut claims, &a, '2'), Ok(()));
    }

    #[test]
    fn whoever_does_not_see_its_ilo_for_long_loses_it() {
        let (a, b) = (IloName::new("a"), IloName::new("b"));
        for (every_s, lasts_s) in [(60, 900), (600, 1800)] {
            let mut claims = Claims::default();
            let claim = |claims: &mut Claims, name: &IloName, at_s| {
                claims.claim(name, (&uuid('1'), None), seconds(at_s), seconds(every_s))
            };
            assert_eq!(claim(&mut claims, &a, 0), Ok(()));
            claims.sees(&a, seconds(100));
            assert_eq!(claim(&mut claims, &b, 100 + lasts_s - 1), Err(a.clone()));
            assert_eq!(claim(&mut claims, &b, 100 + lasts_s), Ok(()));
            assert!(!claims.has(&a) && claims.has(&b));
        }
    }

    #[test]
    fn two_that_prove_two_keys_are_two_whatever_they_say() {
        let (a, b, c) = (IloName::new("a"), IloName::new("b"), IloName::new("c"));
        let pin = |byte| Some(Fingerprint([byte; 32]));
        let mut claims = Claims::default();
        assert_eq!(claims.claim(&a, (&uuid('1'), pin(1)), seconds(0), EVERY), Ok(()));
        assert_eq!(claims.claim(&b, (&uuid('1'), pin(2)), seconds(0), EVERY), Ok(()));
        assert!(claims.has(&a) && claims.has(&b));
        assert_eq!(claims.claim(&c, (&uuid('1'), pin(2)), seconds(0), EVERY), Err(b));
        assert_eq!(claims.claim(&c, (&uuid('1'), None), seconds(0), EVERY), Err(a));
    }
}
