//! Which firmware a simulated iLO behaves like.
//!
//! A personality is data: one row in [`ilo`] or [`other`], made of [`traits`]. Whatever differs from firmware to
//! firmware is a trait with a name and a source; resources and services read traits and never ask which
//! personality they serve.

mod ilo;
mod other;
pub(crate) mod schema;
pub(crate) mod traits;

use std::fmt;
use std::str::FromStr;

pub(crate) use traits::Traits;

/// Which firmware an iLO behaves like; or which other Redfish service, to see what clients take for granted.
///
/// ```
/// use ilo_sim::Personality;
///
/// let old: Personality = "ilo4-2.55".parse()?;
/// assert_eq!(old, Personality::Ilo4V255);
/// assert!(Personality::ALL.contains(&old));
/// # Ok::<(), ilo_sim::UnknownPersonality>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Personality {
    /// An iLO 4 with firmware 2.30 (2015), the first that speaks Redfish.
    Ilo4V230,
    /// An iLO 4 with firmware 2.55 (2017).
    Ilo4V255,
    /// An iLO 4 with firmware 2.78 (2021).
    Ilo4V278,
    /// An iLO 5 with firmware 1.39 (2019), before trailing slashes were made optional.
    Ilo5V139,
    /// An iLO 5 with firmware 2.33 (2020), whose service root does not tell which firmware it is.
    Ilo5V233,
    /// An iLO 5 with firmware 2.46 (2021).
    Ilo5V246,
    /// An iLO 5 with firmware 3.11 (2025).
    #[default]
    Ilo5V311,
    /// An iLO 6 with firmware 1.10 (2022), before its time-out could be read.
    Ilo6V110,
    /// An iLO 6 with firmware 1.40 (2023).
    Ilo6V140,
    /// An iLO 6 with firmware 1.66 (2025).
    Ilo6V166,
    /// An iLO 7 with firmware 1.14 (2025).
    Ilo7V114,
    /// An iLO 7 with firmware 1.17 (2025).
    Ilo7V117,
    /// No iLO: a service that says what the standard schemas have, and nothing of a maker's own.
    Generic,
    /// No iLO: a management controller like those that run bmcweb.
    OpenBmc,
    /// No iLO: a server of recorded answers, like DMTF's Redfish-Mockup-Server.
    Mockup,
}

impl Personality {
    /// Every personality, oldest generation first.
    pub const ALL: &[Self] = &[
        Self::Ilo4V230,
        Self::Ilo4V255,
        Self::Ilo4V278,
        Self::Ilo5V139,
        Self::Ilo5V233,
        Self::Ilo5V246,
        Self::Ilo5V311,
        Self::Ilo6V110,
        Self::Ilo6V140,
        Self::Ilo6V166,
        Self::Ilo7V114,
        Self::Ilo7V117,
        Self::Generic,
        Self::OpenBmc,
        Self::Mockup,
    ];

    /// The name that it is chosen by: `ilo5-3.11`.
    pub const fn name(self) -> &'static str {
        self.traits().name
    }

    /// What is worth knowing of it, in a few words.
    pub const fn about(self) -> &'static str {
        self.traits().about
    }

    pub(crate) const fn traits(self) -> &'static Traits {
        match self {
            Self::Ilo4V230 => &ilo::ILO_4_230,
            Self::Ilo4V255 => &ilo::ILO_4_255,
            Self::Ilo4V278 => &ilo::ILO_4_278,
            Self::Ilo5V139 => &ilo::ILO_5_139,
            Self::Ilo5V233 => &ilo::ILO_5_233,
            Self::Ilo5V246 => &ilo::ILO_5_246,
            Self::Ilo5V311 => &ilo::ILO_5_311,
            Self::Ilo6V110 => &ilo::ILO_6_110,
            Self::Ilo6V140 => &ilo::ILO_6_140,
            Self::Ilo6V166 => &ilo::ILO_6_166,
            Self::Ilo7V114 => &ilo::ILO_7_114,
            Self::Ilo7V117 => &ilo::ILO_7_117,
            Self::Generic => &other::GENERIC,
            Self::OpenBmc => &other::OPENBMC,
            Self::Mockup => &other::MOCKUP,
        }
    }
}

impl fmt::Display for Personality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Personality {
    type Err = UnknownPersonality;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let named = |personality: &Self| personality.name().eq_ignore_ascii_case(name);
        Self::ALL.iter().copied().find(named).ok_or_else(|| UnknownPersonality(name.to_owned()))
    }
}

/// A name that no personality has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPersonality(String);

impl fmt::Display for UnknownPersonality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no personality '{}'; there are ", self.0)?;
        for (place, personality) in Personality::ALL.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{personality}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownPersonality {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_personality_is_found_by_its_name_and_no_two_share_one() {
        for personality in Personality::ALL {
            assert_eq!(personality.name().parse().as_ref(), Ok(personality));
            assert_eq!(personality.to_string().to_uppercase().parse().as_ref(), Ok(personality));
        }
    }

    #[test]
    fn an_unknown_name_is_told_with_all_that_are_known() {
        let why = "ilo3-1.94".parse::<Personality>().unwrap_err().to_string();
        assert!(why.starts_with("there is no personality 'ilo3-1.94'; there are ilo4-2.30, "), "{why}");
        assert!(why.ends_with(", mockup"), "{why}");
    }
}
