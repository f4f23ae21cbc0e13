//! Who may do what, and which resource answers.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, HeaderName, HeaderValue, LOCATION};
use http::{Method, Request, Response, StatusCode};

use crate::answer::Answer;
use crate::ilo::Ilo;
use crate::log::{Effect, Refusal};
use crate::login::Visitor;
use crate::moment::Moment;
use crate::path::{Resource, Target};
use crate::personality::Traits;
use crate::personality::traits::{Expand, Gzip, Missing, RestDoor};
use crate::resource::View;
use crate::session::SessionId;
use crate::spec::Privilege;

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");

/// What the iLO did with one request.
pub(crate) struct Outcome {
    pub(crate) response: Response<Bytes>,
    pub(crate) after: Duration,
    pub(crate) session: Option<SessionId>,
    pub(crate) effect: Option<Effect>,
}

/// The same, before it is an HTTP response.
pub(crate) struct Done {
    pub(crate) answer: Answer,
    pub(crate) after: Duration,
    pub(crate) session: Option<SessionId>,
    pub(crate) effect: Option<Effect>,
}

impl Done {
    pub(crate) fn plainly(answer: Answer) -> Self {
        Self { answer, after: Duration::ZERO, session: None, effect: None }
    }

    pub(crate) fn refused(answer: Answer, after: Duration, why: Refusal) -> Self {
        Self { answer, after, session: None, effect: Some(Effect::Refused(why)) }
    }
}

/// One request, with what every step of it needs to know.
pub(crate) struct Call<'a> {
    pub(crate) now: Moment,
    pub(crate) peer: IpAddr,
    pub(crate) request: &'a Request<Bytes>,
    pub(crate) target: Target,
    pub(crate) like: &'static Traits,
}

impl Call<'_> {
    /// Whether the members of a collection are to be whole objects, by the request and by what the firmware does.
    fn expand(&self) -> bool {
        self.target.expand && self.like.wire.expand == Expand::OneLevel
    }

    /// `OData-Version: 4.0` hides what is older than Redfish (HPE iLO 4 REST API docs).
    fn shows_old(&self) -> bool {
        self.like.wire.rest_door == RestDoor::Open && !self.request.headers().contains_key(ODATA_VERSION)
    }

    fn accepts_gzip(&self) -> bool {
        self.like.wire.gzip == Gzip::Asked
            && self.request.headers().get_all(ACCEPT_ENCODING).iter().any(|value| {
                value.to_str().is_ok_and(|codings| codings.split(',').any(|coding| coding.trim() == "gzip"))
            })
    }
}

impl Ilo {
    pub(crate) fn serve(&mut self, now: Moment, peer: IpAddr, request: &Request<Bytes>) -> Outcome {
        let like = self.spec.traits();
        let call = Call { now, peer, request, target: Target::of(request.uri(), like), like };
        let done = match (&call.target.resource, request.method()) {
            _ if call.target.moved_to.is_some() => Done::plainly(moved(&call)),
            _ if call.target.expand && like.wire.expand == Expand::Refused => Done::plainly(unexpanded(&call)),
            (Resource::Sessions, &Method::POST) => self.login(&call),
            // A token is not even looked at here, so asking for the root keeps no session alive.
            (Resource::Versions | Resource::Root | Resource::ServiceDocument | Resource::Metadata, _) => {
                Done::plainly(self.act(&call, None).0)
            }
            (Resource::Foreign, _) => Done::plainly(outside(&call)),
            _ if !like.login.checked => {
                let (answer, effect) = self.act(&call, None);
                Done { effect, ..Done::plainly(answer) }
            }
            _ => self.serve_visitor(&call),
        };
        let Done { answer, after, session, effect } = done;
        let response = answer.into_response(like, self.clock(now), call.accepts_gzip());
        Outcome { response, after, session, effect }
    }

    fn serve_visitor(&mut self, call: &Call<'_>) -> Done {
        let visitor = match self.authenticate(call) {
            Ok(visitor) => visitor,
            Err(denied) => return self.denied(call, denied),
        };
        let (answer, mut effect) = match self.refused_for_now(call, &visitor) {
            Some(answer) => (answer, None),
            None => self.act(call, Some(&visitor)),
        };
        if visitor.passing {
            if self.leaves_one_behind() {
                effect = effect.or_else(|| Some(Effect::LeftBehind { id: visitor.session.clone() }));
            } else {
                self.table.end(&visitor.session);
            }
        }
        Done { answer, after: visitor.after, session: Some(visitor.session), effect }
    }

    /// Refusals that have nothing to do with the resource: the user must change the password first, or firmware is
    /// being written.
    fn refused_for_now(&self, call: &Call<'_>, visitor: &Visitor) -> Option<Answer> {
        if let Some(account) = self.must_change_password(&visitor.user) {
            let own = matches!(&call.target.resource, Resource::Session(id) if visitor.session == **id);
            if !(own && call.request.method() == Method::DELETE) {
                let status = StatusCode::FORBIDDEN;
                return Some(Answer::base(status, call.like, "PasswordChangeRequired", &[&account]));
            }
        }
        let busy = self.spec.busy_while_flashing
            && self.update.is_flashing()
            && call.target.resource != Resource::UpdateService;
        let (status, like) = (StatusCode::SERVICE_UNAVAILABLE, call.like);
        busy.then(|| match like.vendor {
            Some(_) => Answer::vendor(status, like, "ResourceTemporarilyUnavailable"),
            None => Answer::base(status, like, "ServiceTemporarilyUnavailable", &["60"]),
        })
    }

