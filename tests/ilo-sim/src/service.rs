//! Who may do what: authentication, login, logout, and which resource answers.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LINK, LOCATION};
use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;

use crate::answer::Answer;
use crate::ilo::Ilo;
use crate::log::{Effect, Refusal};
use crate::moment::Moment;
use crate::path::{Resource, SESSIONS, Target};
use crate::resource::View;
use crate::session::{SessionId, SessionSpec};
use crate::spec::{Account, Privilege};

const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// What the iLO did with one request.
pub(crate) struct Outcome {
    pub(crate) response: Response<Bytes>,
    pub(crate) after: Duration,
    pub(crate) session: Option<SessionId>,
    pub(crate) effect: Option<Effect>,
}

/// The same, before it is an HTTP response.
struct Done {
    answer: Answer,
    after: Duration,
    session: Option<SessionId>,
    effect: Option<Effect>,
}

impl Done {
    fn plainly(answer: Answer) -> Self {
        Self { answer, after: Duration::ZERO, session: None, effect: None }
    }

    fn refused(answer: Answer, after: Duration, why: Refusal) -> Self {
        Self { answer, after, session: None, effect: Some(Effect::Refused(why)) }
    }
}

/// One request, with what every step of it needs to know.
struct Call<'a> {
    now: Moment,
    peer: IpAddr,
    request: &'a Request<Bytes>,
    target: Target,
}

/// Whom a request acts for.
struct Visitor {
    session: SessionId,
    user: String,
    /// How long the answer takes, where a login was part of the request.
    after: Duration,
    /// Basic authentication: the session is of this request only.
    passing: bool,
}

/// Why a request acts for nobody.
#[derive(Clone, Copy)]
struct Denied {
    why: Refusal,
    after: Duration,
}

/// The body of a login.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    user_name: Option<String>,
    password: Option<String>,
}

impl Ilo {
    pub(crate) fn serve(&mut self, now: Moment, peer: IpAddr, request: &Request<Bytes>) -> Outcome {
        let call = Call { now, peer, request, target: Target::of(request.uri()) };
        let done = match (&call.target.resource, request.method()) {
            (Resource::Sessions, &Method::POST) => self.login(&call),
            // A token is not even looked at here, so asking for the root keeps no session alive.
            (Resource::Versions | Resource::Root, _) => Done::plainly(self.act(&call, None).0),
            (Resource::Foreign, _) => Done::plainly(self.outside(&call)),
            _ => self.serve_visitor(&call),
        };
        let Done { answer, after, session, effect } = done;
        Outcome { response: answer.into_response(self.clock(now)), after, session, effect }
    }

    fn serve_visitor(&mut self, call: &Call<'_>) -> Done {
        let visitor = match self.authenticate(call) {
            Ok(visitor) => visitor,
            Err(denied) => return self.denied(denied),
        };
        let (answer, mut effect) = self.act(call, Some(&visitor));
        if visitor.passing {
            if self.leaves_one_behind() {
                effect = effect.or_else(|| Some(Effect::LeftBehind { id: visitor.session.clone() }));
            } else {
                self.table.end(&visitor.session);
            }
        }
        Done { answer, after: visitor.after, session: Some(visitor.session), effect }
    }

    fn leaves_one_behind(&mut self) -> bool {
        self.basic_seen = self.basic_seen.wrapping_add(1);
        self.spec.basic_leaves_every.is_some_and(|every| self.basic_seen % every == 0)
    }

    fn authenticate(&mut self, call: &Call<'_>) -> Result<Visitor, Denied> {
        let nobody = Denied { why: Refusal::NoValidSession, after: Duration::ZERO };
        if let Some(token) = call.request.headers().get(X_AUTH_TOKEN) {
            let session = token.to_str().ok().and_then(|token| self.table.with_token(token)).ok_or(nobody)?;
            let (session, user) = (session.id.clone(), session.owner.clone());
            self.touch(&session, call.now);
            return Ok(Visitor { session, user, after: Duration::ZERO, passing: false });
        }
        let (user, password) = basic(call.request.headers()).ok_or(nobody)?;
        let after = self.admits(&user, &password)?;
        let session = self.admit(call.now, SessionSpec::rest(user.as_str(), call.peer));
        Ok(Visitor { session, user, after, passing: true })
    }

    fn login(&mut self, call: &Call<'_>) -> Done {
        let (user, password) = match self.credentials(call.request.body()) {
            Ok(credentials) => credentials,
            Err(answer) => return Done::plainly(answer),
        };
        match self.admits(&user, &password) {
            Ok(after) => {
                let id = self.admit(call.now, SessionSpec::rest(user, call.peer));
                Done { answer: self.welcome(call, &id), after, session: None, effect: Some(Effect::LoggedIn { id }) }
            }
            Err(Denied { why: Refusal::WrongPassword, after }) => {
                let message = format!("{}.UnauthorizedLoginAttempt", self.spec.personality.ilo_registry());
                let answer = Answer::message(self.spec.wrong_password_status, &message, &[]);
                Done::refused(answer, after, Refusal::WrongPassword)
            }
            Err(denied) => self.denied(denied),
        }
    }

    /// Whether a user with this password may have a session now, and how long the answer takes.
    fn admits(&mut self, user: &str, password: &str) -> Result<Duration, Denied> {
        let right = |account: &&Account| account.password == password && account.privileges.has(Privilege::Login);
        if !self.account(user).as_ref().is_some_and(right) {
            return Err(Denied { why: Refusal::WrongPassword, after: self.gate.refuse() });
        }
        let after = self.gate.pass();
        if self.table.iter().count() >= self.spec.limit {
            return Err(Denied { why: Refusal::TableFull, after });
        }
        Ok(after)
    }

