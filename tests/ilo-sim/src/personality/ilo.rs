//! The rows of iLOs: each firmware as the difference to its neighbour.

use std::net::{IpAddr, Ipv4Addr};

use super::schema;
use super::traits::{
    Clock, EtagForm, Expand, Gzip, IdForm, Location, Login, Manager, Member, MessageForm, Messages, Missing, RestDoor,
    Root, RootTime, Services, Sessions, Slash, Timeout, Token, Traits, Unauthorized, Updates, Welcome, Wire,
    WrongPassword,
};
use crate::spec::Privilege;

/// The default, and what every other row is told against: HPE's capture of a DL360 Gen10.
pub(super) static ILO_5_311: Traits = ILO_5;

pub(super) const ILO_5: Traits = Traits {
    name: "ilo5-3.11",
    about: "SessionTimeout in minutes, both forms of a path, one level of $expand",
    generation: "iLO 5",
    version: "3.11",
    firmware: "iLO 5 v3.11",
    product: "ProLiant DL360 Gen10",
    vendor: Some("Hpe"),
    schemas: &schema::ILO_5,
    root: Root {
        id: "RootService",
        name: "HPE RESTful Root Service",
        redfish_version: "1.6.0",
        schemas_path: "/redfish/v1/JsonSchemas",
        names_maker: true,
        features: true,
        tells_version: true,
        language_version: "3.11",
        time: RootTime::Vendor,
        links_updates: true,
    },
    manager: Manager {
        path: "/redfish/v1/Managers/1",
        id: "1",
        time: Some(Clock::Utc),
        idle_minutes: true,
        consoles: Some([9, 10, 13]),
    },
    wire: Wire {
        slash: Slash::Copied,
        // HPE's document on the iLO 5 says that it redirects. What 3.11 does no capture shows, and clients that probe
        // there were tried against this one as it is.
        rest_door: RestDoor::Absent,
        expand: Expand::OneLevel,
        etag: Some(EtagForm::Hex),
        etag_in_body: true,
        context: true,
        tells_length: false,
        gzip: Gzip::Registries,
        server: None,
        service_version: false,
        shields: true,
        content_type: "application/json; charset=utf-8",
    },
    messages: Messages {
        form: MessageForm::Hpe,
        base: "Base.1.18",
        vendor: "iLO.2.27",
        missing: Missing::AtUri,
        wrong_password: WrongPassword::Vendor,
        unauthorized: Unauthorized::Message,
    },
    login: Login {
        checked: true,
        welcome: Welcome::Session,
        location: Location::Absolute,
        token: Token::Hex,
        json_only: false,
        basic_origin: None,
        password_change: true,
    },
    sessions: Sessions {
        id: IdForm::Stamped { time: 16, chance: 7 },
        name: "Sessions",
        description: "Manager User Sessions",
        member: Member::Vendor,
        timeout: Timeout::Minutes,
        expire: true,
        rest_tag: "REST",
        privileges: &Privilege::ALL,
        end_is_told: true,
    },
    services: Services {
        updates: Updates::Vendor,
        basic_auth: true,
        two_factor: true,
        odata_documents: true,
        roles: true,
        app_accounts: false,
        registry_path: Some("/redfish/v1/RegistryStore/registries/en/Base.json"),
    },
};

/// HPE's capture of a DL325 Gen10 Plus.
pub(super) static ILO_5_246: Traits = ILO_5_OF_2021;

const ILO_5_OF_2021: Traits = Traits {
    name: "ilo5-2.46",
    about: "as 3.11 without SessionTimeout, ids of 16 and 8 digits",
    version: "2.46",
    firmware: "iLO 5 v2.46",
    product: "ProLiant DL325 Gen10 Plus",
    schemas: &schema::ILO_5_OF_2021,
    root: Root { language_version: "2.46", ..ILO_5.root },
    wire: Wire { rest_door: RestDoor::Redirected, ..ILO_5.wire },
    messages: Messages { base: "Base.1.4", vendor: "iLO.2.14", ..ILO_5.messages },
    sessions: Sessions { id: IdForm::Stamped { time: 16, chance: 8 }, timeout: Timeout::Absent, ..ILO_5.sessions },
    services: Services { basic_auth: false, two_factor: false, ..ILO_5.services },
    ..ILO_5
};

pub(super) static ILO_5_233: Traits = Traits {
    name: "ilo5-2.33",
    about: "as 2.46, but the service root does not tell generation and firmware",
    version: "2.33",
    firmware: "iLO 5 v2.33",
    root: Root { language_version: "2.33", tells_version: false, ..ILO_5.root },
    ..ILO_5_OF_2021
};

/// The headers are those of a login recorded in 2018 (HPE Redfish docs, blog on sessions), and so is `Base.1.0`.
pub(super) static ILO_5_139: Traits = Traits {
    name: "ilo5-1.39",
    about: "308 to the trailing slash, no DateTime, X_HP-CHRP-Service-Version",
    version: "1.39",
    firmware: "iLO 5 v1.39",
    root: Root { language_version: "1.39", features: false, redfish_version: "1.0.0", ..ILO_5.root },
    manager: Manager { time: None, ..ILO_5.manager },
    wire: Wire { slash: Slash::Redirected, service_version: true, shields: false, ..ILO_5_OF_2021.wire },
    messages: Messages { base: "Base.1.0", vendor: "iLO.2.0", ..ILO_5.messages },
    login: Login { password_change: false, ..ILO_5.login },
    ..ILO_5_OF_2021
};

/// HPE's capture of a `DL380a` Gen11.
pub(super) static ILO_6_166: Traits = ILO_6;

