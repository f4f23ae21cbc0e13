//! What an iLO is when it leaves the factory: its settings and its accounts.

use std::num::NonZeroU32;
use std::time::Duration;

use http::StatusCode;

/// Which firmware an iLO behaves like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Personality {
    /// An iLO 5 with firmware 3.11 (2025).
    #[default]
    Ilo5V311,
}

impl Personality {
    /// `Oem.Hpe.Manager[0].ManagerType` of the service root.
    pub(crate) const fn manager_type(self) -> &'static str {
        match self {
            Self::Ilo5V311 => "iLO 5",
        }
    }

    /// `Oem.Hpe.Manager[0].ManagerFirmwareVersion` of the service root.
    pub(crate) const fn firmware(self) -> &'static str {
        match self {
            Self::Ilo5V311 => "3.11",
        }
    }

    /// The name of the maker's own properties below `Oem`.
    pub(crate) const fn oem_key(self) -> &'static str {
        match self {
            Self::Ilo5V311 => "Hpe",
        }
    }

    /// The prefix of messages from the standard registry (3.09's published registry is 1.18).
    pub(crate) const fn base_registry(self) -> &'static str {
        match self {
            Self::Ilo5V311 => "Base.1.18",
        }
    }

    /// The prefix of messages from HPE's registry; its minor version in 3.11 is a guess.
    pub(crate) const fn ilo_registry(self) -> &'static str {
        match self {
            Self::Ilo5V311 => "iLO.2.27",
        }
    }
}

/// All that can be chosen about a simulated iLO before it is switched on.
///
/// Start from [`Spec::new`] and change what matters:
///
/// ```
/// use ilo_sim::{Account, Spec};
///
/// let spec = Spec {
///     limit: 4,
///     accounts: vec![Account::administrator("admin", "secret123")],
///     ..Spec::new("ilo-1")
/// };
/// # assert_eq!(spec.limit, 4);
/// ```
#[derive(Clone, Debug)]
pub struct Spec {
    /// The host name of the iLO.
    pub name: String,
    /// Which firmware it behaves like.
    pub personality: Personality,
    /// Sessions of all kinds that it holds before it refuses a login. HPE publishes no number;
    /// ten is what one user reports (HewlettPackard/PowerShell-ProLiant-SDK issue 22).
    pub limit: usize,
    /// Minutes until an idle session ends; 0 means never.
    pub session_timeout_min: u32,
    /// Seconds that the iLO's clock is ahead of true time; negative when it is behind.
    pub clock_offset_s: i64,
    /// Where its chance begins: ids and tokens follow from it.
    pub seed: u64,
    /// Who may log in. Names are compared without regard to case, as on an iLO.
    pub accounts: Vec<Account>,
    /// The address in the absolute `Location` of a login, as it stands in a URL (an IPv6 address in
    /// brackets). iLOs leave the port out, whichever they listen on.
    pub host: String,
    /// The answer to a login with a wrong password: 400 or 401. No public source tells which; HPE's
    /// own client looks at the message only.
    pub wrong_password_status: StatusCode,
    /// The answer to a login when the table is full. No public source tells it.
    pub table_full_status: StatusCode,
    /// Leave every n-th Basic session behind. Captures show that iLOs do it now and then (672 logins
    /// against 671 logouts in one minute of an iLO 7); `None` means never.
    pub basic_leaves_every: Option<NonZeroU32>,
    /// How long the iLO answers nothing after [`reboot`](crate::Ilo::reboot).
    pub boot_time: Duration,
}

impl Spec {
    /// An iLO with the factory's settings, a table for ten sessions, a right clock and no accounts.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            host: name.clone(),
            name,
            personality: Personality::default(),
            limit: 10,
            session_timeout_min: 30,
            clock_offset_s: 0,
            seed: 0,
            accounts: Vec::new(),
            wrong_password_status: StatusCode::UNAUTHORIZED,
            table_full_status: StatusCode::SERVICE_UNAVAILABLE,
            basic_leaves_every: None,
            boot_time: Duration::ZERO,
        }
    }
}

