//! The files of the configuration, in the order in which they are read.

use std::path::{Path, PathBuf};

use super::at::Source;
use super::guarded::{Reading, Surroundings, directory, read};
use super::mistake::Mistake;

const FILE_BYTES_MAX: usize = 4 << 20;
/// Beside the main file, more of them.
const MORE: &str = "conf.d";

/// The main file, then `conf.d/*.yaml` beside it in name order.
pub(super) fn gather(main_file: &Path, surroundings: &Surroundings) -> Result<Vec<Source>, Vec<Mistake>> {
    let mut sources = Vec::new();
    let mut mistakes = Vec::new();
    let beside = match main_file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut paths = vec![main_file.to_owned()];
    match more_files(&beside.join(MORE), surroundings) {
        Ok(more) => paths.extend(more),
        Err(mistake) => mistakes.push(mistake),
    }
    for path in paths {
        match source(&path, surroundings) {
            Ok(source) => sources.push(source),
            Err(why) => mistakes.push(Mistake::whole(path, why)),
        }
    }
    // Where the main file is not there, its directory may be missing too, which says nothing new.
    if let (Err(why), false) = (directory(beside, surroundings), sources.is_empty()) {
        mistakes.insert(0, Mistake::whole(beside, why));
    }
    if mistakes.is_empty() { Ok(sources) } else { Err(mistakes) }
}

fn source(path: &Path, surroundings: &Surroundings) -> Result<Source, String> {
    let bytes = read(path, Reading::Open, FILE_BYTES_MAX, surroundings)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
        format!("holds bytes that are not UTF-8 text, in line {line}")
    })?;
    Ok(Source { path: path.to_owned(), text })
}

/// `*.yaml` as a shell lists them: no hidden files. No directory is no files.
fn more_files(more: &Path, surroundings: &Surroundings) -> Result<Vec<PathBuf>, Mistake> {
    let entries = match std::fs::read_dir(more) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Mistake::whole(more, format!("can't be read: {error}"))),
    };
    directory(more, surroundings).map_err(|why| Mistake::whole(more, why))?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Mistake::whole(more, format!("can't be read: {error}")))?;
        let name = entry.file_name();
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if !is_hidden && Path::new(&name).extension().is_some_and(|extension| extension == "yaml") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
