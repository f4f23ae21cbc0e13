//! What each event is called, how urgent it is, and what it is about.

use super::{Event, Place, Priority};

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// One session, or what was to become of some.
    Session,
    /// How full a table is.
    Table,
    /// One iLO.
    Ilo,
    /// What somebody ordered by hand.
    Order,
    /// The daemon, or the whole fleet.
    Daemon,
}

impl Event {
    /// Its name: the contract with alerts.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::DaemonReady { .. } => "daemon.ready",
            Self::DaemonStopping { .. } => "daemon.stopping",
            Self::FleetSummary(_) => "fleet.summary",
            Self::ConfigReloaded { .. } => "config.reloaded",
            Self::ConfigRejected { .. } => "config.rejected",
            Self::TlsInsecure { .. } => "config.tls_insecure",
            Self::SessionReaped { .. } => "session.reaped",
            Self::SessionWouldReap { .. } => "session.would_reap",
            Self::SessionSpared { .. } => "session.spared",
            Self::ReapFailed { .. } => "reap.failed",
            Self::ReapCapped { .. } => "reap.capped",
            Self::IloNearLimit { .. } => "ilo.near_limit",
            Self::IloCritical { .. } => "ilo.critical",
            Self::IloRefusedUs { .. } | Self::IloFull { .. } => "ilo.full",
            Self::IloBlocked { .. } => "ilo.blocked",
            Self::IloRelieved { .. } => "ilo.relieved",
            Self::SessionCameBack { .. } => "session.came_back",
            Self::LeakerFound { .. } => "leaker.found",
            Self::IloUnreachable { .. } => "ilo.unreachable",
            Self::IloReachable { .. } => "ilo.reachable",
            Self::LoginRejected { .. } => "ilo.login_rejected",
            Self::DeleteForbidden { .. } => "ilo.delete_forbidden",
            Self::CertificateChanged { .. } => "ilo.certificate_changed",
            Self::IloDuplicate { .. } => "ilo.duplicate",
            Self::ClockWrong { .. } => "ilo.clock_wrong",
            Self::StrayEnded { .. } => "session.stray_ended",
            Self::CredentialSuspended { .. } => "credential.suspended",
            Self::CredentialRestored { .. } => "credential.restored",
            Self::StateUnwritable { .. } => "state.unwritable",
            Self::StateWritable { .. } => "state.writable",
            Self::StateReset { .. } => "state.reset",
            Self::Many { like, .. } => like,
            Self::DaemonPaused { .. } => "daemon.paused",
            Self::DaemonResumed { .. } => "daemon.resumed",
            Self::ProtectionAdded { .. } => "protection.added",
            Self::ProtectionEnded { .. } => "protection.ended",
            Self::EventsLost { .. } => "events.lost",
            Self::VisitBroken { .. } => "visit.broken",
        }
    }

    /// How urgent it is.
    pub const fn priority(&self) -> Priority {
        match self {
            Self::Many { priority, .. } => *priority,
            Self::IloCritical { .. }
            | Self::IloRefusedUs { .. }
            | Self::IloFull { .. }
            | Self::IloBlocked { .. }
            | Self::CredentialSuspended { .. }
            | Self::StateReset { .. } => Priority::Crit,
            Self::ConfigRejected { .. }
            | Self::ReapCapped { .. }
            | Self::LoginRejected { .. }
            | Self::DeleteForbidden { .. }
            | Self::CertificateChanged { .. }
            | Self::IloDuplicate { .. }
            | Self::StateUnwritable { .. }
            | Self::VisitBroken { .. } => Priority::Err,
            Self::TlsInsecure { .. }
            | Self::IloNearLimit { .. }
            | Self::LeakerFound { .. }
            | Self::ReapFailed { .. }
            | Self::IloUnreachable { .. }
            | Self::EventsLost { .. } => Priority::Warning,
            Self::ConfigReloaded { .. }
            | Self::SessionReaped { .. }
            | Self::ClockWrong { .. }
            | Self::SessionCameBack { .. }
            | Self::StrayEnded { .. }
            | Self::StateWritable { .. }
            | Self::DaemonPaused { .. }
            | Self::DaemonResumed { .. }
            | Self::ProtectionAdded { .. }
            | Self::ProtectionEnded { .. }
            | Self::CredentialRestored { .. } => Priority::Notice,
            Self::DaemonReady { .. }
            | Self::DaemonStopping { .. }
            | Self::FleetSummary(_)
            | Self::SessionWouldReap { .. }
            | Self::SessionSpared { .. }
            | Self::IloRelieved { .. }
            | Self::IloReachable { .. } => Priority::Info,
        }
    }

    /// The iLO that it is about.
    pub const fn place(&self) -> Option<&Place> {
        match self {
            Self::SessionReaped { at, .. }
            | Self::SessionWouldReap { at, .. }
            | Self::SessionSpared { at, .. }
            | Self::ReapFailed { at, .. }
            | Self::ReapCapped { at, .. }
            | Self::IloNearLimit { at, .. }
            | Self::IloCritical { at, .. }
            | Self::IloRefusedUs { at, .. }
            | Self::IloFull { at, .. }
            | Self::IloBlocked { at, .. }
            | Self::IloRelieved { at, .. }
            | Self::SessionCameBack { at, .. }
            | Self::IloUnreachable { at, .. }
            | Self::IloReachable { at, .. }
            | Self::LoginRejected { at, .. }
            | Self::DeleteForbidden { at, .. }
            | Self::CertificateChanged { at, .. }
            | Self::IloDuplicate { at, .. }
            | Self::ClockWrong { at, .. }
            | Self::StrayEnded { at, .. }
            | Self::VisitBroken { at, .. } => Some(at),
            _ => None,
        }
    }

    /// What it is about, for those who render it.
    pub const fn topic(&self) -> Topic {
        match self {
            Self::SessionReaped { .. }
            | Self::SessionWouldReap { .. }
            | Self::SessionCameBack { .. }
            | Self::SessionSpared { .. }
            | Self::ReapFailed { .. }
            | Self::ReapCapped { .. }
            | Self::StrayEnded { .. } => Topic::Session,
            Self::IloNearLimit { .. }
            | Self::IloCritical { .. }
            | Self::IloRefusedUs { .. }
            | Self::IloFull { .. }
            | Self::IloBlocked { .. }
            | Self::IloRelieved { .. } => Topic::Table,
            Self::IloUnreachable { .. }
            | Self::IloReachable { .. }
            | Self::LoginRejected { .. }
            | Self::DeleteForbidden { .. }
            | Self::CertificateChanged { .. }
            | Self::IloDuplicate { .. }
            | Self::ClockWrong { .. }
            | Self::VisitBroken { .. } => Topic::Ilo,
            Self::DaemonPaused { .. }
            | Self::DaemonResumed { .. }
            | Self::ProtectionAdded { .. }
            | Self::ProtectionEnded { .. } => Topic::Order,
            _ => Topic::Daemon,
        }
    }
}
