//! Who gets in, how, and what is answered to those who do not.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, LINK, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::ilo::Ilo;
use crate::log::{Effect, Refusal};
use crate::path::SESSIONS;
use crate::personality::traits::{Location, Unauthorized, Welcome, WrongPassword};
use crate::service::{Call, Done, missing};
use crate::session::{SessionId, SessionSpec};
use crate::spec::{Account, BasicAuth, Privilege};

const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// Whom a request acts for.
pub(crate) struct Visitor {
    pub(crate) session: SessionId,
    pub(crate) user: String,
    /// How long the answer takes, where a login was part of the request.
    pub(crate) after: Duration,
    /// Basic authentication: the session is of this request only.
    pub(crate) passing: bool,
}

/// Why a request acts for nobody.
#[derive(Clone, Copy)]
pub(crate) struct Denied {
    why: Refusal,
    after: Duration,
}

/// The body of a login.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    user_name: Option<String>,
    password: Option<String>,
    /// The passcode of two-factor authentication.
    token: Option<Value>,
}

impl Ilo {
    /// The session that the request's token or password makes it act for.
    pub(crate) fn authenticate(&mut self, call: &Call<'_>) -> Result<Visitor, Denied> {
        let nobody = Denied { why: Refusal::NoValidSession, after: Duration::ZERO };
        if let Some(token) = call.request.headers().get(X_AUTH_TOKEN) {
            let session = token.to_str().ok().and_then(|token| self.table.with_token(token)).ok_or(nobody)?;
            let (session, user) = (session.id.clone(), session.owner.clone());
            self.touch(&session, call.now);
            return Ok(Visitor { session, user, after: Duration::ZERO, passing: false });
        }
        if call.like.services.basic_auth && self.spec.basic_auth == BasicAuth::Disabled {
            return Err(nobody);
        }
        let (user, password) = basic(call.request.headers()).ok_or(nobody)?;
        // HPE's two-factor guide shows this refusal: there is no place for the passcode.
        if self.asks_for_passcode(&user) {
            return Err(nobody);
        }
        let after = self.admits(&user, &password)?;
        let origin = call.like.login.basic_origin.unwrap_or(call.peer);
        let spec = self.session_spec(user.as_str(), origin);
        let session = self.admit(call.now, spec);
        Ok(Visitor { session, user, after, passing: true })
    }

    /// A POST to the sessions.
    pub(crate) fn login(&mut self, call: &Call<'_>) -> Done {
        if call.like.login.json_only && !says_json(call.request.headers()) {
            return Done::plainly(Answer::base(StatusCode::BAD_REQUEST, call.like, "UnrecognizedRequestBody", &[]));
        }
        let credentials = match credentials(call) {
            Ok(credentials) => credentials,
            Err(answer) => return Done::plainly(answer),
        };
        let Credentials { user_name, password, token } = credentials;
        let (user, password) = (user_name.unwrap_or_default(), password.unwrap_or_default());
        let admitted = if call.like.login.checked { self.admits(&user, &password) } else { Ok(Duration::ZERO) };
        match admitted {
            Ok(after) => {
                let passcode = token.as_ref().and_then(Value::as_str);
                if let Some(refused) = self.passcode_missing(call, &user, passcode, after) {
                    return refused;
                }
                let spec = self.session_spec(user, call.peer);
                let id = self.admit(call.now, spec);
                Done { answer: self.welcome(call, &id), after, session: None, effect: Some(Effect::LoggedIn { id }) }
            }
            Err(Denied { why: Refusal::WrongPassword, after }) => self.wrong_password(call, after),
            Err(denied) => self.denied(call, denied),
        }
    }

    fn wrong_password(&self, call: &Call<'_>, after: Duration) -> Done {
        let (status, like) = (self.spec.wrong_password_status, call.like);
        let answer = match like.messages.wrong_password {
            WrongPassword::Vendor => Answer::vendor(status, like, "UnauthorizedLoginAttempt"),
            WrongPassword::Base => {
                let args = [SESSIONS, "Invalid username or password"];
                Answer::base(status, like, "ResourceAtUriUnauthorized", &args)
            }
        };
        Done::refused(answer, after, Refusal::WrongPassword)
    }

    /// The first half of a login with two factors: the passcode is sent, and nobody is in yet. A wrong passcode is
    /// met like a wrong password (the messages are those that HPE's own client looks for).
    fn passcode_missing(
        &mut self,
        call: &Call<'_>,
        user: &str,
        passcode: Option<&str>,
        after: Duration,
    ) -> Option<Done> {
        if !self.asks_for_passcode(user) || passcode == self.spec.two_factor.as_deref() {
            return None;
        }
        if passcode.is_some() {
            let after = after + self.gate.refuse();
            return Some(self.wrong_password(call, after));
        }
        let answer = Answer::base(self.spec.passcode_status, call.like, "OneTimePasscodeSent", &[user]);
        Some(Done::refused(answer, after, Refusal::PasscodeSent))
    }

    /// Two-factor authentication asks users of the directory, never local ones.
    fn asks_for_passcode(&self, user: &str) -> bool {
        let asks = self.spec.two_factor.is_some() && self.spec.traits().services.two_factor;
        asks && self.account(user).is_some_and(|account| account.directory)
    }

    /// The session of a user who logs in over the network.
    fn session_spec(&self, user: impl Into<String>, origin: std::net::IpAddr) -> SessionSpec {
        let session = SessionSpec::tagged(user, origin, self.spec.rest_tag());
        if self.account(&session.owner).is_some_and(|account| account.directory) {
            return SessionSpec { user_type: "Directory".to_owned(), ..session };
        }
        session
    }

