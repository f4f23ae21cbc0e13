//! The fields of each event: fixed keys in a fixed order. They only ever get more.

use std::time::Duration;

use serde::ser::{Serialize, SerializeSeq, Serializer};

use crate::event::{Case, Event, Place, Squeeze, Topic};
use crate::session::{FOREIGN_TEXT_MAX, clean};
use crate::time::Timestamp;

/// Bytes kept of one text in a field.
pub(super) const TEXT_MAX: usize = 1024;
/// Elements kept of one list; how many more there were is its last.
pub(super) const LIST_MAX: usize = 32;

/// The keys of a table that fills.
const SQUEEZE: [&str; 10] =
    ["used", "limit", "limit_from", "free", "reapable", "protected", "full_in_s", "top_owner", "top_origin", "top"];

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Not known; the key is there all the same.
    Unknown,
    /// A whole number.
    Number(i64),
    /// Clean text of bounded length.
    Text(String),
    /// Clean texts, of bounded length and number.
    List(Vec<String>),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unknown => serializer.serialize_none(),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(elements) => {
                let mut list = serializer.serialize_seq(Some(elements.len()))?;
                elements.iter().try_for_each(|element| list.serialize_element(element))?;
                list.end()
            }
        }
    }
}

/// Keys and values, in the order of the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// Each key with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.iter().find_map(|(other, value)| (other == key).then_some(value))
    }

    fn text(self, key: &'static str, text: &(impl ToString + ?Sized)) -> Self {
        self.value(key, Value::Text(clean(&text.to_string(), TEXT_MAX)))
    }

    fn text_if_known(self, key: &'static str, text: Option<impl ToString>) -> Self {
        match text {
            Some(text) => self.text(key, &text),
            None => self.value(key, Value::Unknown),
        }
    }

    fn count(self, key: &'static str, count: impl TryInto<i64>) -> Self {
        self.value(key, Value::Number(count.try_into().unwrap_or(i64::MAX)))
    }

    fn count_if_known(self, key: &'static str, count: Option<impl TryInto<i64>>) -> Self {
        match count {
            Some(count) => self.count(key, count),
            None => self.value(key, Value::Unknown),
        }
    }

    fn seconds(self, key: &'static str, span: Duration) -> Self {
        self.count(key, span.as_secs())
    }

    fn list<T: ToString>(self, key: &'static str, elements: &[T]) -> Self {
        let mut list: Vec<String> =
            elements.iter().take(LIST_MAX).map(|element| clean(&element.to_string(), FOREIGN_TEXT_MAX)).collect();
        if elements.len() > LIST_MAX {
            list.push(format!("and {} more", elements.len() - LIST_MAX));
        }
        self.value(key, Value::List(list))
    }

    fn place(self, at: &Place) -> Self {
        self.text("ilo", &at.ilo).text("group", &at.group)
    }

    fn case(self, case: &Case) -> Self {
        let session = &case.session;
        self.text("session", &session.id)
            .text_if_known("owner", session.owner.as_ref())
            .text_if_known("origin", session.origin)
            .text("kind", &session.kind)
            .count_if_known("age_s", case.age.map(|age| age.as_secs()))
            .count_if_known("idle_s", case.idle.map(|idle| idle.as_secs()))
            .text("rule", &case.rule)
            .count("used", case.used)
            .count_if_known("limit", case.limit)
    }

    /// In the order of [`SQUEEZE`].
    fn squeeze(self, squeeze: &Squeeze) -> Self {
        self.count("used", squeeze.used)
            .count("limit", squeeze.limit)
            .text("limit_from", squeeze.limit_from)
            .count("free", squeeze.free())
            .count("reapable", squeeze.reapable)
            .count("protected", squeeze.protected)
            .count_if_known("full_in_s", squeeze.full_in.map(|full_in| full_in.as_secs()))
            .text_if_known("top_owner", squeeze.top_owner.as_ref())
            .text_if_known("top_origin", squeeze.top_origin)
            .count("top", squeeze.top)
    }

    fn order(self, by: &str, until: Option<Timestamp>, reason: &str) -> Self {
        self.text("by", by).text_if_known("until", until).text("reason", reason)
    }

    fn value(mut self, key: &'static str, value: Value) -> Self {
        self.0.push((key, value));
        self
    }
}

/// The fields of an event: the place first, where it has one.
pub fn fields(event: &Event) -> Fields {
    let fields = match event.place() {
        Some(at) => Fields::default().place(at),
        None => Fields::default(),
    };
    match event.topic() {
        Topic::Session => of_session(fields, event),
        Topic::Table => of_table(fields, event),
        Topic::Ilo => of_ilo(fields, event),
        Topic::Order => of_order(fields, event),
        Topic::Daemon => of_daemon(fields, event),
    }
}

fn of_session(fields: Fields, event: &Event) -> Fields {
    match event {
        Event::SessionReaped { case, gone, .. } => fields.case(case).text("fate", gone.name()).text("why", &case.why),
        Event::SessionWouldReap { case, because, .. } => {
            fields.case(case).text("why", &case.why).text("because", &clean(because, FOREIGN_TEXT_MAX))
        }
        Event::SessionSpared { session, owner, why, .. } => {
            fields.text("session", session).text_if_known("owner", owner.as_ref()).text("why", why)
        }
        Event::ReapFailed { session, status, message_id, .. } => fields
            .text("session", session)
            .count_if_known("status", *status)
            .text_if_known("message_id", message_id.as_ref()),
        Event::ReapCapped { cap, wanted, done, .. } => {
            fields.text("cap", cap).count("wanted", *wanted).count("done", *done)
        }
        Event::SessionCameBack { session, owner, origin, rule, idle, .. } => fields
            .text("session", session)
            .text_if_known("owner", owner.as_ref())
            .text_if_known("origin", *origin)
            .text("rule", rule)
            .count_if_known("idle_s", idle.map(|idle| idle.as_secs())),
        Event::StrayEnded { session, why, .. } => fields.text("session", session).text("why", why),
        _ => fields,
    }
}

