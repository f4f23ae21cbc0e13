//! The roll of the fleet: each name and each address once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::at::{Notes, Spot};
use super::hosts::ILOS_MAX;
use super::hosts_file::{Host, Listing};
use crate::settings::Authority;

/// Everybody who is called up so far, and where each is written.
#[derive(Default)]
pub(super) struct Roll {
    /// Names without case: nobody tells two iLOs apart by it.
    names: HashMap<String, Spot>,
    authorities: HashMap<Authority, (String, Spot)>,
    overfull: bool,
}

impl Roll {
    /// The iLOs of a listing that are new; the first of the others is noted, with their number.
    pub(super) fn claim(&mut self, listing: Listing, notes: &Notes) -> Vec<Host> {
        let Listing { spot, hosts } = listing;
        let mut first_known: Option<(String, Spot)> = None;
        let mut known = 0;
        let mut fresh = Vec::new();
        for host in hosts {
            match self.enter(&host, &spot) {
                Ok(()) => fresh.push(host),
                Err(clash) => {
                    known += 1;
                    first_known.get_or_insert(clash);
                }
            }
        }
        if let Some((text, first)) = first_known {
            let text = if known > 1 { format!("{text} (and {} more of this entry)", known - 1) } else { text };
            notes.again(spot.clone(), first, text);
        }
        if self.names.len() > ILOS_MAX && !self.overfull {
            self.overfull = true;
            notes.add(spot, format!("with these the fleet has more than {ILOS_MAX} iLOs"));
        }
        fresh
    }

    /// Whether an iLO has this name; it is to be given without case.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Whether no more need be read.
    pub(super) fn is_overfull(&self) -> bool {
        self.overfull
    }

    fn enter(&mut self, host: &Host, spot: &Spot) -> Result<(), (String, Spot)> {
        let Host { name, authority } = host;
        let folded = Authority { host: authority.host.to_lowercase(), port: authority.port };
        match self.names.entry(name.to_lowercase()) {
            Entry::Occupied(first) => return Err((format!("`{name}` is in the fleet twice"), first.get().clone())),
            Entry::Vacant(place) => place.insert(spot.clone()),
        };
        match self.authorities.entry(folded) {
            Entry::Occupied(first) => {
                let (other, first) = first.get();
                Err((format!("`{name}` has the address of `{other}`, {authority}"), first.clone()))
            }
            Entry::Vacant(place) => {
                place.insert((name.clone(), spot.clone()));
                Ok(())
            }
        }
    }
}
