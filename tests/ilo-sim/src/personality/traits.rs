//! What can differ from firmware to firmware.
//!
//! Each trait names the source of the fact it stands for; where there is none, that it is a guess. The
//! values of each firmware are in [`super::ilo`] and [`super::other`].

#![expect(
    clippy::struct_excessive_bools,
    reason = "these are independent facts: a firmware has a property or it does not"
)]

use std::net::IpAddr;

use super::schema::Schemas;
use crate::spec::Privilege;

/// All that tells one firmware from another.
#[derive(Debug)]
pub(crate) struct Traits {
    /// The name that the personality is chosen by.
    pub(crate) name: &'static str,
    /// What is worth knowing, in a few words.
    pub(crate) about: &'static str,
    /// `ManagerType` of the service root and `Model` of the manager: `iLO 5`.
    pub(crate) generation: &'static str,
    /// `ManagerFirmwareVersion` of the service root: `3.11`, and `1.17.00` on iLO 7.
    pub(crate) version: &'static str,
    /// `FirmwareVersion` of the manager: `iLO 5 v3.11`, and `1.12.00 Mar 28 2025` on iLO 7 (HPE Redfish docs, "iLO 7
    /// adaptation").
    pub(crate) firmware: &'static str,
    /// The server that the manager is in, where the service root names it.
    pub(crate) product: &'static str,
    /// The name of the maker's own properties below `Oem`: `Hp` until iLO 4, `Hpe` from iLO 5 on.
    pub(crate) vendor: Option<&'static str>,
    pub(crate) schemas: &'static Schemas,
    pub(crate) root: Root,
    pub(crate) manager: Manager,
    pub(crate) wire: Wire,
    pub(crate) messages: Messages,
    pub(crate) login: Login,
    pub(crate) sessions: Sessions,
    pub(crate) services: Services,
}

/// The service root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) redfish_version: &'static str,
    /// Where the schemas are.
    pub(crate) schemas_path: &'static str,
    /// `Product`, `Vendor` and the maker's `Moniker`: in captures from iLO 5 2.46 on, in none of an iLO 4.
    pub(crate) names_maker: bool,
    /// `ProtocolFeaturesSupported`: in captures from iLO 5 2.46 on.
    pub(crate) features: bool,
    /// `ManagerType` and `ManagerFirmwareVersion`: missing on iLO 5 2.30 to 2.3x (bb-Ricardo/check_redfish PR 41).
    pub(crate) tells_version: bool,
    /// `Languages[0].Version`: the firmware's, but two numbers of three on iLO 7 and empty on an iLO 4 2.54.
    pub(crate) language_version: &'static str,
    pub(crate) time: RootTime,
    /// A link to the update service, which an iLO 4 keeps below its manager.
    pub(crate) links_updates: bool,
}

/// Where the service root tells the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RootTime {
    /// `Oem.Hpe.Time`: iLO 5 and later.
    Vendor,
    /// `Time`: iLO 4 2.54, in a root that bmc-toolbox/bmclib quotes.
    Top,
    Nowhere,
}

/// The manager.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manager {
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    /// `DateTime` and `DateTimeLocalOffset`: since iLO 5 2.10 (HPE iLO 5 changelog).
    pub(crate) time: Option<Clock>,
    /// The time-out as the manager has it: `IdleConnectionTimeoutMinutes`, in captures from iLO 5 2.46 on.
    pub(crate) idle_minutes: bool,
    /// `MaxConcurrentSessions` of command shell, graphical and serial console, where captures tell them.
    pub(crate) consoles: Option<[u32; 3]>,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// `2025-06-23T20:08:14Z`, whatever the zone: all captures of iLOs.
    Utc,
    /// `2024-07-16T13:59:10-05:00`: a Dell iDRAC 9 (DMTF/python-redfish-library issue 160).
    Local,
}