/// A local account of an iLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub username: String,
    /// The password, in the clear: nothing about a simulated iLO is secret.
    pub password: String,
    /// What the account may do.
    pub privileges: Privileges,
}

impl Account {
    /// An account that may do everything.
    pub fn administrator(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::with(username, password, Privileges::ALL)
    }

    /// An account that may do everything but administer user accounts: it cannot end the sessions of
    /// others.
    pub fn operator(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::with(username, password, Privileges::ALL.without(Privilege::UserConfig))
    }

    /// An account that may log in and look.
    pub fn read_only(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::with(username, password, Privileges::NONE.and(Privilege::Login))
    }

    fn with(username: impl Into<String>, password: impl Into<String>, privileges: Privileges) -> Self {
        Self { username: username.into(), password: password.into(), privileges }
    }
}

/// One privilege of an iLO account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// `HostBIOSConfigPriv`
    HostBiosConfig,
    /// `HostNICConfigPriv`
    HostNicConfig,
    /// `HostStorageConfigPriv`
    HostStorageConfig,
    /// `LoginPriv`
    Login,
    /// `RemoteConsolePriv`
    RemoteConsole,
    /// `SystemRecoveryConfigPriv`
    SystemRecoveryConfig,
    /// `UserConfigPriv`, "Administer User Accounts": ends the sessions of others.
    UserConfig,
    /// `VirtualMediaPriv`
    VirtualMedia,
    /// `VirtualPowerAndResetPriv`
    VirtualPowerAndReset,
    /// `iLOConfigPriv`
    IloConfig,
}

impl Privilege {
    /// Every privilege of an iLO 5, 6 and 7 (HPE iLO 6 capture v1.66).
    pub const ALL: [Self; 10] = [
        Self::HostBiosConfig,
        Self::HostNicConfig,
        Self::HostStorageConfig,
        Self::Login,
        Self::RemoteConsole,
        Self::SystemRecoveryConfig,
        Self::UserConfig,
        Self::VirtualMedia,
        Self::VirtualPowerAndReset,
        Self::IloConfig,
    ];

    /// Its name in the iLO's JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HostBiosConfig => "HostBIOSConfigPriv",
            Self::HostNicConfig => "HostNICConfigPriv",
            Self::HostStorageConfig => "HostStorageConfigPriv",
            Self::Login => "LoginPriv",
            Self::RemoteConsole => "RemoteConsolePriv",
            Self::SystemRecoveryConfig => "SystemRecoveryConfigPriv",
            Self::UserConfig => "UserConfigPriv",
            Self::VirtualMedia => "VirtualMediaPriv",
            Self::VirtualPowerAndReset => "VirtualPowerAndResetPriv",
            Self::IloConfig => "iLOConfigPriv",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of privileges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privileges(u16);

impl Privileges {
    /// Nothing at all, not even to log in.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self((1 << Privilege::ALL.len()) - 1);

    /// This set and one more.
    #[must_use]
    pub const fn and(self, privilege: Privilege) -> Self {
        Self(self.0 | privilege.bit())
    }

    /// This set but one.
    #[must_use]
    pub const fn without(self, privilege: Privilege) -> Self {
        Self(self.0 & !privilege.bit())
    }

    /// Whether the set holds `privilege`.
    pub const fn has(self, privilege: Privilege) -> bool {
        self.0 & privilege.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_lacks_exactly_the_administration_of_users() {
        let operator = Account::operator("op", "pw").privileges;
        let lacking: Vec<_> = Privilege::ALL.into_iter().filter(|&p| !operator.has(p)).collect();
        assert_eq!(lacking, [Privilege::UserConfig]);
        assert_eq!(operator.and(Privilege::UserConfig), Privileges::ALL);
    }
}
