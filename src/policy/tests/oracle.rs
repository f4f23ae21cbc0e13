//! A second, plain reading of who must stay and when a rule may speak. It shares no code with the room it
//! judges but the nouns: text is compared as text, addresses as numbers, times as seconds.

use std::net::IpAddr;

use super::*;

/// Why a session must stay whatever the rules say (DESIGN: "Never delete"), or because no rule names its kind,
/// its user type or its place.
pub(super) fn protected(story: &Story, session: &Session) -> Option<&'static str> {
    let Story { policy, seen, .. } = story;
    let owner = session.owner.as_ref().map(|owner| owner.to_string().to_lowercase());
    if seen.extent != Extent::Whole {
        return Some("not all was seen");
    }
    if session.mine.may_be() || session.id == seen.own.held {
        return Some("own");
    }
    let Some(owner) = owner else { return Some("owner unknown") };
    if seen.own.accounts.iter().any(|account| account.to_string().to_lowercase() == owner) {
        return Some("own account");
    }
    if ["_hponeviewadmin", "ams", "ilorest", "isut", "sut", "sum"].contains(&owner.as_str()) {
        return Some("manager");
    }
    let Some(origin) = session.origin else { return Some("origin unknown") };
    if session.access.is_none() {
        return Some("last access unknown");
    }
    if policy.protect.iter().any(|protection| covers(protection, seen, session, &owner, origin)) {
        return Some("protected");
    }
    if !Kind::NAMES.iter().any(|(_, kind)| *kind == session.kind) {
        return Some("kind unknown");
    }
    if session.user_type != UserType::Local && session.user_type != UserType::Directory {
        return Some("user type");
    }
    let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    let id = session.id.to_string();
    if id.is_empty() || id.len() > 128 || id == "." || id == ".." || !id.chars().all(plain) {
        return Some("odd id");
    }
    if !policy.reap.iter().any(|rule| names(rule, session, origin)) {
        return Some("no rule names it");
    }
    let Past { longest_pause_s, stands_still_s } = past(story, &session.id);
    let idle_s = idle_s(seen, session, stands_still_s);
    if longest_pause_s.is_some_and(|pause_s| idle_s.is_none_or(|idle_s| idle_s <= 3 * pause_s)) {
        return Some("it paused before");
    }
    None
}

/// What earlier looks tell of one session.
struct Past {
    longest_pause_s: Option<i64>,
    stands_still_s: Option<i64>,
}

/// All looks since whole tables last left a session out for ten minutes.
pub(super) fn since_forgotten<'a>(story: &'a Story, id: &SessionId) -> &'a [(Duration, Observation)] {
    let (mut begins, mut left_out) = (0, None);
    for (number, (at, seen)) in story.looks.iter().enumerate() {
        if seen.sessions.iter().any(|session| session.id == *id) {
            left_out = None;
        } else if seen.extent == Extent::Whole {
            let for_long = at.saturating_sub(*left_out.get_or_insert(*at)) >= Duration::from_secs(600);
            begins = if for_long { number + 1 } else { begins };
        }
    }
    &story.looks[begins..]
}

/// A look at which an access time was another than at the one before.
struct Move {
    at_s: i64,
    /// The last look before it that did not show this access.
    not_before_s: i64,
    access_s: Option<i64>,
    is_sound: bool,
}

