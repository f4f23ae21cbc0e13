//! Seeded chance: the same seed gives the same ids and tokens, on every machine and in every run.

/// A splitmix64 generator: tiny, well spread, and not meant to keep a secret.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A session token: 32 hexadecimal digits, as in every capture of an iLO.
    pub(crate) fn token(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    /// So many letters and digits: the random names of other services.
    pub(crate) fn letters(&mut self, count: usize) -> String {
        let letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut letter = || usize::try_from(self.next() % letters.len() as u64).unwrap_or_default();
        (0..count).map(|_| char::from(letters[letter()])).collect()
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(&mut self) -> String {
        let hex = self.token();
        format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference values of Vigna's splitmix64.c for the seed 1234567.
    #[test]
    fn is_the_published_generator() {
        let mut chance = Chance::new(1_234_567);
        assert_eq!(chance.next(), 6_457_827_717_110_365_317);
        assert_eq!(chance.next(), 3_203_168_211_198_807_973);
    }
}