/// Paths, headers, and how a body travels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) slash: Slash,
    pub(crate) rest_door: RestDoor,
    pub(crate) expand: Expand,
    /// The form of the `ETag` header, where there is one.
    pub(crate) etag: Option<EtagForm>,
    /// `@odata.etag` in every resource as well: in captures from iLO 5 2.46 on, not in the root of an iLO 4 2.54.
    pub(crate) etag_in_body: bool,
    /// `@odata.context` in every resource; the standard has not required it since 2018.
    pub(crate) context: bool,
    /// `Content-Length` instead of chunks: "Unlike iLO 4, iLO 5 responds to all HTTP operations using Chunked
    /// Transfer Coding" (HPE Redfish docs, "iLO 5 adaptation").
    pub(crate) tells_length: bool,
    pub(crate) gzip: Gzip,
    /// The `Server` header: `HPE-iLO-Server/1.30` on iLO 4 (HPE iLO 4 REST API docs, "Authentication").
    pub(crate) server: Option<&'static str>,
    /// `X_HP-CHRP-Service-Version: 1.0.3`: until iLO 5 2.10 (HPE iLO 5 changelog).
    pub(crate) service_version: bool,
    /// `X-Content-Type-Options` and `X-XSS-Protection`: on answers of 2023 and 2025, not on those of 2018.
    pub(crate) shields: bool,
    /// `Content-Type` of every body.
    pub(crate) content_type: &'static str,
}

/// What a path means without its trailing slash, and how links are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slash {
    /// Both forms are served, and the links in an answer copy the style of the request: iLO 5 1.40 and later (HPE
    /// iLO 5 changelog, "Trailing Slashes on URIs").
    Copied,
    /// 308 to the path with a slash: iLO 4, and iLO 5 until 1.3x (the same).
    Redirected,
    /// Both forms are served, and links have none: bmcweb.
    Bare,
}

/// The tree below `/rest/v1`, which is older than Redfish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestDoor {
    /// It is another door to the same resources, with properties of its own: iLO 4. HPE's `ilorest` 5 goes in there.
    Open,
    /// 308 from `/rest/v1/x` to `/redfish/v1/x/` (HPE Redfish docs, "iLO 5 adaptation").
    Redirected,
    /// There is nothing.
    Absent,
}

/// What becomes of `$expand`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expand {
    /// Members come whole, one level deep: iLO 5 and later.
    OneLevel,
    /// The wish is silently discarded: iLO 4 (HPE Redfish docs, on query options).
    Ignored,
    /// 501: bmcweb as it is built by default.
    Refused,
}

/// How an `ETag` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EtagForm {
    /// `W/"ED13A396"`: captures of iLO 5 and 6.
    Hex,
    /// `W/"763333962"`: captures of iLO 7.
    Decimal,
}

/// Which bodies are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gzip {
    Never,
    /// Large resources such as registries, also where nobody asked for it; sessions were not seen compressed (HPE
    /// Redfish docs, "JSON large resources").
    Registries,
    /// All, for clients that accept it.
    Asked,
}

/// How the service words what it has to say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Messages {
    pub(crate) form: MessageForm,
    /// The prefix of messages from the standard registry.
    pub(crate) base: &'static str,
    /// The prefix of messages from the maker's registry; its minor version is mostly a guess.
    pub(crate) vendor: &'static str,
    pub(crate) missing: Missing,
    /// What it calls a wrong password: from the maker's registry where it has one.
    pub(crate) wrong_password: WrongPassword,
    pub(crate) unauthorized: Unauthorized,
}

/// The body of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageForm {
    /// `MessageID` in `error`, and once more in a list of `Messages`: iLO 4 (HPE iLO 4 REST API docs).
    Hp,
    /// `MessageId` in `error`, and no text: iLO 5 and later.
    Hpe,
    /// All that the standard asks for: text, severity and resolution too.
    Standard,
    /// None: the status says it.
    Nothing,
}

/// The message for a resource that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// `ResourceMissingAtURI`, with the path: captures of every generation.
    AtUri,
    /// `ResourceNotFound`, with type and name: bmcweb.
    Named,
}

/// The message of a refused login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrongPassword {
    /// `iLO.x.UnauthorizedLoginAttempt` (HPE's registries of iLO 4, 5 and 7).
    Vendor,
    /// `Base.x.ResourceAtUriUnauthorized`: bmcweb.
    Base,
}

/// The answer to a request that needs a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unauthorized {
    /// `NoValidSession`, and no `WWW-Authenticate` (HPE Redfish docs, two-factor authentication).
    Message,
    /// An empty body and `WWW-Authenticate: Basic`: bmcweb.
    Offer,
}

/// How one gets in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login {
    /// Whether anybody asks who it is; Redfish-Mockup-Server does not.
    pub(crate) checked: bool,
    pub(crate) welcome: Welcome,
    pub(crate) location: Location,
    pub(crate) token: Token,
    /// A POST must say `Content-Type: application/json`: bmcweb, else 400.
    pub(crate) json_only: bool,
    /// Where sessions of Basic authentication seem to come from, if not from the client: an iLO 7 books them as
    /// 127.0.0.1 (the event logs of all three captures of it).
    pub(crate) basic_origin: Option<IpAddr>,
    /// Accounts can be made to change their password first: since iLO 5 2.30 (HPE iLO 5 changelog).
    pub(crate) password_change: bool,
}

