//! The messages that a service has for us, and the standard registry that tells what they mean.
//!
//! Names are those of DMTF's Base registry, as firmware of every generation ships it; the texts are our own.

/// What a message means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meaning {
    pub(crate) id: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) text: &'static str,
    pub(crate) resolution: &'static str,
    pub(crate) args: u32,
}

const fn meaning(id: &'static str, args: u32, severity: &'static str, text: &'static str) -> Meaning {
    Meaning { id, severity, text, resolution: "None.", args }
}

/// Every message of the standard registry that the simulator sends, sorted by name.
pub(crate) const MEANINGS: [Meaning; 15] = [
    meaning("Created", 0, "OK", "The resource was created."),
    meaning("InsufficientPrivilege", 0, "Critical", "The account lacks a privilege for this operation."),
    meaning("MalformedJSON", 0, "Critical", "The body of the request is not valid JSON."),
    meaning("NoValidSession", 0, "Critical", "The request is not part of a valid session."),
    meaning("OneTimePasscodeSent", 1, "Warning", "A passcode was sent to %1; supply it as Token."),
    meaning("PasswordChangeRequired", 1, "Critical", "The password of %1 must be changed first."),
    meaning("PropertyMissing", 1, "Warning", "The property %1 is required and missing."),
    meaning("QueryParameterValueFormatError", 2, "Warning", "The value %1 of the query parameter %2 is not supported."),
    meaning("ResourceAtUriUnauthorized", 2, "Critical", "Access to %1 was denied: %2."),
    meaning("ResourceMissingAtURI", 1, "Critical", "There is no resource at %1."),
    meaning("ResourceNotFound", 2, "Critical", "There is no resource of type %1 named %2."),
    meaning("ServiceTemporarilyUnavailable", 1, "Critical", "The service is not there for now; try in %1 seconds."),
    meaning("SessionLimitExceeded", 0, "Critical", "There are as many sessions as there can be."),
    meaning("Success", 0, "OK", "The request was completed."),
    meaning("UnrecognizedRequestBody", 0, "Warning", "The body of the request is of no kind that is known."),
];

/// What a message of this name means; one of a maker's own has no text here.
pub(crate) fn meaning_of(id: &str) -> Meaning {
    let unknown = meaning("", 0, "Critical", "");
    MEANINGS.into_iter().find(|meaning| meaning.id == id).unwrap_or(unknown)
}

/// The text of a message, with its arguments filled in.
pub(crate) fn text_of(meaning: Meaning, args: &[&str]) -> String {
    let filled = |text: String, (place, arg): (usize, &&str)| text.replace(&format!("%{}", place + 1), arg);
    args.iter().enumerate().fold(meaning.text.to_owned(), filled)
}