    /// The refusal of a request that lacks a login. It is the same for a wrong password, a token that
    /// expired, one that was ended, and one that never was; and there is no `WWW-Authenticate` (HPE
    /// Redfish docs, two-factor authentication). Whether a full table refuses Basic authentication as
    /// well is not documented.
    fn denied(&self, Denied { why, after }: Denied) -> Done {
        let like = self.spec.personality;
        let answer = match why {
            Refusal::TableFull => Answer::base(self.spec.table_full_status, like, "SessionLimitExceeded", &[]),
            _ => Answer::base(StatusCode::UNAUTHORIZED, like, "NoValidSession", &[]),
        };
        Done::refused(answer, after, why)
    }

    /// The answer to a login. `Location` is absolute and lacks the port, whichever the iLO listens on; the
    /// body does not yet call the session the client's own (HPE Redfish docs, two-factor authentication).
    fn welcome(&self, call: &Call<'_>, id: &SessionId) -> Answer {
        let view = View { ilo: self, links: call.target.links, me: None, now: call.now };
        let Some(session) = self.table.get(id.as_str()) else { return self.missing(call) };
        Answer::created(view.session(session))
            .with(X_AUTH_TOKEN, session.token.clone().unwrap_or_default())
            .with(LOCATION, format!("https://{}{SESSIONS}/{id}/", self.spec.host))
            .with(LINK, format!("<{SESSIONS}/{id}/>; rel=self"))
    }

    fn credentials(&self, body: &[u8]) -> Result<(String, String), Answer> {
        let bad = |message, args: &[&str]| Answer::base(StatusCode::BAD_REQUEST, self.spec.personality, message, args);
        let credentials: Credentials = serde_json::from_slice(body).map_err(|_| bad("MalformedJSON", &[]))?;
        let user = credentials.user_name.ok_or_else(|| bad("PropertyMissing", &["UserName"]))?;
        let password = credentials.password.ok_or_else(|| bad("PropertyMissing", &["Password"]))?;
        Ok((user, password))
    }

    fn act(&mut self, call: &Call<'_>, visitor: Option<&Visitor>) -> (Answer, Option<Effect>) {
        let method = call.request.method();
        let view =
            View { ilo: self, links: call.target.links, me: visitor.map(|visitor| &visitor.session), now: call.now };
        let (found, allowed) = match &call.target.resource {
            Resource::Versions => (Some(View::versions()), "GET, HEAD"),
            Resource::Root => (Some(view.root()), "GET, HEAD"),
            Resource::SessionService => (Some(view.session_service()), "GET, HEAD"),
            Resource::Sessions => (Some(view.sessions(call.target.expand)), "GET, HEAD, POST"),
            Resource::Session(id) => match (method, visitor) {
                (&Method::DELETE, Some(visitor)) => return self.delete(call, visitor, id),
                _ => (self.table.get(id).map(|session| view.member(session)), "GET, HEAD, DELETE"),
            },
            Resource::Managers => (Some(view.managers(call.target.expand)), "GET, HEAD"),
            Resource::Manager => (Some(view.manager_answer()), "GET, HEAD"),
            Resource::UpdateService => (Some(view.update_service()), "GET, HEAD"),
            Resource::AccountService => (Some(view.account_service()), "GET, HEAD"),
            Resource::Missing | Resource::Foreign => (None, "GET, HEAD"),
        };
        let answer = match found {
            None => self.missing(call),
            Some(answer) if matches!(*method, Method::GET | Method::HEAD) => {
                answer.with(ALLOW, HeaderValue::from_static(allowed))
            }
            Some(_) => Answer::not_allowed(allowed),
        };
        (answer, None)
    }

    /// A session of one's own account may always be ended; others take the right to administer users.
    ///
    /// The right is as a user without it reports (HewlettPackard/python-ilorest-library issue 66); the
    /// status of the refusal, and that one's own needs no right, no public source tells.
    fn delete(&mut self, call: &Call<'_>, visitor: &Visitor, id: &str) -> (Answer, Option<Effect>) {
        let like = self.spec.personality;
        let Some(session) = self.table.get(id) else { return (self.missing(call), None) };
        let (id, owner) = (session.id.clone(), session.owner.clone());
        let own = owner.eq_ignore_ascii_case(&visitor.user);
        if !own && !self.may(&visitor.user, Privilege::UserConfig) {
            let answer = Answer::base(StatusCode::FORBIDDEN, like, "InsufficientPrivilege", &[]);
            return (answer, Some(Effect::Refused(Refusal::InsufficientPrivilege)));
        }
        self.table.end(&id);
        let answer = Answer::base(StatusCode::OK, like, "Success", &[]);
        (answer, Some(Effect::Ended { id, owner, by: visitor.user.clone() }))
    }

    fn missing(&self, call: &Call<'_>) -> Answer {
        let path = call.request.uri().path();
        Answer::base(StatusCode::NOT_FOUND, self.spec.personality, "ResourceMissingAtURI", &[path])
    }

    /// Outside the REST service no login is asked for, and only GET is known.
    fn outside(&self, call: &Call<'_>) -> Answer {
        match *call.request.method() {
            Method::GET | Method::HEAD => self.missing(call),
            _ => Answer::not_allowed("GET"),
        }
    }

    /// The account of this user. Names of other case are the same account: captures show sessions of
    /// `Administrator` and `administrator` side by side.
    pub(crate) fn account(&self, user: &str) -> Option<&Account> {
        self.spec.accounts.iter().find(|account| account.username.eq_ignore_ascii_case(user))
    }

    fn may(&self, user: &str, privilege: Privilege) -> bool {
        self.account(user).is_some_and(|account| account.privileges.has(privilege))
    }
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, coded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| BASE64.decode(coded.trim()).ok()).flatten()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
