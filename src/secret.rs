//! Passwords and tokens: text that is wiped after use and can't be printed.

use zeroize::Zeroizing;

/// A password or a token. It has no `Debug`, `Display` or `Serialize`, so it can reach a log only
/// through [`Secret::reveal`], whose callers are few.
///
/// ```compile_fail
/// let token = ilo_reaper::secret::Secret::new(String::from("hunter2"));
/// println!("{token:?}");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; its memory is wiped when the last copy goes.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the login body, the `X-Auth-Token` header and the state.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}
