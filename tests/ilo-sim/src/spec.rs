//! What an iLO is when it leaves the factory: its settings and its accounts.

use std::num::NonZeroU32;
use std::time::Duration;

use http::StatusCode;

use crate::personality::{Personality, Traits};

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
    /// More limits: sessions of one `UserTag` each, above which a login of that kind is refused. No public source
    /// tells whether kinds share one table; with a large [`limit`](Self::limit) these give each its own.
    pub kind_limits: Vec<(String, usize)>,
    /// `UserTag` of logins by POST, where it is not that of the firmware: a certificate login shows `Web UI` (HPE
    /// Redfish docs, "Certificate authentication").
    pub rest_tag: Option<String>,
    /// `HTTPBasicAuth`, where the firmware has it.
    pub basic_auth: BasicAuth,
    /// Two-factor authentication is enabled, and this passcode is sent to users of the directory. Local users are
    /// not asked for it (HPE Redfish docs, two-factor authentication).
    pub two_factor: Option<String>,
    /// The answer to a login that lacks the passcode. No public source tells it; HPE's own client looks at the
    /// message only.
    pub passcode_status: StatusCode,
    /// The URL of the HPE `OneView` that manages this iLO: the service root tells of it.
    pub managed_by: Option<String>,
    /// Names of host applications with an account, on iLO 7.
    pub app_accounts: Vec<String>,
    /// While firmware is written, everything but the update service is refused with `ResourceTemporarilyUnavailable`
    /// (HewlettPackard/PowerShell-ProLiant-SDK issue 30; the status 503 and the scope are guesses).
    pub busy_while_flashing: bool,
    /// Minutes that the iLO's time zone is east of Greenwich. iLOs still write UTC.
    pub utc_offset_min: i16,
}

/// `HTTPBasicAuth` of the account service (HPE Redfish docs).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BasicAuth {
    /// It works, and refusals offer it.
    Enabled,
    /// It works, and nothing says so: every capture since there is the property.
    #[default]
    Unadvertised,
    /// It is refused like a request without a login.
    Disabled,
}

impl BasicAuth {
    /// Its name in the iLO's JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Unadvertised => "Unadvertised",
            Self::Disabled => "Disabled",
        }
    }
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
            kind_limits: Vec::new(),
            rest_tag: None,
            basic_auth: BasicAuth::default(),
            two_factor: None,
            passcode_status: StatusCode::BAD_REQUEST,
            managed_by: None,
            app_accounts: Vec::new(),
            busy_while_flashing: false,
            utc_offset_min: 0,
        }
    }

    pub(crate) const fn traits(&self) -> &'static Traits {
        self.personality.traits()
    }

    /// The idle time-out in force, in minutes; 0 means never.
    pub(crate) const fn idle_limit_min(&self) -> u32 {
        if self.traits().sessions.expire { self.session_timeout_min } else { 0 }
    }

    /// `UserTag` of a login by POST.
    pub(crate) fn rest_tag(&self) -> &str {
        self.rest_tag.as_deref().unwrap_or(self.traits().sessions.rest_tag)
    }
}

/// An account that can log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub username: String,
    /// The password, in the clear: nothing about a simulated iLO is secret.
    pub password: String,
    /// What the account may do.
    pub privileges: Privileges,
    /// It is one of a directory, not the iLO's own: its sessions are of type `Directory`.
    pub directory: bool,
    /// It can log in, and then do nothing but change its password or log out, where the firmware knows that. What an
    /// iLO answers no public source tells; this is what the standard asks for (DMTF DSP0266).
    pub must_change_password: bool,
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
        let (username, password) = (username.into(), password.into());
        Self { username, password, privileges, directory: false, must_change_password: false }
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
