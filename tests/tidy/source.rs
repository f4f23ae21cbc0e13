//! A Rust file as text, with its comments and literals told apart from its code.

use std::path::Path;
use std::{fs, io};

/// One Rust file.
pub(crate) struct Source {
    /// From the top level, with `/`.
    pub(crate) path: String,
    /// As written.
    pub(crate) raw: String,
    /// As written, but every comment and the inside of every literal is blank. Lines and columns stay.
    pub(crate) code: String,
    /// Lines before the first `#[cfg(test)] mod … {`: all of them where there is none, and none where the file is of
    /// tests only.
    pub(crate) lines_before_tests: usize,
}

impl Source {
    pub(crate) fn new(path: &str, raw: &str) -> Self {
        let code = blank(raw);
        let lines_before_tests = test_modules(&code)
            .find(|module| module.is_inline)
            .map_or_else(|| code.lines().count(), |module| module.line - 1);
        Self { path: path.to_owned(), raw: raw.to_owned(), code, lines_before_tests }
    }

    /// Whether a line (from one) belongs to tests.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        line > self.lines_before_tests
    }

    /// The lines of code, with their numbers.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.lines())
    }

    /// The number of the line that holds this byte of `code`.
    pub(crate) fn line_of(&self, byte: usize) -> usize {
        self.code[..byte].matches('\n').count() + 1
    }

    /// The room that the file belongs to: `visit` for `src/visit.rs`, `policy` for `src/policy/rule.rs`.
    pub(crate) fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let room = inside.split_once('/').map_or_else(|| inside.trim_end_matches(".rs"), |(room, _)| room);
        (!matches!(room, "lib" | "main")).then_some(room)
    }
}

/// Every Rust file under a folder, in the order of paths.
pub(crate) fn read_all(root: &Path, folder: &str) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    collect(&root.join(folder), folder, &mut sources)?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    mark_test_files(&mut sources);
    Ok(sources)
}

fn collect(folder: &Path, shown: &str, sources: &mut Vec<Source>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{shown}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &path, sources)?;
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            sources.push(Source::new(&path, &fs::read_to_string(entry.path())?));
        }
    }
    Ok(())
}

/// Files that a `#[cfg(test)] mod NAME;` pulls in and all below them are of tests only; so are the test programs.
pub(crate) fn mark_test_files(sources: &mut [Source]) {
    let mut of_tests = vec!["tests/it".to_owned(), "tests/tidy".to_owned()];
    for source in &*sources {
        let folder = match source.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_owned(),
            _ => source.path.trim_end_matches(".rs").to_owned(),
        };
        for module in test_modules(&source.code).filter(|module| !module.is_inline) {
            of_tests.push(format!("{folder}/{}", module.name));
        }
    }
    for source in sources {
        let is_of_tests = of_tests.iter().any(|module| {
            source.path.strip_prefix(module.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        });
        if is_of_tests {
            source.lines_before_tests = 0;
        }
    }
}

/// A module behind `#[cfg(test)]`.
struct TestModule<'a> {
    /// Of the attribute, counted from one.
    line: usize,
    name: &'a str,
    is_inline: bool,
}

fn test_modules(code: &str) -> impl Iterator<Item = TestModule<'_>> {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let marked: Vec<usize> = (0..lines.len()).filter(|&index| lines[index].starts_with("#[cfg(test)]")).collect();
    marked.into_iter().filter_map(move |index| {
        let same_line = lines[index].trim_start_matches("#[cfg(test)]").trim();
        let below = lines[index + 1..].iter().copied().find(|line| !line.is_empty() && !line.starts_with("#["));
        let item = if same_line.is_empty() { below? } else { same_line };
        let name = item.trim_start_matches("pub(crate) ").strip_prefix("mod ")?;
        let name_end = name.find(|c: char| !is_word(c)).unwrap_or(name.len());
        Some(TestModule { line: index + 1, name: &name[..name_end], is_inline: item.contains('{') })
    })
}

/// Whether a character can be part of a Rust name.
pub(crate) fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Where `word` stands in `text` as a whole word; it may itself hold `::` and the like.
pub(crate) fn positions(text: &str, word: &str) -> Vec<usize> {
    let starts = |at: usize| !word.starts_with(is_word) || !text[..at].ends_with(is_word);
    let ends = |at: usize| !word.ends_with(is_word) || !text[at + word.len()..].starts_with(is_word);
    text.match_indices(word).map(|(at, _)| at).filter(|&at| starts(at) && ends(at)).collect()
}

/// Whether `word` stands in `text` as a whole word.
pub(crate) fn has(text: &str, word: &str) -> bool {
    !positions(text, word).is_empty()
}

