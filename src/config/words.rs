//! Words in mistakes: what was expected, and what was probably meant.

use std::collections::BTreeSet;

use crate::session::clean;
use crate::settings::{IloName, Settings};

/// Words longer than this are not compared: nobody misspells them by a letter.
const COMPARED_MAX: usize = 64;
/// Names less alike than this, of 1, are not mistaken for each other.
const ALIKE: f64 = 0.75;
/// Names that a warning tells.
const NAMES_SHOWN: usize = 3;

/// The valid word that is nearest to a wrong one, where one is near at all.
pub(super) fn nearest<'a>(wrong: &str, valid: &[&'a str]) -> Option<&'a str> {
    if wrong.len() > COMPARED_MAX {
        return None;
    }
    let wrong = wrong.to_lowercase().replace('-', "_");
    let letters_off = |word: &str| strsim::damerau_levenshtein(&wrong, &word.replace('-', "_"));
    let near = valid.iter().map(|word| (letters_off(word), *word)).min()?;
    (near.0 <= 1.max(wrong.chars().count() / 3)).then_some(near.1)
}

/// The iLOs of the configuration that somebody asks for by name, or all where none is named; else what is wrong with one.
pub fn named(settings: &Settings, asked: &[String]) -> Result<BTreeSet<IloName>, String> {
    if asked.is_empty() {
        return Ok(settings.targets.keys().cloned().collect());
    }
    let known = |name: &String| {
        let ilo = IloName::new(name);
        if settings.targets.contains_key(&ilo) { Ok(ilo) } else { Err(unknown(settings, name)) }
    };
    asked.iter().map(known).collect()
}

fn unknown(settings: &Settings, name: &str) -> String {
    let likeness = |ilo: &IloName| strsim::jaro(ilo.as_str(), name);
    let nearest = settings.targets.keys().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let nearest = nearest.filter(|nearest| likeness(nearest) >= ALIKE);
    let hint = nearest.map_or_else(String::new, |nearest| format!("; did you mean '{nearest}'?"));
    format!("there is no iLO '{}' in the configuration{hint}", clean(name, 256))
}

/// The valid words, and the one that was probably meant: `` one of `a`, `b`, `c`; did you mean `a`? ``.
pub(super) fn choice(wrong: &str, valid: &[&str]) -> String {
    match nearest(wrong, valid) {
        Some(near) if valid.len() > 1 => format!("{}; did you mean `{near}`?", listed(valid)),
        _ => listed(valid),
    }
}

/// Some names, and how many more there are: `a, b, c and 39 more`.
pub(super) fn some_names(names: &[impl std::fmt::Display]) -> String {
    let shown: Vec<String> = names.iter().take(NAMES_SHOWN).map(ToString::to_string).collect();
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Words as a choice: `` `a` ``, `` `a` or `b` ``, ``one of `a`, `b`, `c` ``.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [one, other] => format!("{one} or {other}"),
        [_, _, ..] => format!("one of {}", quoted.join(", ")),
        few => few.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let valid = ["every", "fastest", "visits_at_once", "connect_timeout"];
        for (wrong, near) in [
            ("evry", Some("every")),
            ("Every", Some("every")),
            ("visits-at-once", Some("visits_at_once")),
            ("conect_timeot", Some("connect_timeout")),
            ("interval", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, &valid), near, "{wrong}");
        }
        assert_eq!(nearest(&"e".repeat(1 << 20), &valid), None);
    }
}
