//! Waiting until a configuration is in force.

use std::sync::Arc;

use tokio::sync::{RwLock, watch};

use super::Fleet;
use crate::redfish::Transport;
use crate::settings::Settings;
use crate::state::State;
use crate::visit::InForce;

/// What a fleet goes by, seen from outside.
#[derive(Clone)]
pub struct Force {
    in_force: watch::Receiver<Arc<InForce>>,
    passage: Arc<RwLock<()>>,
}

impl Force {
    /// What is in force.
    pub fn now(&self) -> Arc<InForce> {
        self.in_force.borrow().clone()
    }

    /// Waits until these settings are in force and every DELETE that was allowed before is over. False if the loop is
    /// gone.
    pub async fn comes(&mut self, settings: &Arc<Settings>) -> bool {
        let is_there = self.in_force.wait_for(|in_force| Arc::ptr_eq(&in_force.settings, settings)).await.is_ok();
        drop(self.passage.write().await);
        is_there
    }
}

impl<T: Transport, S: State> Fleet<T, S> {
    /// What it goes by.
    pub fn force(&self) -> Force {
        Force { in_force: self.in_force.subscribe(), passage: Arc::clone(&self.world.passage) }
    }
}
