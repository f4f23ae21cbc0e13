//! The iLOs of one group, as its entries and its file list them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::at::{At, Fields};
use super::guarded::Surroundings;
use super::hosts::{expand, host};
use super::hosts_file::{HTTPS, Host, Listing, hosts_file};
use super::known_ilos::KnownIlos;
use super::tree::Node;
use super::words::choice;
use crate::settings::{Authority, Policy};

/// The keys of one iLO.
pub(super) const ILO: [&str; 4] = ["name", "address", "port", "policy"];

/// What groups and iLOs may refer to.
pub(super) struct Known<'a> {
    pub(super) policies: BTreeMap<String, Arc<Policy>>,
    pub(super) certificates: KnownIlos,
    pub(super) surroundings: &'a Surroundings,
}

/// One entry of a group, and the policy that it has for itself.
pub(super) struct Entry {
    pub(super) listing: Listing,
    pub(super) policy: Option<Arc<Policy>>,
}

impl Known<'_> {
    /// All entries of a group, from the configuration and from its file.
    pub(super) fn entries(&self, group: &At<'_>, fields: &Fields<'_>) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut sound = true;
        for item in fields.get("ilos").iter().flat_map(At::items) {
            let entry = self.entry(&item);
            sound &= entry.is_some();
            entries.extend(entry);
        }
        if let Some(at) = fields.get("ilos_file") {
            let (listings, all_read) = self.listings(&at);
            sound &= all_read;
            entries.extend(listings.into_iter().map(|listing| Entry { listing, policy: None }));
        }
        if sound && entries.iter().all(|entry| entry.listing.hosts.is_empty()) {
            group.wrong_key("this group has no iLOs; expected some in `ilos` or `ilos_file`");
        }
        entries
    }

    /// The policy of a name.
    pub(super) fn policy(&self, at: &At<'_>) -> Option<Arc<Policy>> {
        let name = at.text("the name of a policy")?;
        if let Some(policy) = self.policies.get(name) {
            return Some(Arc::clone(policy));
        }
        let names: Vec<&str> = self.policies.keys().map(String::as_str).collect();
        at.none(format!("there is no policy {}; expected {}", at.shown(), choice(name, &names)))
    }

    fn entry(&self, at: &At<'_>) -> Option<Entry> {
        let text = match at.node {
            Node::Map(_) => return self.one_ilo(at),
            Node::Text(text) => text,
            _ => {
                return at.unexpected(
                    "an iLO (a name, `name-[01-42]`, an address, a network, or `{ name: …, address: … }`)",
                );
            }
        };
        match expand(text) {
            Ok(names) => {
                let hosts = names.into_iter().map(Host::plain).collect();
                Some(Entry { listing: Listing { spot: at.spot(), hosts }, policy: None })
            }
            Err(why) => at.none(format!("{} is not an iLO: {why}", at.shown())),
        }
    }

    /// `{ name, address, port, policy }`. Every key is read before any may fail, so that all mistakes are told.
    fn one_ilo(&self, at: &At<'_>) -> Option<Entry> {
        let fields = at.fields(&ILO)?;
        let name = fields.get("name").map(|at| one_host(&at));
        let address = fields.get("address").map(|at| one_host(&at));
        let port = fields.get("port").map(|at| at.count(1, 65_535));
        let policy = fields.get("policy").map(|at| self.policy(&at));
        let Some(name) = name.clone().or_else(|| address.clone()) else {
            return at.none("this iLO has no `name` and no `address`");
        };
        let host = address.unwrap_or_else(|| name.clone())?;
        let port = match port {
            Some(port) => u16::try_from(port?).ok()?,
            None => HTTPS,
        };
        let policy = match policy {
            Some(policy) => Some(policy?),
            None => None,
        };
        let hosts = vec![Host { name: name?, authority: Authority { host, port } }];
        Some(Entry { listing: Listing { spot: at.spot(), hosts }, policy })
    }

    /// The entries of `ilos_file`, and whether all were right.
    fn listings(&self, at: &At<'_>) -> (Vec<Listing>, bool) {
        let Some(path) = at.text("the path of a file") else { return (Vec::new(), false) };
        if !path.starts_with('/') {
            at.wrong(format!("{} is not the absolute path of a file", at.shown()));
            return (Vec::new(), false);
        }
        let found = match hosts_file(Path::new(path), self.surroundings) {
            Ok(found) => found,
            Err(why) => {
                at.wrong(format!("{path} {why}"));
                return (Vec::new(), false);
            }
        };
        let mut listings = Vec::new();
        let mut all_right = true;
        for entry in found {
            match entry {
                Ok(listing) => listings.push(listing),
                Err((spot, why)) => {
                    at.notes().add(spot, why);
                    all_right = false;
                }
            }
        }
        (listings, all_right)
    }
}

fn one_host(at: &At<'_>) -> Option<String> {
    let text = at.text("a host name or an address")?;
    host(text).map_or_else(|why| at.none(format!("{} is not a host: {why}", at.shown())), Some)
}
