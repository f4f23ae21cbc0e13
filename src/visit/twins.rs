//! Two names for one iLO: whoever had it first keeps it. PURE.

use std::collections::BTreeMap;

use crate::session::Uuid;
use crate::settings::IloName;

/// Which name has which iLO.
#[derive(Clone, Debug, Default)]
pub struct Claims(BTreeMap<Uuid, IloName>);

impl Claims {
    /// Takes an iLO for `name`, which has no other one from now on; or tells whose it is.
    pub fn claim(&mut self, uuid: &Uuid, name: &IloName) -> Result<(), IloName> {
        match self.0.get(uuid) {
            Some(other) if other != name => return Err(other.clone()),
            Some(_) => return Ok(()),
            None => self.release(name),
        }
        self.0.insert(uuid.clone(), name.clone());
        Ok(())
    }

    /// `name` has no iLO any more.
    pub fn release(&mut self, name: &IloName) {
        self.0.retain(|_, owner| owner != name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_keeps_it_until_it_has_another_or_none() {
        let uuid = |digit: char| Uuid::read(&format!("{digit}8cba6a8-5d4f-4a58-9d0b-7b0d1c2e3f4a")).expect("a UUID");
        let (a, b) = (IloName::new("a"), IloName::new("b"));
        let mut claims = Claims::default();
        assert_eq!(claims.claim(&uuid('1'), &a), Ok(()));
        assert_eq!(claims.claim(&uuid('1'), &a), Ok(()));
        assert_eq!(claims.claim(&uuid('1'), &b), Err(a.clone()));
        assert_eq!(claims.claim(&uuid('2'), &a), Ok(()), "the iLO was replaced");
        assert_eq!(claims.claim(&uuid('1'), &b), Ok(()));
        claims.release(&b);
        assert_eq!(claims.claim(&uuid('1'), &a), Ok(()));
        assert_eq!(claims.claim(&uuid('2'), &b), Ok(()));
    }
}