/// The answer to a login that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Welcome {
    /// 201 and the session: iLO 5 and later (HPE Redfish docs, two-factor authentication).
    Session,
    /// 201 and the message `Created`: iLO 4 (HPE iLO 4 REST API docs, "Authentication").
    Created,
    /// 204: Redfish-Mockup-Server.
    Nothing,
}

/// The `Location` of a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// `https://HOST/…/`: every recorded login to an iLO. The port is not in it.
    Absolute,
    /// The path alone, without a trailing slash.
    Path,
}

/// What an `X-Auth-Token` looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// 32 hexadecimal digits, as in every capture of an iLO.
    Hex,
    /// 20 letters and digits: bmcweb.
    Letters,
    /// Always the same.
    Fixed(&'static str),
}

/// The collection of sessions and its members.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sessions {
    pub(crate) id: IdForm,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) member: Member,
    pub(crate) timeout: Timeout,
    /// Whether idle sessions end at all.
    pub(crate) expire: bool,
    /// `UserTag` of a login by POST. An iLO 4 declares no `REST`; what it shows instead is a guess.
    pub(crate) rest_tag: &'static str,
    /// The privileges that a session shows to itself.
    pub(crate) privileges: &'static [Privilege],
    /// Ending one is answered with `Success`; else with 204 and nothing.
    pub(crate) end_is_told: bool,
}

/// What an id is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdForm {
    /// The user in lower case, this many hexadecimal digits of the login time, and this many of chance. iLO 4: 8 and
    /// 8; iLO 5 until 2.46 and iLO 6 until January 2023: 16 and 8; later: 16 and 7 (every capture and recorded login).
    Stamped { time: usize, chance: usize },
    /// This many letters and digits: bmcweb has 10.
    Letters(usize),
    /// Six digits, like an iDRAC's.
    Number,
    /// `Member1` and so on: Redfish-Mockup-Server.
    Member,
}

/// What a session tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    /// The maker's block: times, address, kind.
    Vendor,
    /// Properties of the standard schema. `created`: `CreatedTime`, `SessionType`; `roles`: `Roles`, as bmcweb has it.
    Standard { created: bool, roles: bool },
    /// What was in the POST: Redfish-Mockup-Server.
    Posted,
}

/// `SessionTimeout` of the session service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// Not told: until iLO 5 2.90 and iLO 6 1.40 (HPE changelogs).
    Absent,
    /// In minutes, although the schema says seconds: it equals the manager's `IdleConnectionTimeoutMinutes` in every
    /// capture.
    Minutes,
    /// In seconds, as the standard has it: bmcweb, and the documentation of iLO 4.
    Seconds,
}

/// The services beside the sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Services {
    pub(crate) updates: Updates,
    /// `HTTPBasicAuth`: since iLO 5 3.07 and iLO 6 1.62 (HPE changelogs). Only there can it be turned off.
    pub(crate) basic_auth: bool,
    /// `TwoFactorAuth`: since iLO 5 2.95 and iLO 6 1.50 (HPE changelogs).
    pub(crate) two_factor: bool,
    /// `/redfish/v1/odata` and `/redfish/v1/$metadata`: in every capture, from iLO 5 2.46 on. That no login is asked for
    /// is what the standard wants, and for iLOs a guess.
    pub(crate) odata_documents: bool,
    /// `/redfish/v1/AccountService/Roles`: in every capture, from iLO 5 2.46 on.
    pub(crate) roles: bool,
    /// Accounts of host applications: iLO 7 (HPE Redfish docs, "Application accounts").
    pub(crate) app_accounts: bool,
    /// Where the standard registry can be read.
    pub(crate) registry_path: Option<&'static str>,
}

/// Where the state of the update service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Updates {
    /// `/redfish/v1/Managers/1/UpdateService` of iLO 4, type `HpiLOFirmwareUpdate`, to which programs post their
    /// `InstallFromURI`. The values of its `State` are a guess.
    BelowManager,
    /// `/redfish/v1/UpdateService`, `Oem.Hpe.State`: iLO 5 and later.
    Vendor,
    /// `/redfish/v1/UpdateService`, which has no property for it in the standard.
    Untold,
}
