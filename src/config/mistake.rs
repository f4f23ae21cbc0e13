//! What is wrong in a configuration, and where; and what is allowed but must be said.

use std::fmt;
use std::path::PathBuf;

use crate::session::clean;

/// Bytes of text that one mistake may have.
const TEXT_MAX: usize = 1024;

/// One thing that is wrong, at the place where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file it is in.
    pub file: PathBuf,
    /// Its line, from 1; `None` where the whole file is meant.
    pub line: Option<usize>,
    /// Its column, from 1.
    pub column: Option<usize>,
    /// What is wrong, the value, what was expected, the nearest valid word.
    pub text: String,
}

impl Mistake {
    /// A mistake at a place. Its text may repeat what others wrote, so it is made harmless here.
    pub(super) fn new(file: impl Into<PathBuf>, line: Option<usize>, column: Option<usize>, text: &str) -> Self {
        Self { file: file.into(), line, column, text: clean(text, TEXT_MAX) }
    }

    /// A mistake about a whole file, such as one that can't be read.
    pub(super) fn whole(file: impl Into<PathBuf>, text: impl AsRef<str>) -> Self {
        Self::new(file, None, None, text.as_ref())
    }

    /// A mistake at a line and column.
    pub(super) fn at(file: impl Into<PathBuf>, line: usize, column: usize, text: impl AsRef<str>) -> Self {
        Self::new(file, Some(line), Some(column), text.as_ref())
    }

    /// The place alone: `FILE:LINE:COLUMN`.
    pub fn place(&self) -> String {
        let file = clean(&self.file.to_string_lossy(), TEXT_MAX);
        match (self.line, self.column) {
            (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
            (Some(line), None) => format!("{file}:{line}"),
            _ => file,
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.text)
    }
}

impl std::error::Error for Mistake {}

/// Something that is allowed but must be said at every start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// One sentence that names what it is about.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&clean(&self.text, TEXT_MAX))
    }
}