    fn leaves_one_behind(&mut self) -> bool {
        self.basic_seen = self.basic_seen.wrapping_add(1);
        self.spec.basic_leaves_every.is_some_and(|every| self.basic_seen % every == 0)
    }

    pub(crate) fn view<'a>(&'a self, call: &Call<'_>, me: Option<&'a SessionId>) -> View<'a> {
        let (links, door) = (call.target.links, call.target.door);
        View { ilo: self, like: call.like, links, door, old: call.shows_old(), me, now: call.now }
    }

    fn act(&mut self, call: &Call<'_>, visitor: Option<&Visitor>) -> (Answer, Option<Effect>) {
        let (method, expand) = (call.request.method(), call.expand());
        let view = self.view(call, visitor.map(|visitor| &visitor.session));
        let (found, allowed) = match &call.target.resource {
            Resource::Versions => (Some(view.versions()), "GET, HEAD"),
            Resource::Root => (Some(view.root()), "GET, HEAD"),
            Resource::ServiceDocument => (Some(view.service_document()), "GET, HEAD"),
            Resource::Metadata => (Some(view.metadata()), "GET, HEAD"),
            Resource::SessionService => (Some(view.session_service()), "GET, HEAD"),
            Resource::Sessions => (Some(view.sessions(expand)), "GET, HEAD, POST"),
            Resource::Session(id) if method == Method::DELETE => return self.delete(call, visitor, id),
            Resource::Session(id) => (self.readable(id).map(|session| view.member(session)), "GET, HEAD, DELETE"),
            Resource::Managers => (Some(view.managers(expand)), "GET, HEAD"),
            Resource::Manager => (Some(view.manager_answer()), "GET, HEAD"),
            Resource::UpdateService => (Some(view.update_service()), "GET, HEAD"),
            Resource::AccountService => (Some(view.account_service()), "GET, HEAD"),
            Resource::Roles => (Some(view.roles(expand)), "GET, HEAD"),
            Resource::Role(id) => (view.role(id), "GET, HEAD"),
            Resource::AppAccounts => (Some(view.app_accounts(expand)), "GET, HEAD"),
            Resource::AppAccount(id) => (view.app_account(id), "GET, HEAD"),
            Resource::Registry => (Some(view.registry()), "GET, HEAD"),
            Resource::Missing | Resource::Foreign => (None, "GET, HEAD"),
        };
        let answer = match found {
            None => missing(call),
            Some(answer) if matches!(*method, Method::GET | Method::HEAD) => {
                answer.with(ALLOW, HeaderValue::from_static(allowed))
            }
            Some(_) => Answer::not_allowed(allowed),
        };
        (answer, None)
    }

    fn readable(&self, id: &str) -> Option<&crate::Session> {
        self.table.get(id).filter(|session| !session.dangling)
    }

    /// A session of one's own account may always be ended; others take the right to administer users.
    ///
    /// The right is as a user without it reports (HewlettPackard/python-ilorest-library issue 66); the
    /// status of the refusal, and that one's own needs no right, no public source tells.
    fn delete(&mut self, call: &Call<'_>, visitor: Option<&Visitor>, id: &str) -> (Answer, Option<Effect>) {
        let like = call.like;
        let Some(session) = self.readable(id) else { return (missing(call), None) };
        let (id, owner) = (session.id.clone(), session.owner.clone());
        let may = |visitor: &Visitor| {
            owner.eq_ignore_ascii_case(&visitor.user) || self.may(&visitor.user, Privilege::UserConfig)
        };
        if !visitor.is_none_or(may) {
            let answer = Answer::base(StatusCode::FORBIDDEN, like, "InsufficientPrivilege", &[]);
            return (answer, Some(Effect::Refused(Refusal::InsufficientPrivilege)));
        }
        self.table.end(&id);
        let answer = if like.sessions.end_is_told {
            Answer::base(StatusCode::OK, like, "Success", &[])
        } else {
            Answer::empty(StatusCode::NO_CONTENT)
        };
        let by = visitor.map(|visitor| visitor.user.clone()).unwrap_or_default();
        (answer, Some(Effect::Ended { id, owner, by }))
    }
}

/// 404 in the words of the firmware.
pub(crate) fn missing(call: &Call<'_>) -> Answer {
    let (path, like) = (call.request.uri().path(), call.like);
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let kind = if matches!(call.target.resource, Resource::Session(_)) { "Session" } else { "" };
    match like.messages.missing {
        Missing::AtUri => Answer::base(StatusCode::NOT_FOUND, like, "ResourceMissingAtURI", &[path]),
        Missing::Named => Answer::base(StatusCode::NOT_FOUND, like, "ResourceNotFound", &[kind, name]),
    }
}

/// Outside the REST service no login is asked for, and only GET is known.
fn outside(call: &Call<'_>) -> Answer {
    match *call.request.method() {
        Method::GET | Method::HEAD => missing(call),
        _ => Answer::not_allowed("GET"),
    }
}

/// 308, so that a POST stays a POST.
fn moved(call: &Call<'_>) -> Answer {
    let to = call.target.moved_to.as_deref().unwrap_or_default();
    Answer::empty(StatusCode::PERMANENT_REDIRECT).with(LOCATION, to)
}

/// 501 for a wish that is not served.
fn unexpanded(call: &Call<'_>) -> Answer {
    let wish = call.request.uri().query().unwrap_or_default();
    Answer::base(StatusCode::NOT_IMPLEMENTED, call.like, "QueryParameterValueFormatError", &[wish, "$expand"])
}