/// Reads all looks at one session again.
fn past(story: &Story, id: &SessionId) -> Past {
    let seconds = |at: Duration| at.as_secs().cast_signed();
    let whole_before = |at: Duration| {
        let mut whole = story.looks.iter().filter(|(then, seen)| *then < at && seen.extent == Extent::Whole);
        seconds(whole.next_back().map_or(at, |(then, _)| *then))
    };
    let mut moves: Vec<Move> = Vec::new();
    let (mut login, mut told_at_s) = (None, 0);
    for (at, seen) in since_forgotten(story, id) {
        let Some(session) = seen.sessions.iter().find(|session| session.id == *id) else { continue };
        let access_s = session.access.map(Timestamp::unix_s);
        let mut first_s = None;
        if login.is_some() && session.login.is_some() && login != session.login {
            moves.clear();
            login = None;
        } else if moves.iter().all(|earlier| earlier.access_s.is_none()) {
            // Nothing was told before.
            first_s = moves.first().map(|earlier| earlier.not_before_s);
            moves.clear();
        } else if access_s.is_none() {
            continue;
        }
        login = if moves.is_empty() { session.login } else { login };
        let is_sound = matches!(seen.clock, Clock::Sound(_)) && !seen.suspects.contains(id);
        if moves.last().is_none_or(|last| last.access_s != access_s) {
            let not_before_s = if moves.is_empty() { first_s.unwrap_or_else(|| whole_before(*at)) } else { told_at_s };
            moves.push(Move { at_s: seconds(*at), not_before_s, access_s, is_sound });
        }
        told_at_s = seconds(*at);
    }
    let pauses = moves.windows(2).map(|pair| match (pair[0].access_s, pair[1].access_s) {
        (Some(before_s), Some(access_s)) if pair[1].is_sound && before_s <= access_s => access_s - before_s,
        (Some(before_s), Some(access_s)) if !pair[1].is_sound && access_s - before_s <= 7 * 86_400 => {
            (access_s - before_s).max(pair[1].at_s - pair[0].not_before_s)
        }
        _ => pair[1].at_s - pair[0].not_before_s,
    });
    let now_s = seconds(story.now);
    Past { longest_pause_s: pauses.max(), stands_still_s: moves.last().map(|last| now_s - last.at_s) }
}

/// Seconds since the last access, on the iLO's clock; where that is not to be believed, as long as we saw it stand.
fn idle_s(seen: &Observation, session: &Session, stands_still_s: Option<i64>) -> Option<i64> {
    if session.kind == Kind::Ssh || session.kind == Kind::Console {
        return None;
    }
    let access_s = session.access?.unix_s();
    match seen.clock {
        Clock::Sound(now) if !seen.suspects.contains(&session.id) => {
            let login_s = session.login.map_or(access_s, Timestamp::unix_s);
            (login_s <= access_s && access_s <= now.unix_s()).then_some(now.unix_s() - access_s)
        }
        _ => stands_still_s,
    }
}

/// Whether a protection certainly covers a session. It may cover more: in doubt it spares.
fn covers(protection: &Protection, seen: &Observation, session: &Session, owner: &str, origin: IpAddr) -> bool {
    let asked = &protection.conditions;
    let long_enough = |asked: Option<Duration>, found: Option<Timestamp>| match (asked, found, &seen.clock) {
        (None, ..) => true,
        (Some(asked), Some(found), Clock::Sound(now)) => {
            i128::from(now.unix_s()) - i128::from(found.unix_s()) >= i128::from(asked.as_secs())
        }
        _ => false,
    };
    protection.until.is_none_or(|until| until > HOST_NOW)
        && asked.owner.as_ref().is_none_or(|globs| globs.iter().any(|glob| fits(&glob.to_string(), owner)))
        && asked.origin.as_ref().is_none_or(|nets| nets.iter().any(|net| holds(net, origin)))
        && (asked.kinds.is_empty() || asked.kinds.contains(&session.kind))
        && (asked.user_types.is_empty() || asked.user_types.contains(&session.user_type))
        && long_enough(asked.age, session.login)
        && long_enough(asked.idle, session.access)
}

/// Whether a rule is about this kind, user type and place at all.
fn names(rule: &Rule, session: &Session, origin: IpAddr) -> bool {
    let asked = &rule.conditions;
    let inside = is_inside(bits(origin));
    let named = asked.origin.iter().flatten().any(|net| holds(net, origin) && is_inside(bits(net.network())));
    asked.kinds.contains(&session.kind) && asked.user_types.contains(&session.user_type) && (!inside || named)
}

