//! The side of the daemon: what is asked, and where it goes.

use std::ffi::OsStr;
use std::future::Future;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::net::unix::UCred;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::wishes::{Around, Pause, Protect, Unprotect, Visits};
use super::{ROUND_PATIENCE, path};
use crate::config::Mistake;
use crate::fleet::{Asked, Command, Denied, Force, Granted, Wish};
use crate::report::{status_json, status_lines, visits_json};
use crate::serve::{self, Bounds};
use crate::settings::{Order, Shield};
use crate::time::{HostClock, Timestamp};

/// A wish to take the configuration again, and where its verdict goes.
pub type Reload = oneshot::Sender<Result<Reloaded, Vec<Mistake>>>;

/// A configuration that is in force now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// iLOs that are new ...
    pub added: usize,
    /// ... that are gone ...
    pub removed: usize,
    /// ... and of which something changed.
    pub changed: usize,
    /// What deletes more now.
    pub bolder: Vec<String>,
    /// What people must know all the same.
    pub warnings: Vec<String>,
}

/// Where what is asked goes.
pub struct Desk {
    /// To the loop.
    pub commands: mpsc::Sender<Command>,
    /// To whoever reads the configuration.
    pub reloads: mpsc::Sender<Reload>,
    /// What is in force.
    pub force: Force,
    /// The host's clock.
    pub clock: HostClock,
    /// Who may ask beside root.
    pub uid: u32,
    /// The main file of the configuration.
    pub config: PathBuf,
    /// Rounds of visits at once: each keeps what it saw until its end, and other questions need places too.
    pub rounds: Semaphore,
}

/// Few people ask at once. An answer may wait for a DELETE under way, for a slow disk, for large lists that are read; and
/// that of a round of visits for thousands of iLOs that do not answer.
const BOUNDS: Bounds = Bounds {
    connections: 32,
    read: Duration::from_secs(5),
    body_bytes: 1 << 20,
    whole: ROUND_PATIENCE,
    end: Duration::from_secs(2),
};

/// Serves until `stop` is done.
pub async fn serve(listener: UnixListener, desk: Desk, stop: impl Future<Output = ()>) {
    let desk = Arc::new(desk);
    let answer = move |peer, request| {
        let desk = Arc::clone(&desk);
        async move { desk.answer(peer, request).await }
    };
    serve::serve(listener, BOUNDS, answer, stop).await;
}

/// A status and what is told with it.
type Told = (StatusCode, Value);

