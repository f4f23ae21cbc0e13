//! The fleet: groups of iLOs, each iLO once, with its credential, trust, policy and mode.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::at::{At, Fields};
use super::entries::{Entry, Known};
use super::hosts_file::Host;
use super::mistake::Warning;
use super::passwords::{Keyring, Whence, whence};
use super::roll::Roll;
use super::rules::{DEFAULT_POLICY, name_is_plain};
use super::trust::{Anchor, Authorities, Tls};
use super::words::some_names;
use crate::settings::{Credential, IloName, Mode, Policy, Target, Trust};

/// The keys of a group.
pub(super) const GROUP: [&str; 8] =
    ["username", "password_file", "password_credential", "policy", "mode", "tls", "ilos", "ilos_file"];
/// The words for a mode.
pub(super) const MODES: [(&str, Mode); 2] = [("observe", Mode::Observe), ("enforce", Mode::Enforce)];

const USERNAME_BYTES_MAX: usize = 256;

/// The fleet so far.
pub(super) struct Fleet<'a> {
    known: Known<'a>,
    mode: Mode,
    roll: Roll,
    keyring: Keyring,
    authorities: Authorities,
    pub(super) targets: BTreeMap<IloName, Arc<Target>>,
    pub(super) warnings: Vec<Warning>,
    /// Credentials of the service manager that it uses.
    pub(super) fixed: BTreeSet<String>,
}

/// An iLO that is new in the fleet, and the policy that it has for itself.
type Member = (Host, Option<Arc<Policy>>);

impl<'a> Fleet<'a> {
    /// An empty fleet, whose groups have this mode unless they name another.
    pub(super) fn new(known: Known<'a>, mode: Mode) -> Self {
        let (roll, keyring, authorities) = (Roll::default(), Keyring::default(), Authorities::default());
        Self {
            known,
            mode,
            roll,
            keyring,
            authorities,
            targets: BTreeMap::new(),
            warnings: Vec::new(),
            fixed: BTreeSet::new(),
        }
    }

    /// Reads one group and takes its iLOs in.
    pub(super) fn add_group(&mut self, at: &At<'_>) {
        name_is_plain(at);
        let Some(fields) = at.fields(&GROUP) else { return };
        let username = username(at, &fields);
        let whence = whence(at, &fields, self.known.surroundings);
        if let Some(Whence::Credential { name, path }) = &whence {
            self.fixed.insert(name.clone());
            if path.is_none() {
                let text = format!("group `{}`: only the service has the credential `{name}`; it was not read", at.key);
                self.warnings.push(Warning { text });
            }
        }
        let tls = self.tls(at, &fields, username);
        let mode = fields.read("mode", |at| at.word(&MODES)).unwrap_or(self.mode);
        let default = self.known.policies.get(DEFAULT_POLICY).cloned();
        let policy = fields.read("policy", |at| self.known.policy(at)).or(default);
        let members = self.members(at, &fields);
        let (Some(username), Some(whence)) = (username, whence) else { return };
        let credentials = self.credentials(&fields, username, &whence, &members);
        let (Some(credentials), Some(tls), Some(policy)) = (credentials, tls, policy) else { return };
        let mut unknown = Vec::new();
        for ((host, own_policy), credential) in members.into_iter().zip(credentials) {
            let name = IloName::new(&host.name);
            let trust = tls.anchor.of(&name, &self.known.certificates);
            if trust == Trust::Unknown {
                unknown.push(name.clone());
            }
            let target = Target {
                name: name.clone(),
                group: at.key.to_owned(),
                authority: host.authority,
                credential,
                trust,
                legacy: tls.legacy,
                policy: own_policy.unwrap_or_else(|| Arc::clone(&policy)),
                mode,
            };
            self.targets.insert(name, Arc::new(target));
        }
        self.warn_of_unknown(at.key, &unknown);
    }

    /// What must be said of the fleet as a whole, once all groups are read.
    pub(super) fn look_around(&mut self) {
        let strangers = self.known.certificates.strangers(|name| self.roll.has(name));
        self.warnings.extend(strangers);
    }

    /// An iLO that nobody knows is not visited, and is no mistake: one that is new in a list must not stop a reload.
    fn warn_of_unknown(&mut self, group: &str, unknown: &[IloName]) {
        if unknown.is_empty() {
            return;
        }
        let text = format!(
            "{} has no line for {} of group `{group}`, so nothing is sent there; `ilo-reaper trust --write` takes down \
             those that are new",
            self.known.certificates.path().display(),
            some_names(unknown)
        );
        self.warnings.push(Warning { text });
    }

    fn tls(&mut self, group: &At<'_>, fields: &Fields<'_>, username: Option<&str>) -> Option<Tls> {
        let tls = match fields.get("tls") {
            Some(at) => self.authorities.tls(&at, self.known.surroundings)?,
            None => Tls { anchor: Anchor::Known, legacy: false },
        };
        if let (Anchor::Same(Trust::Insecure), Some(username)) = (&tls.anchor, username) {
            let text = format!(
                "group `{}` has `tls: insecure`: whoever answers in place of its iLOs gets the password of `{username}`",
                group.key
            );
            self.warnings.push(Warning { text });
        }
        Some(tls)
    }

    fn members(&mut self, at: &At<'_>, fields: &Fields<'_>) -> Vec<Member> {
        let mut members = Vec::new();
        for Entry { listing, policy } in self.known.entries(at, fields) {
            if self.roll.is_overfull() {
                break;
            }
            let fresh = self.roll.claim(listing, at.notes());
            members.extend(fresh.into_iter().map(|host| (host, policy.clone())));
        }
        members
    }

    /// The credential of each member. Where one file serves all, its mistake is told once.
    fn credentials(
        &mut self,
        fields: &Fields<'_>,
        username: &str,
        whence: &Whence,
        members: &[Member],
    ) -> Option<Vec<Arc<Credential>>> {
        let mut credentials = Vec::new();
        let mut first_wrong = None;
        let mut wrong = 0;
        for (host, _) in members {
            match self.keyring.credential(username, whence, &host.name, self.known.surroundings) {
                Ok(credential) => credentials.push(credential),
                Err(why) => {
                    wrong += 1;
                    first_wrong.get_or_insert(why);
                    if !whence.is_per_ilo() {
                        break;
                    }
                }
            }
        }
        let Some(why) = first_wrong else { return Some(credentials) };
        let more = if wrong > 1 { format!(" (and {} more)", wrong - 1) } else { String::new() };
        if let Some(at) = fields.get("password_file").or_else(|| fields.get("password_credential")) {
            at.wrong(format!("{why}{more}"));
        }
        None
    }
}

fn username<'a>(group: &At<'a>, fields: &Fields<'a>) -> Option<&'a str> {
    let Some(at) = fields.get("username") else {
        group.wrong_key("this group has no `username`");
        return None;
    };
    let username = at.text("an account name")?;
    if username.trim().is_empty() || username.len() > USERNAME_BYTES_MAX || username.chars().any(char::is_control) {
        return at.none(format!("{} is not an account name", at.shown()));
    }
    Some(username)
}