/// Whether every condition of `rule` is proven for this session; if not, which one is not.
pub(super) fn proven(rule: &Rule, story: &Story, session: &Session, table: &Table) -> Result<(), &'static str> {
    let seen = &story.seen;
    let asked = &rule.conditions;
    let suspect = seen.suspects.contains(&session.id);
    let now = seen.clock.now().filter(|_| !suspect).map(Timestamp::unix_s);
    let login = session.login.map(Timestamp::unix_s);
    let access = session.access.map(Timestamp::unix_s);
    let moves = session.kind != Kind::Ssh && session.kind != Kind::Console;
    let owner = session.owner.as_ref().map(|owner| owner.to_string().to_lowercase()).unwrap_or_default();
    let check = |holds: bool, what: &'static str| if holds { Ok(()) } else { Err(what) };
    let asks_time = asked.age.is_some() || asked.superseded && !suspect || asked.never_used;
    if asks_time {
        let now = now.ok_or("now unknown")?;
        check(login.is_none_or(|login| login <= now), "login in the future")?;
        check(access.is_none_or(|access| access <= now), "access in the future")?;
        check(login.zip(access).is_none_or(|(login, access)| login <= access), "used before login")?;
    }
    if let Some(globs) = &asked.owner {
        check(globs.iter().any(|glob| fits(&glob.to_string(), &owner)), "owner")?;
    }
    if let Some(nets) = &asked.origin {
        check(session.origin.is_some_and(|origin| nets.iter().any(|net| holds(net, origin))), "origin")?;
    }
    if let Some(asked) = asked.age {
        check(now.zip(login).is_some_and(|(now, login)| now - login >= asked.as_secs().cast_signed()), "age")?;
    }
    if let Some(asked) = asked.idle {
        let idle_s = idle_s(seen, session, past(story, &session.id).stands_still_s);
        check(idle_s.is_some_and(|idle_s| idle_s >= asked.as_secs().cast_signed()), "idle")?;
    }
    if asked.never_used {
        check(moves && login.is_some() && login == access, "never used")?;
    }
    if asked.superseded {
        // It logged in after we first saw the suspect as it is.
        let since_seen = |other: &Session| {
            let [login, access] = [other.login, other.access].map(|time| time.map(Timestamp::unix_s));
            let now = seen.clock.now().map(Timestamp::unix_s);
            let is_sound = login <= now && access.is_none_or(|access| login <= Some(access) && Some(access) <= now);
            let age_s = now.zip(login).filter(|_| is_sound).map(|(now, login)| now - login);
            let stood_s = past(story, &session.id).stands_still_s;
            age_s.zip(stood_s).is_some_and(|(age_s, stood_s)| age_s + 3 < stood_s)
        };
        let newer = |other: &&Session| {
            let begun = other.login.map(Timestamp::unix_s);
            other.owner.as_ref().is_some_and(|other| other.to_string().to_lowercase() == owner)
                && session.origin.is_some()
                && other.origin == session.origin
                && other.kind == session.kind
                && if suspect { since_seen(other) } else { begun > login && begun > access && begun <= now }
                && !other.mine.may_be()
                && other.id != seen.own.held
                && !seen.suspects.contains(&other.id)
        };
        let known = moves && (login.is_some() || suspect) && access.is_some();
        check(known && seen.sessions.iter().any(|other| newer(&other)), "superseded")?;
    }
    if let Some(asked) = asked.when {
        check(table.limit.is_some() && table.level.is_some_and(|level| level >= asked), "when")?;
    }
    check(rule.down_to.is_none() || table.limit.is_some(), "down_to without a limit")
}

/// An address as 128 bits, IPv4 in its mapped form.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => 0xffff_0000_0000 | u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Whether a network holds an address. A network of IPv6 that is wider than the mapped addresses holds none of them.
fn holds(net: &ipnet::IpNet, origin: IpAddr) -> bool {
    let mapped = |bits: u128| bits >> 32 == 0xffff;
    let length = u32::from(net.prefix_len()) + if net.addr().is_ipv4() { 96 } else { 0 };
    let differ = (bits(net.addr()) ^ bits(origin)).checked_shr(128 - length).unwrap_or(0);
    differ == 0 && (!mapped(bits(origin)) || length >= 96)
}

fn is_inside(bits: u128) -> bool {
    let v4 = (bits >> 32 == 0xffff).then_some(bits & 0xffff_ffff);
    bits == 1 || v4.is_some_and(|v4| v4 >> 24 == 127 || v4 >> 8 == 0x0010_010f)
}

/// `*` and `?`, by trying everything.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            fits(&pattern[1..], &text)
                || text.char_indices().any(|(at, c)| fits(&pattern[1..], &text[at + c.len_utf8()..]))
        }
        Some(first) => text.chars().next().is_some_and(|other| {
            (first == '?' || first == other) && fits(&pattern[first.len_utf8()..], &text[other.len_utf8()..])
        }),
    }
}
