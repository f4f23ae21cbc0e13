//! Taking the configuration again, by a signal or over the control socket: one at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Places;
use crate::config::{self, Loaded, Mistake};
use crate::control::{Reload, Reloaded};
use crate::event::{Event, Teller};
use crate::fleet::{Command, Force};
use crate::listener::{Bound, Listener};
use crate::settings::{Orders, Settings, Shield, Trust};
use crate::signals::Listening;
use crate::systemd::Manager;

/// Whoever follows wishes to reload until the end.
pub(super) struct Reloader<'a> {
    pub(super) places: &'a Places,
    pub(super) commands: &'a mpsc::Sender<Command>,
    pub(super) force: Force,
    pub(super) metrics: &'a mut Listener,
    pub(super) manager: &'a Manager,
    pub(super) teller: &'a Teller,
}

impl Reloader<'_> {
    /// Follows signals and the control socket until a signal asks to stop, or the loop is gone.
    pub(super) async fn attend(
        mut self,
        mut settings: Arc<Settings>,
        listening: &mut Listening,
        asked: &mut mpsc::Receiver<Reload>,
    ) {
        loop {
            let stop = listening.stop();
            let verdict = tokio::select! {
                biased;
                () = stop => return,
                () = self.commands.closed() => return,
                Some(verdict) = asked.recv() => Some(verdict),
                () = listening.reload() => None,
            };
            self.manager.reloading();
            let loaded = tokio::select! {
                biased;
                () = listening.stop() => return,
                loaded = self.load() => loaded,
            };
            let told = match loaded {
                Ok((loaded, bound)) => match self.put_in_force(&settings, loaded, bound).await {
                    Some((new, reloaded)) => {
                        settings = new;
                        Ok(reloaded)
                    }
                    None => return,
                },
                Err(mistakes) => {
                    for mistake in &mistakes {
                        tell_mistake(mistake.clone(), self.teller);
                    }
                    if self.commands.send(Command::Refused).await.is_err() {
                        return;
                    }
                    Err(mistakes)
                }
            };
            self.manager.ready();
            if let Some(verdict) = verdict {
                // Whoever does not wait any more finds it in the log.
                let _gone = verdict.send(told);
            }
        }
    }

    /// Loads. Whatever goes wrong is a mistake, and changes nothing.
    async fn load(&self) -> Result<(Loaded, Bound), Vec<Mistake>> {
        let again = self.places.clone();
        // Passwords and lists are read from disk, which the loop must not wait for.
        let loaded = tokio::task::spawn_blocking(move || config::load(&again.config, &again.surroundings)).await;
        let mistake = |text| vec![Mistake { file: self.places.config.clone(), line: None, column: None, text }];
        let loaded = loaded
            .unwrap_or_else(|_| Err(mistake(String::from("it could not be read; this is a bug of ilo-reaper"))))?;
        match self.metrics.bind(loaded.settings.report.listen).await {
            Ok(bound) => Ok((loaded, bound)),
            Err(error) => Err(mistake(error.to_string())),
        }
    }

    /// Hands it to the loop and waits until nothing is deleted by the old one any more; `None` where the loop is gone.
    async fn put_in_force(
        &mut self,
        old: &Settings,
        loaded: Loaded,
        bound: Bound,
    ) -> Option<(Arc<Settings>, Reloaded)> {
        let Loaded { settings, warnings, credentials } = loaded;
        let mut change = config::change(old, &settings);
        change.bolder.extend(unprotected(&self.force.now().orders, &settings));
        let reloaded = Reloaded {
            added: change.added.len(),
            removed: change.removed.len(),
            changed: change.altered.len(),
            bolder: change.bolder,
            warnings: (warnings.iter().map(ToString::to_string))
                .chain(of_the_start(&credentials))
                .chain(log_of_the_start(old, &settings))
                .collect(),
        };
        let settings = Arc::new(settings);
        self.commands.send(Command::Replace(Arc::clone(&settings))).await.ok()?;
        if !self.force.comes(&settings).await {
            return None;
        }
        self.metrics.put(bound).await;
        let Reloaded { added, removed, changed, ref bolder, .. } = reloaded;
        self.teller.tell(Event::ConfigReloaded { added, removed, changed, bolder: bolder.clone() });
        tell_insecure(&settings, self.teller);
        Some((settings, reloaded))
    }
}

/// Protections by hand that are about an iLO of which the configuration knows nothing by that name.
fn unprotected<'a>(orders: &'a Orders, settings: &'a Settings) -> impl Iterator<Item = String> + 'a {
    let is_gone = |shield: &&Shield| shield.ilo.as_ref().is_some_and(|ilo| !settings.targets.contains_key(ilo));
    orders.shields.iter().filter(is_gone).map(|shield| {
        format!("protection {} ({shield}) spares nobody: the configuration names no such iLO", shield.protection.id)
    })
}

/// The service manager hands credentials out once.
fn of_the_start(credentials: &std::collections::BTreeSet<String>) -> Option<String> {
    let names: Vec<&str> = credentials.iter().map(String::as_str).collect();
    (!names.is_empty()).then(|| {
        format!(
            "passwords from `password_credential` ({}) are still those of the start: after changing one, restart the \
             service",
            names.join(", ")
        )
    })
}

/// Where the log goes is decided at the start.
fn log_of_the_start(old: &Settings, new: &Settings) -> Option<String> {
    let is_other = old.report.log != new.report.log;
    is_other.then(|| String::from("`report: { log: … }` takes effect when the service is started again"))
}

fn tell_mistake(mistake: Mistake, teller: &Teller) {
    let Mistake { file, line, column, text } = mistake;
    teller.tell(Event::ConfigRejected { file: file.display().to_string(), line, column, mistake: text });
}

/// Names each group whose passwords go to whoever answers.
pub(super) fn tell_insecure(settings: &Settings, teller: &Teller) {
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    for target in settings.targets.values().filter(|target| target.trust == Trust::Insecure) {
        *groups.entry(&target.group).or_default() += 1;
    }
    for (group, ilos) in groups {
        teller.tell(Event::TlsInsecure { group: group.to_owned(), ilos });
    }
}