const ILO_6: Traits = Traits {
    name: "ilo6-1.66",
    about: "as iLO 5 3.11",
    generation: "iLO 6",
    version: "1.66",
    firmware: "iLO 6 v1.66",
    product: "ProLiant DL380a Gen11",
    schemas: &schema::ILO_6,
    root: Root { language_version: "1.66", redfish_version: "1.20.0", ..ILO_5.root },
    wire: Wire { rest_door: RestDoor::Redirected, ..ILO_5.wire },
    ..ILO_5
};

/// Named by what the changelog adds in 1.40, and by messages quoted in August 2023.
pub(super) static ILO_6_140: Traits = Traits {
    name: "ilo6-1.40",
    about: "the first iLO 6 with SessionTimeout; no TwoFactorAuth, no HTTPBasicAuth",
    version: "1.40",
    firmware: "iLO 6 v1.40",
    root: Root { language_version: "1.40", ..ILO_6.root },
    messages: Messages { base: "Base.1.17", vendor: "iLO.2.19", ..ILO_6.messages },
    services: Services { basic_auth: false, two_factor: false, ..ILO_6.services },
    ..ILO_6
};

/// The id is that of a document of January 2023.
pub(super) static ILO_6_110: Traits = Traits {
    name: "ilo6-1.10",
    about: "no SessionTimeout, ids of 16 and 8 digits",
    version: "1.10",
    firmware: "iLO 6 v1.10",
    root: Root { language_version: "1.10", redfish_version: "1.13.0", ..ILO_6.root },
    messages: Messages { base: "Base.1.4", vendor: "iLO.2.17", ..ILO_6.messages },
    sessions: ILO_5_OF_2021.sessions,
    services: Services { basic_auth: false, two_factor: false, ..ILO_6.services },
    ..ILO_6
};

/// HPE's capture of an Alletra 4220 Gen12, whose clock stands in 2001.
pub(super) static ILO_7_117: Traits = ILO_7;

const ILO_7: Traits = Traits {
    name: "ilo7-1.17",
    about: "decimal ETags, application accounts, Basic sessions seem to come from 127.0.0.1",
    generation: "iLO 7",
    version: "1.17.00",
    firmware: "1.17.00 Sep 05 2025",
    product: "ProLiant DL340 Gen12",
    root: Root { language_version: "1.17", ..ILO_6.root },
    manager: Manager { consoles: Some([9, 24, 13]), ..ILO_6.manager },
    wire: Wire { etag: Some(EtagForm::Decimal), ..ILO_6.wire },
    login: Login { basic_origin: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), ..ILO_6.login },
    sessions: Sessions { description: "Manager User and Application Sessions", ..ILO_6.sessions },
    services: Services { app_accounts: true, ..ILO_6.services },
    ..ILO_6
};

/// HPE's capture of a DL360 Gen12.
pub(super) static ILO_7_114: Traits = Traits {
    name: "ilo7-1.14",
    about: "as iLO 7 1.17",
    version: "1.14.00",
    firmware: "1.14.00 Jun 06 2025",
    product: "ProLiant DL360 Gen12",
    root: Root { language_version: "1.14", ..ILO_7.root },
    ..ILO_7
};

pub(super) static ILO_4_255: Traits = ILO_4;

/// From HPE's REST API documents and the few recorded answers; no capture of a session of an iLO 4 is public.
const ILO_4: Traits = Traits {
    name: "ilo4-2.55",
    about: "Oem.Hp, MessageID, ids of 8 and 8 digits, 308 to the slash, no $expand, /rest/v1, Content-Length",
    generation: "iLO 4",
    version: "2.55",
    firmware: "iLO 4 v2.55",
    product: "ProLiant DL360 Gen9",
    vendor: Some("Hp"),
    schemas: &schema::ILO_4,
    root: Root {
        id: "v1",
        name: "HP RESTful Root Service",
        redfish_version: "1.0.0",
        schemas_path: "/redfish/v1/Schemas",
        names_maker: false,
        features: false,
        tells_version: true,
        language_version: "",
        time: RootTime::Top,
        links_updates: false,
    },
    manager: Manager { time: None, idle_minutes: false, consoles: None, ..ILO_5.manager },
    wire: Wire {
        slash: Slash::Redirected,
        rest_door: RestDoor::Open,
        expand: Expand::Ignored,
        etag_in_body: false,
        tells_length: true,
        server: Some("HPE-iLO-Server/1.30"),
        service_version: true,
        shields: false,
        ..ILO_5.wire
    },
    messages: Messages { form: MessageForm::Hp, base: "Base.0.10", vendor: "iLO.0.10", ..ILO_5.messages },
    login: Login { welcome: Welcome::Created, password_change: false, ..ILO_5.login },
    sessions: Sessions {
        id: IdForm::Stamped { time: 8, chance: 8 },
        timeout: Timeout::Seconds,
        // The one of its eight declared values that says nothing.
        rest_tag: "Unknown",
        privileges: &[
            Privilege::Login,
            Privilege::RemoteConsole,
            Privilege::UserConfig,
            Privilege::VirtualMedia,
            Privilege::VirtualPowerAndReset,
            Privilege::IloConfig,
        ],
        ..ILO_5.sessions
    },
    services: Services {
        updates: Updates::BelowManager,
        basic_auth: false,
        two_factor: false,
        odata_documents: false,
        roles: false,
        app_accounts: false,
        registry_path: Some("/redfish/v1/RegistryStore/registries/en/Base"),
    },
};

pub(super) static ILO_4_230: Traits =
    Traits { name: "ilo4-2.30", about: "as iLO 4 2.55", version: "2.30", firmware: "iLO 4 v2.30", ..ILO_4 };

pub(super) static ILO_4_278: Traits =
    Traits { name: "ilo4-2.78", about: "as iLO 4 2.55", version: "2.78", firmware: "iLO 4 v2.78", ..ILO_4 };
