//! How long functions and files may be.

use crate::Finding;
use crate::source::{Source, is_word, positions};

/// Lines of a function, from `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// The same for a function of tests.
const TEST_FUNCTION_LINES_MAX: usize = 100;
/// Lines of a file, without its tests.
const FILE_LINES_MAX: usize = 400;

pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    sources.iter().flat_map(|source| check_file(source).into_iter().chain(check_functions(source))).collect()
}

fn check_file(source: &Source) -> Option<Finding> {
    let lines = source.lines_before_tests;
    (lines > FILE_LINES_MAX).then(|| Finding {
        path: source.path.clone(),
        line: 0,
        what: format!("{lines} lines without tests, {FILE_LINES_MAX} are allowed; move one of its thoughts out"),
    })
}

fn check_functions(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Function { name, first_line, last_line } in functions(source) {
        let lines = last_line - first_line + 1;
        let max = if source.is_test(first_line) { TEST_FUNCTION_LINES_MAX } else { FUNCTION_LINES_MAX };
        if lines > max {
            let what = format!("fn {name} has {lines} lines, {max} are allowed; give its parts names of their own");
            findings.push(Finding { path: source.path.clone(), line: first_line, what });
        }
    }
    findings
}

struct Function<'a> {
    name: &'a str,
    first_line: usize,
    last_line: usize,
}

/// Functions with a body, nested ones too.
fn functions(source: &Source) -> Vec<Function<'_>> {
    let code = &source.code;
    let mut found = Vec::new();
    for at in positions(code, "fn") {
        let signature = code[at + 2..].trim_start();
        let name_end = signature.find(|c| !is_word(c)).unwrap_or(signature.len());
        // `fn(` is a type, and a declaration in a trait has no body.
        let (Some(body), true) = (body(signature), name_end > 0) else { continue };
        let last = code.len() - signature.len() + body;
        found.push(Function {
            name: &signature[..name_end],
            first_line: source.line_of(at),
            last_line: source.line_of(last),
        });
    }
    found
}

/// Where the body of this signature closes; `None` where a `;` comes first.
fn body(signature: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut brackets = 0_usize;
    for (at, c) in signature.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            ';' if depth == 0 && brackets == 0 => return None,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> String {
        format!("fn long(_: [u8; 4]) -> u8 {{\n{}}}\n", "    // \"{\"\n".repeat(lines - 2))
    }

    fn findings(raw: &str) -> Vec<String> {
        check(&[Source::new("src/a.rs", raw)]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_function_of_seventy_lines_passes_and_one_more_fails() {
        assert_eq!(findings(&function(70)), [""; 0]);
        let bad = format!("trait T {{\n    fn short();\n}}\ntype F = fn(u8) -> u8;\n{}", function(71));
        assert_eq!(
            findings(&bad),
            ["src/a.rs:5: fn long has 71 lines, 70 are allowed; give its parts names of their own"]
        );
    }

    #[test]
    fn tests_may_be_longer_but_not_endless() {
        let tests = |lines| format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(lines));
        assert_eq!(findings(&tests(100)), [""; 0]);
        assert!(findings(&tests(101))[0].contains("101 lines, 100 are allowed"));
    }

    #[test]
    fn a_file_of_four_hundred_lines_passes_and_one_more_fails() {
        let tests = "#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(findings(&format!("{}{tests}", "\n".repeat(400))), [""; 0]);
        let bad = findings(&format!("{}{tests}", "\n".repeat(401)));
        assert_eq!(bad, ["src/a.rs: 401 lines without tests, 400 are allowed; move one of its thoughts out"]);
    }

    #[test]
    fn a_file_of_tests_may_be_long() {
        let mut sources = [
            Source::new("src/a/mod.rs", "#[cfg(test)]\nmod tests;\n"),
            Source::new("src/a/tests.rs", &"\n".repeat(500)),
        ];
        crate::source::mark_test_files(&mut sources);
        assert_eq!(check(&sources), []);
    }
}