    /// Whether a user with this password may have a session now, and how long the answer takes.
    fn admits(&mut self, user: &str, password: &str) -> Result<Duration, Denied> {
        let right = |account: &&Account| account.password == password && account.privileges.has(Privilege::Login);
        if !self.account(user).as_ref().is_some_and(right) {
            return Err(Denied { why: Refusal::WrongPassword, after: self.gate.refuse() });
        }
        let after = self.gate.pass();
        if self.is_full() {
            return Err(Denied { why: Refusal::TableFull, after });
        }
        Ok(after)
    }

    /// Whether there is no place for one more login, in the table or among its kind.
    fn is_full(&self) -> bool {
        let of_kind = |tag: &str| self.table.iter().filter(|session| session.tag == tag).count();
        let kind_is_full = |(tag, limit): &(String, usize)| tag == self.spec.rest_tag() && of_kind(tag) >= *limit;
        self.table.iter().count() >= self.spec.limit || self.spec.kind_limits.iter().any(kind_is_full)
    }

    /// The refusal of a request that lacks a login. It is the same for a wrong password, a token that
    /// expired, one that was ended, and one that never was; and there is no `WWW-Authenticate` (HPE
    /// Redfish docs, two-factor authentication). Whether a full table refuses Basic authentication as
    /// well is not documented.
    pub(crate) fn denied(&self, call: &Call<'_>, Denied { why, after }: Denied) -> Done {
        let like = call.like;
        let offer = HeaderValue::from_static("Basic realm=\"Redfish\"");
        let advertised = like.services.basic_auth && self.spec.basic_auth == BasicAuth::Enabled;
        let answer = match (why, like.messages.unauthorized) {
            (Refusal::TableFull, _) => Answer::base(self.spec.table_full_status, like, "SessionLimitExceeded", &[]),
            (_, Unauthorized::Offer) => {
                Answer::empty(StatusCode::UNAUTHORIZED).with(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"))
            }
            (_, Unauthorized::Message) if advertised => {
                Answer::base(StatusCode::UNAUTHORIZED, like, "NoValidSession", &[]).with(WWW_AUTHENTICATE, offer)
            }
            (_, Unauthorized::Message) => Answer::base(StatusCode::UNAUTHORIZED, like, "NoValidSession", &[]),
        };
        Done::refused(answer, after, why)
    }

    /// The answer to a login. On an iLO `Location` is absolute and lacks the port, whichever it listens on; the
    /// body does not yet call the session the client's own (HPE Redfish docs, two-factor authentication).
    fn welcome(&self, call: &Call<'_>, id: &SessionId) -> Answer {
        let Some(session) = self.table.get(id.as_str()) else { return missing(call) };
        let answer = match call.like.login.welcome {
            Welcome::Session => Answer::created(self.view(call, None).session(session)),
            Welcome::Created => Answer::base(StatusCode::CREATED, call.like, "Created", &[]),
            Welcome::Nothing => Answer::empty(StatusCode::NO_CONTENT),
        };
        let answer = match self.must_change_password(&session.owner) {
            Some(account) => answer.rewritten(|body| self.with_password_notice(&body, &account)),
            None => answer,
        };
        let answer = answer.with(X_AUTH_TOKEN, session.token.clone().unwrap_or_default());
        match call.like.login.location {
            Location::Absolute => answer
                .with(LOCATION, format!("https://{}{SESSIONS}/{id}/", self.spec.host))
                .with(LINK, format!("<{SESSIONS}/{id}/>; rel=self")),
            Location::Path => answer.with(LOCATION, format!("{SESSIONS}/{id}")),
        }
    }

    /// The URL of this user's account, if its password must be changed before anything else.
    pub(crate) fn must_change_password(&self, user: &str) -> Option<String> {
        if !self.spec.traits().login.password_change {
            return None;
        }
        let mine = |account: &Account| account.must_change_password && account.username.eq_ignore_ascii_case(user);
        let place = self.spec.accounts.iter().position(mine)?;
        Some(format!("/redfish/v1/AccountService/Accounts/{}/", place + 1))
    }

    /// A new session that says why it is of little use (DMTF DSP0266, "Password management").
    fn with_password_notice(&self, session: &[u8], account: &str) -> Vec<u8> {
        let mut body: Value = serde_json::from_slice(session).unwrap_or_default();
        let id = format!("{}.PasswordChangeRequired", self.spec.traits().messages.base);
        let notice = json!([{ "MessageArgs": [account], "MessageId": id }]);
        if let Some(body) = body.as_object_mut() {
            body.insert("@Message.ExtendedInfo".to_owned(), notice);
        }
        body.to_string().into_bytes()
    }

    /// The account of this user. Names of other case are the same account: captures show sessions of
    /// `Administrator` and `administrator` side by side.
    pub(crate) fn account(&self, user: &str) -> Option<&Account> {
        self.spec.accounts.iter().find(|account| account.username.eq_ignore_ascii_case(user))
    }

    pub(crate) fn may(&self, user: &str, privilege: Privilege) -> bool {
        self.account(user).is_some_and(|account| account.privileges.has(privilege))
    }
}

fn credentials(call: &Call<'_>) -> Result<Credentials, Answer> {
    let bad = |message, args: &[&str]| Answer::base(StatusCode::BAD_REQUEST, call.like, message, args);
    let credentials: Credentials =
        serde_json::from_slice(call.request.body()).map_err(|_| bad("MalformedJSON", &[]))?;
    if call.like.login.checked && credentials.user_name.is_none() {
        return Err(bad("PropertyMissing", &["UserName"]));
    }
    if call.like.login.checked && credentials.password.is_none() {
        return Err(bad("PropertyMissing", &["Password"]));
    }
    Ok(credentials)
}

fn says_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"))
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, coded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| BASE64.decode(coded.trim()).ok()).flatten()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