/// The text with comments and the insides of literals blank, byte for byte.
fn blank(raw: &str) -> String {
    let mut blanked = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(first) = rest.chars().next() {
        let after_word = blanked.ends_with(is_word);
        let Some((length, keep_ends)) = comment(rest).or_else(|| literal(rest, after_word)) else {
            blanked.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        let (hidden, left) = rest.split_at(length);
        for (at, byte) in hidden.bytes().enumerate() {
            let is_end = at == 0 || at + 1 == hidden.len();
            blanked.push(match byte {
                b'\n' => '\n',
                _ if keep_ends && is_end && byte.is_ascii() => char::from(byte),
                _ => ' ',
            });
        }
        rest = left;
    }
    blanked
}

/// How many bytes of comment the text begins with. Its ends are not kept.
fn comment(text: &str) -> Option<(usize, bool)> {
    if text.starts_with("//") {
        return Some((text.find('\n').unwrap_or(text.len()), false));
    }
    let mut depth = 0_usize;
    let mut at = 0;
    while text.starts_with("/*") && at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    (at > 0).then_some((at, false))
}

/// How many bytes of a string or character the text begins with. Its quotes are kept, to be seen.
fn literal(text: &str, after_word: bool) -> Option<(usize, bool)> {
    let bytes = text.as_bytes();
    if bytes[0] == b'"' {
        return Some((quoted(bytes, b'"'), true));
    }
    if bytes[0] == b'\'' {
        // A lifetime has no quote behind its first character.
        let second = text[1..].chars().next().map_or(0, char::len_utf8);
        let is_character = bytes.get(1) == Some(&b'\\') || bytes.get(1 + second) == Some(&b'\'');
        return is_character.then(|| (quoted(bytes, b'\''), true));
    }
    let raw = text.strip_prefix("br").or_else(|| text.strip_prefix("cr")).or_else(|| text.strip_prefix('r'))?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    if after_word || !raw[hashes..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = text.len() - raw.len() + hashes + 1;
    Some((text[inside..].find(&end).map_or(text.len(), |at| inside + at + end.len()), true))
}

/// The bytes of a literal with escapes, both quotes included.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_nothing_moves() {
        for (raw, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x // y", 1)"#, r#"f("      ", 1)"#),
            (r#"f("\"x", 'x', '\'', b"é")"#, r#"f("   ", ' ', '  ', b"  ")"#),
            (r##"f(r#"a "b" c"#, d)"##, "f(r          #, d)"),
            ("fn f<'a>(x: &'a str) { '{' }", "fn f<'a>(x: &'a str) { ' ' }"),
            ("let var = \"two\nlines\"; x", "let var = \"   \n     \"; x"),
            ("for\"x\"", "for\" \""),
        ] {
            assert_eq!(blank(raw), code, "{raw}");
            assert_eq!(blank(raw).len(), raw.len(), "{raw}");
        }
    }

    #[test]
    fn a_word_is_found_whole() {
        assert_eq!(positions("rustls tokio_rustls rustls::x", "rustls"), [0, 20]);
        assert_eq!(positions("a.sleep(b) asleep(c)", "sleep("), [2]);
    }

    #[test]
    fn tests_begin_with_their_module_or_their_file() {
        let inline = Source::new("src/a.rs", "fn f() {}\n#[cfg(test)]\n#[rustfmt::skip]\nmod tests {\n}\n");
        assert_eq!((inline.is_test(1), inline.is_test(2)), (false, true));
        let mut sources = vec![
            Source::new("src/a/mod.rs", "#[cfg(test)]\nmod tests;\n"),
            Source::new("src/a/tests.rs", "x\n"),
            Source::new("src/b.rs", "#[cfg(test)] mod stories;\n"),
            Source::new("src/b/stories/door.rs", "x\n"),
            Source::new("src/b/stories_too.rs", "x\n"),
        ];
        mark_test_files(&mut sources);
        let of_tests: Vec<bool> = sources.iter().map(|source| source.is_test(1)).collect();
        assert_eq!(of_tests, [false, true, false, true, false]);
    }

    #[test]
    fn a_file_knows_its_room() {
        let room = |path| Source::new(path, "").room().map(str::to_owned);
        assert_eq!(room("src/visit.rs").as_deref(), Some("visit"));
        assert_eq!(room("src/policy/rule/tests.rs").as_deref(), Some("policy"));
        assert_eq!(room("src/lib.rs"), None);
        assert_eq!(room("src/main.rs"), None);
        assert_eq!(room("tests/it/main.rs"), None);
    }
}