impl Desk {
    /// Answers one request.
    async fn answer(&self, peer: Option<UCred>, request: Request<Bytes>) -> Response<Bytes> {
        let (status, value) = self.told(peer, &request).await.unwrap_or_else(|refused| refused);
        let mut response = Response::new(Bytes::from(value.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    async fn told(&self, peer: Option<UCred>, request: &Request<Bytes>) -> Result<Told, Told> {
        // The rights of the socket say the same; this holds also for the moment before it has them.
        let uid = peer.map(|peer| peer.uid()).filter(|uid| *uid == 0 || *uid == self.uid);
        let uid = uid.ok_or_else(|| refused(StatusCode::FORBIDDEN, "only root and the service's own user may ask"))?;
        self.is_meant(request)?;
        let in_force = self.force.now();
        let around = || Around { by: format!("uid {uid}"), now: self.clock.now(), settings: &in_force.settings };
        let bad = |why: String| refused(StatusCode::BAD_REQUEST, &why);
        match (request.method(), request.uri().path()) {
            (&Method::GET, path::STATUS) => self.status().await,
            (&Method::GET, path::ORDERS) => Ok((StatusCode::OK, self.orders())),
            (&Method::POST, path::RELOAD) => self.reload().await,
            (&Method::POST, path::PAUSE) => self.wish(read::<Pause>(request)?.wish(around()).map_err(bad)?).await,
            (&Method::POST, path::RESUME) => self.wish(Wish::Resume(around().by)).await,
            (&Method::POST, path::VISITS) => {
                self.visit(read::<Visits>(request)?.asked(&in_force.settings).map_err(bad)?).await
            }
            (&Method::POST, path::PROTECT) => self.wish(read::<Protect>(request)?.wish(around()).map_err(bad)?).await,
            (&Method::POST, path::UNPROTECT) => {
                self.wish(Wish::Unprotect(read::<Unprotect>(request)?.id, around().by)).await
            }
            _ => {
                Err(refused(StatusCode::NOT_FOUND, "this ilo-reaper knows no such question; is it of another version?"))
            }
        }
    }

    /// Whoever names another configuration means another fleet.
    fn is_meant(&self, request: &Request<Bytes>) -> Result<(), Told> {
        let Some(asked) = request.headers().get(super::CONFIG) else { return Ok(()) };
        let asked = Path::new(OsStr::from_bytes(asked.as_bytes()));
        // Two that can't be found are not the same for that.
        let same_file = || Some(asked.canonicalize().ok()? == self.config.canonicalize().ok()?);
        if asked == self.config || same_file() == Some(true) {
            return Ok(());
        }
        let why = format!(
            "the daemon that runs has another configuration, {}; leave `--config` and ILO_REAPER_CONFIG out, or stop it",
            self.config.display()
        );
        Err(refused(StatusCode::CONFLICT, &why))
    }

    async fn status(&self) -> Result<Told, Told> {
        let (survey, heard) = oneshot::channel();
        self.commands.send(Command::Survey(survey)).await.map_err(|_| stopping())?;
        let survey = heard.await.map_err(|_| stopping())?;
        let orders = self.orders();
        // Ten thousand iLOs are some megabytes, which the loop must not wait for.
        let rendered = tokio::task::spawn_blocking(move || {
            let mut status = status_json(&survey);
            status["summary"] = json!(status_lines(&survey));
            status["protections"] = orders["protections"].clone();
            status
        });
        Ok((StatusCode::OK, rendered.await.map_err(|_| unrendered())?))
    }

    async fn visit(&self, asked: Asked) -> Result<Told, Told> {
        let too_many =
            |_| refused(StatusCode::CONFLICT, "several rounds of visits are under way; wait for one of them");
        let _place = self.rounds.try_acquire().map_err(too_many)?;
        let ((answer, seen), count) = (oneshot::channel(), asked.ilos.len());
        self.commands.send(Command::Visit(asked, answer)).await.map_err(|_| stopping())?;
        let seen = seen.await.map_err(|_| stopping())?;
        let in_force = self.force.now();
        let rendered = tokio::task::spawn_blocking(move || visits_json(&seen, &in_force.settings.targets, count));
        Ok((StatusCode::OK, rendered.await.map_err(|_| unrendered())?))
    }

    async fn reload(&self) -> Result<Told, Told> {
        let (verdict, heard) = oneshot::channel();
        self.reloads.send(verdict).await.map_err(|_| stopping())?;
        match heard.await.map_err(|_| stopping())? {
            Ok(Reloaded { added, removed, changed, bolder, warnings }) => Ok((
                StatusCode::OK,
                json!({ "v": 1, "added": added, "removed": removed, "changed": changed, "bolder": bolder,
                        "warnings": warnings }),
            )),
            Err(mistakes) => {
                let told: Vec<Value> = mistakes.iter().map(|mistake| json!(mistake.to_string())).collect();
                let error = "the configuration was refused, and the old one stays in force";
                Err((StatusCode::UNPROCESSABLE_ENTITY, json!({ "v": 1, "error": error, "mistakes": told })))
            }
        }
    }

    async fn wish(&self, wish: Wish) -> Result<Told, Told> {
        let (answer, heard) = oneshot::channel();
        let asked = if let Wish::Pause(order) = &wish { Some(order.clone()) } else { None };
        self.commands.send(Command::Wish(wish, answer)).await.map_err(|_| stopping())?;
        let told = match heard.await.map_err(|_| stopping())? {
            Ok(Granted::Paused(by)) => {
                let mut told = order(&by);
                (told["v"], told["paused"], told["is_longer"]) =
                    (json!(1), json!(true), json!(asked.is_some_and(|asked| asked != by)));
                told
            }
            Ok(Granted::Resumed(was_held)) => json!({ "v": 1, "paused": false, "was_held": was_held }),
            Ok(Granted::Protected(id)) => json!({ "v": 1, "protection": id }),
            Ok(Granted::Unprotected) => json!({ "v": 1 }),
            Err(denied) => {
                let status = match denied {
                    Denied::Unknown(_) => StatusCode::NOT_FOUND,
                    Denied::TooMany => StatusCode::CONFLICT,
                    Denied::OnlyInForce(_) | Denied::NotWritten(_) => StatusCode::INSUFFICIENT_STORAGE,
                };
                return Err(refused(status, &denied.to_string()));
            }
        };
        Ok((StatusCode::OK, told))
    }

    /// Who ordered what, and what is over is not told any more.
    fn orders(&self) -> Value {
        let (in_force, now) = (self.force.now(), self.clock.now());
        let shields = in_force.orders.shields.iter().filter(|shield| !shield.order.is_over(now));
        json!({
            "v": 1,
            "paused": in_force.orders.paused(now).map(order),
            "observing": in_force.observing,
            "protections": shields.map(shield).collect::<Vec<_>>(),
        })
    }
}

fn order(order: &Order) -> Value {
    let Order { by, reason, since, until } = order;
    json!({ "by": by, "reason": reason, "since": since.to_string(), "until": until.map(time) })
}

fn shield(shield: &Shield) -> Value {
    let conditions = &shield.protection.conditions;
    let mut told = order(&shield.order);
    told["id"] = json!(shield.protection.id);
    told["owner"] = json!(conditions.owner.iter().flatten().next().map(ToString::to_string));
    told["origin"] = json!(conditions.origin.iter().flatten().next().map(ToString::to_string));
    told["ilo"] = json!(shield.ilo.as_ref().map(ToString::to_string));
    told["session"] = json!(shield.session.as_ref().map(ToString::to_string));
    told
}

fn time(time: Timestamp) -> String {
    time.to_string()
}

fn read<T: DeserializeOwned>(request: &Request<Bytes>) -> Result<T, Told> {
    let wrong = |error: serde_json::Error| refused(StatusCode::BAD_REQUEST, &format!("the question is wrong: {error}"));
    serde_json::from_slice(request.body()).map_err(wrong)
}

fn unrendered() -> Told {
    refused(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be rendered; this is a bug of ilo-reaper")
}

fn stopping() -> Told {
    refused(StatusCode::SERVICE_UNAVAILABLE, "the daemon stops just now")
}

fn refused(status: StatusCode, why: &str) -> Told {
    (status, json!({ "v": 1, "error": crate::session::clean(why, 2048) }))
}
