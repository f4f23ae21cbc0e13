//! The rows of services that are no iLO, for what clients take for granted.

use super::ilo::ILO_5;
use super::schema;
use super::traits::{
    Clock, Expand, Gzip, IdForm, Location, Login, Manager, Member, MessageForm, Messages, Missing, Root, RootTime,
    Services, Sessions, Slash, Timeout, Token, Traits, Unauthorized, Updates, Welcome, Wire, WrongPassword,
};

pub(super) static GENERIC: Traits = STANDARD;

/// What the standard asks for and no more, with a session like that of an iDRAC 9.
const STANDARD: Traits = Traits {
    name: "generic",
    about: "no vendor block: CreatedTime with offset, ClientOriginIPAddress; gzip where accepted",
    generation: "",
    version: "7.00",
    firmware: "7.00",
    product: "",
    vendor: None,
    schemas: &schema::STANDARD,
    root: Root {
        id: "RootService",
        name: "Root Service",
        redfish_version: "1.15.0",
        schemas_path: "/redfish/v1/JsonSchemas",
        names_maker: false,
        features: true,
        tells_version: false,
        language_version: "",
        time: RootTime::Nowhere,
        links_updates: true,
    },
    manager: Manager { time: Some(Clock::Local), idle_minutes: false, consoles: None, ..ILO_5.manager },
    wire: Wire { etag_in_body: false, context: false, gzip: Gzip::Asked, ..ILO_5.wire },
    messages: Messages {
        form: MessageForm::Standard,
        base: "Base.1.18",
        vendor: "",
        missing: Missing::AtUri,
        wrong_password: WrongPassword::Base,
        unauthorized: Unauthorized::Message,
    },
    login: Login { location: Location::Path, ..ILO_5.login },
    sessions: Sessions {
        id: IdForm::Number,
        name: "Session Collection",
        description: "Session Collection",
        member: Member::Standard { created: true, roles: false },
        timeout: Timeout::Seconds,
        end_is_told: false,
        ..ILO_5.sessions
    },
    services: Services {
        updates: Updates::Untold,
        basic_auth: false,
        two_factor: false,
        odata_documents: true,
        roles: false,
        app_accounts: false,
        registry_path: None,
    },
};

/// As bmcweb was seen to answer.
pub(super) static OPENBMC: Traits = Traits {
    name: "openbmc",
    about: "relative Location, 501 for $expand, random ids, empty 401 that offers Basic, JSON content type required",
    version: "2.18.0",
    firmware: "2.18.0",
    root: Root { features: false, redfish_version: "1.17.0", ..STANDARD.root },
    manager: Manager { path: "/redfish/v1/Managers/bmc", id: "bmc", ..STANDARD.manager },
    wire: Wire { slash: Slash::Bare, expand: Expand::Refused, gzip: Gzip::Never, tells_length: true, ..STANDARD.wire },
    messages: Messages {
        base: "Base.1.19",
        missing: Missing::Named,
        unauthorized: Unauthorized::Offer,
        ..STANDARD.messages
    },
    login: Login { token: Token::Letters, json_only: true, ..STANDARD.login },
    sessions: Sessions {
        id: IdForm::Letters(10),
        member: Member::Standard { created: false, roles: true },
        end_is_told: true,
        ..STANDARD.sessions
    },
    ..STANDARD
};

/// As DMTF's Redfish-Mockup-Server was seen to answer, with this little tree as its mockup.
pub(super) static MOCKUP: Traits = Traits {
    name: "mockup",
    about: "login 204 with a fixed token, DELETE 204, no times, no authentication, nothing expires",
    version: "1.0",
    firmware: "1.0",
    root: Root { features: false, ..STANDARD.root },
    wire: Wire {
        slash: Slash::Bare,
        expand: Expand::Ignored,
        etag: None,
        gzip: Gzip::Never,
        tells_length: true,
        shields: false,
        content_type: "application/json",
        ..STANDARD.wire
    },
    messages: Messages { form: MessageForm::Nothing, ..STANDARD.messages },
    login: Login {
        checked: false,
        welcome: Welcome::Nothing,
        // Which one is not recorded.
        token: Token::Fixed("1234567890ABCDEF"),
        password_change: false,
        ..STANDARD.login
    },
    sessions: Sessions {
        id: IdForm::Member,
        member: Member::Posted,
        timeout: Timeout::Absent,
        expire: false,
        ..STANDARD.sessions
    },
    ..STANDARD
};