fn of_table(fields: Fields, event: &Event) -> Fields {
    match event {
        Event::IloNearLimit { squeeze, .. } | Event::IloCritical { squeeze, .. } | Event::IloFull { squeeze, .. } => {
            fields.squeeze(squeeze)
        }
        Event::IloBlocked { squeeze, why, .. } => fields.squeeze(squeeze).list("why", why),
        Event::IloRelieved { used, limit, lasted, .. } => {
            fields.count("used", *used).count("limit", *limit).seconds("lasted_s", *lasted)
        }
        // Whoever is refused sees no table; what the event is called has these keys.
        Event::IloRefusedUs { detail, .. } => {
            let unknown = |fields: Fields, key| fields.value(key, Value::Unknown);
            SQUEEZE.into_iter().fold(fields, unknown).text("detail", detail)
        }
        _ => fields,
    }
}

fn of_ilo(fields: Fields, event: &Event) -> Fields {
    match event {
        Event::IloUnreachable { cause, since, detail, .. } => {
            fields.text("cause", cause.name()).seconds("since_s", *since).text("detail", detail)
        }
        Event::IloReachable { since, .. } => fields.seconds("since_s", *since),
        Event::LoginRejected { username, retry_in, .. } => {
            fields.text("username", username).seconds("retry_in_s", *retry_in)
        }
        Event::DeleteForbidden { username, .. } => {
            fields.text("privilege", PRIVILEGE_TO_END_OTHERS).text("username", username)
        }
        Event::CertificateChanged { expected, found, is_known, known_since, .. } => {
            let pinned_in = if *is_known { "known_ilos" } else { "configuration" };
            let fields = fields.text("expected", expected).text("found", found).text("pinned_in", pinned_in);
            fields.text_if_known("pinned_since", known_since.as_ref())
        }
        Event::IloDuplicate { other, .. } => fields.text("other", other),
        Event::ClockWrong { skew_s, why, .. } => fields.count_if_known("skew_s", *skew_s).text("why", why),
        Event::VisitBroken { detail, .. } => fields.text("detail", detail),
        _ => fields,
    }
}

/// What an account needs to end the sessions of others, by its name on the iLO's pages
/// (`UserConfigPriv` on the wire).
pub(super) const PRIVILEGE_TO_END_OTHERS: &str = "Administer User Accounts";

fn of_order(fields: Fields, event: &Event) -> Fields {
    match event {
        Event::DaemonPaused { by, until, reason } | Event::DaemonResumed { by, until, reason } => {
            fields.order(by, *until, reason)
        }
        Event::ProtectionAdded { id, what, by, until, reason }
        | Event::ProtectionEnded { id, what, by, until, reason } => {
            fields.text("protection", id).text("what", what).order(by, *until, reason)
        }
        _ => fields,
    }
}

fn of_daemon(fields: Fields, event: &Event) -> Fields {
    match event {
        Event::DaemonReady { version, ilos, mode } | Event::DaemonStopping { version, ilos, mode } => {
            fields.text("version", version).count("ilos", *ilos).text("mode", mode)
        }
        Event::FleetSummary(summary) => fields
            .count("ilos", summary.ilos)
            .count("visited", summary.visited)
            .count("late", summary.late)
            .count("near", summary.near)
            .count("critical", summary.critical)
            .count("full", summary.full)
            .count("reaped", summary.reaped)
            .count("would_reap", summary.would_reap)
            .count("unreachable", summary.unreachable)
            .count("visit_p99_ms", summary.visit_p99.as_millis()),
        Event::ConfigReloaded { added, removed, changed, bolder } => {
            fields.count("added", *added).count("removed", *removed).count("changed", *changed).list("bolder", bolder)
        }
        Event::ConfigRejected { file, line, column, mistake } => fields
            .text("file", file)
            .count_if_known("line", *line)
            .count_if_known("column", *column)
            .text("mistake", mistake),
        Event::TlsInsecure { group, ilos } => fields.text("group", group).count("ilos", *ilos),
        Event::LeakerFound { owner, origin, orphans, ilos } => {
            fields.text("owner", owner).text("origin", origin).count("orphans", *orphans).count("ilos", *ilos)
        }
        Event::CredentialSuspended { credential, rejected_by, retry_in } => {
            fields.text("credential", credential).list("rejected_by", rejected_by).seconds("retry_in_s", *retry_in)
        }
        Event::CredentialRestored { credential, accepted_by } => {
            fields.text("credential", credential).text("accepted_by", accepted_by)
        }
        Event::StateUnwritable { path, cause } | Event::StateReset { path, cause } => {
            fields.text("path", path).text("cause", cause)
        }
        Event::StateWritable { path } => fields.text("path", path),
        Event::Many { ilos, names, .. } => fields.count("ilos", *ilos).list("names", names),
        Event::EventsLost { count } => fields.count("count", *count),
        _ => fields,
    }
}
