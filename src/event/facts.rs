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

/// What the log calls an event. Neither is ever used for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name, as `ilo.near_limit`.
    pub name: &'static str,
    /// Its `MESSAGE_ID` in the journal, by which its catalog entry is found.
    pub message_id: u128,
}

impl Event {
    /// What the log calls it: the contract with alerts.
    pub const fn label(&self) -> Label {
        let (name, message_id) = match self {
            Self::DaemonReady { .. } => ("daemon.ready", 0x5e53_45bc_42d4_4a1f_a961_342d_904a_d876),
            Self::DaemonStopping { .. } => ("daemon.stopping", 0xd7a4_655f_7230_4ee3_abd2_31ab_52e3_8370),
            Self::FleetSummary(_) => ("fleet.summary", 0x4f0f_b42f_94af_4bb0_ba81_e159_46e8_6755),
            Self::ConfigReloaded { .. } => ("config.reloaded", 0x2816_7f5e_0993_4569_9780_dc3e_b3a5_0a3c),
            Self::ConfigRejected { .. } => ("config.rejected", 0x0feb_07b1_8ac3_4313_a61e_7fd1_288c_48ca),
            Self::TlsInsecure { .. } => ("config.tls_insecure", 0xb2fb_545e_d208_437a_854e_8873_d301_e075),
            Self::SessionReaped { .. } => ("session.reaped", 0xbd91_25a7_0d9e_457e_a20f_260c_4879_5b33),
            Self::SessionWouldReap { .. } => ("session.would_reap", 0x8e96_5b66_3ccc_40fd_a0f9_67e2_be9e_d9a3),
            Self::SessionSpared { .. } => ("session.spared", 0x674c_8c28_a9a7_4392_91e7_c6cd_e9e6_10b6),
            Self::ReapFailed { .. } => ("reap.failed", 0xbfcd_bea3_82a8_42b3_9615_7e8b_64c3_3cb7),
            Self::ReapCapped { .. } => ("reap.capped", 0xeb81_8b42_526b_486e_8367_263a_3964_379f),
            Self::IloNearLimit { .. } => ("ilo.near_limit", 0x84c1_29d5_5ad2_4619_b819_6f62_0843_815c),
            Self::IloCritical { .. } => ("ilo.critical", 0x2268_58a1_19bb_4635_ac98_5f14_a67f_7994),
            Self::IloRefusedUs { .. } | Self::IloFull { .. } => ("ilo.full", 0x8df2_8ce0_83b6_40ee_ba46_63a0_a659_2ac7),
            Self::IloBlocked { .. } => ("ilo.blocked", 0xbb79_d8c6_d02b_4966_9dcc_dc6d_e591_8b26),
            Self::IloRelieved { .. } => ("ilo.relieved", 0x34da_3cac_1ddc_4e50_b1e5_009e_03f4_6ad3),
            Self::SessionCameBack { .. } => ("session.came_back", 0x9461_5794_9c32_4e81_877e_955b_7e5c_62c1),
            Self::LeakerFound { .. } => ("leaker.found", 0x152c_3558_c9cf_47ba_92c1_5076_25af_f118),
            Self::IloUnreachable { .. } => ("ilo.unreachable", 0x7cca_662d_9833_42fa_abed_660a_6491_b796),
            Self::IloReachable { .. } => ("ilo.reachable", 0x1a9b_67af_f29e_4ee5_b36e_28a9_390f_a537),
            Self::LoginRejected { .. } => ("ilo.login_rejected", 0x9e76_2114_174f_447a_bb4f_98fc_bdbb_c0f9),
            Self::DeleteForbidden { .. } => ("ilo.delete_forbidden", 0x27d5_5fe1_5da7_4766_9b36_cb1f_0584_c2f9),
            Self::CertificateChanged { .. } => ("ilo.certificate_changed", 0xfce2_d8da_f607_452d_ae61_ac09_ff97_61cb),
            Self::IloDuplicate { .. } => ("ilo.duplicate", 0x93f6_a47e_d22a_48b0_b823_73d1_7672_5c15),
            Self::ClockWrong { .. } => ("ilo.clock_wrong", 0x50f8_9c35_a326_478b_a8df_d9c3_44fc_0613),
            Self::StrayEnded { .. } => ("session.stray_ended", 0x9591_5211_e0f5_4b60_9b54_21e9_4a32_b51d),
            Self::CredentialSuspended { .. } => ("credential.suspended", 0x3940_f08c_5beb_4ef0_987b_6280_2ee2_1d39),
            Self::CredentialRestored { .. } => ("credential.restored", 0x2819_451a_9323_436a_af28_77da_aeb3_31c7),
            Self::StateUnwritable { .. } => ("state.unwritable", 0x1f29_5afe_898f_4dc3_a950_8b05_3b36_30c7),
            Self::StateWritable { .. } => ("state.writable", 0xa9f1_ca99_c4e9_4372_8f89_4b4b_620a_3e33),
            Self::StateReset { .. } => ("state.reset", 0x08af_d869_dd5f_4625_a30a_b215_01b2_8e3a),
            Self::Many { like, .. } => return *like,
            Self::DaemonPaused { .. } => ("daemon.paused", 0x065d_38d6_e125_4ea3_bf47_5bae_8a86_48ad),
            Self::DaemonResumed { .. } => ("daemon.resumed", 0xe692_6ff2_2751_40c3_a10d_4ed6_12ef_e4a1),
            Self::ProtectionAdded { .. } => ("protection.added", 0x1a05_1996_6990_4cb1_a1f7_aa2d_bd8d_5be3),
            Self::ProtectionEnded { .. } => ("protection.ended", 0xe42a_d43f_17ce_48c5_944a_a948_d87d_29ad),
            Self::EventsLost { .. } => ("events.lost", 0xe0f5_2bf7_be0b_43ac_a19a_3971_d916_3360),
            Self::VisitBroken { .. } => ("visit.broken", 0x8c7a_92aa_8d0b_4f95_8d6d_8f55_9b78_d158),
        };
        Label { name, message_id }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.label().name
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
