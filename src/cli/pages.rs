//! `man` and `completions`: made from the command line and the configuration as they are.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::shells;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::args::{Args, Shell};
use super::{Failure, exit};
use crate::config::reference::{ABOUT, Key, SECTIONS, Section, Unset};

const PROGRAM: &str = "ilo-reaper";
const MANUAL: &str = "ilo-reaper manual";
/// A page is as old as the program, whose version it shows. What is quite empty would leave its place to the next.
const NO_DATE: &str = " ";
const CONFIG_PAGE: &str = "ilo-reaper.yaml";

/// Exit codes, as people read them.
const EXITS: [(u8, &str); 6] = [
    (0, "done."),
    (
        exit::FAILED,
        "it failed, or some iLO could not be visited; of `trust`: a certificate is new or changed, or could not be fetched.",
    ),
    (exit::USAGE, "the command line makes no sense."),
    (exit::NO_DAEMON, "no daemon answers here."),
    (exit::BUG, "a bug of ours; please report it."),
    (exit::CONFIGURATION, "the configuration has mistakes."),
];

const ENVIRONMENT: [(&str, &str); 7] = [
    ("ILO_REAPER_CONFIG", "The configuration, where `--config` does not name one."),
    ("ILO_REAPER_LOG", "`off`, `error`, `warn`, `info`, `debug` or `trace`: shows each exchange on standard error."),
    ("STATE_DIRECTORY", "The directory of the state, `/var/lib/ilo-reaper` unless said. Set by the service manager."),
    ("RUNTIME_DIRECTORY", "Where the control socket is, `/run/ilo-reaper` unless said. Set by the service manager."),
    ("NOTIFY_SOCKET", "Who is told of readiness, progress and the stop. Set by the service manager."),
    ("CREDENTIALS_DIRECTORY", "Where passwords of `password_credential` are. Set by the service manager."),
    ("JOURNAL_STREAM", "Says that the journal reads us. Set by the service manager."),
];

const FILES: [(&str, &str); 5] = [
    ("/etc/ilo-reaper/ilo-reaper.yaml", "The configuration, and beside it `conf.d/*.yaml`."),
    ("/etc/ilo-reaper/known_ilos", "The fingerprint of each iLO's certificate, written by `ilo-reaper trust --write`."),
    ("/etc/ilo-reaper/secrets/", "A place for password files."),
    ("/run/ilo-reaper/control.sock", "How commands speak to the daemon that runs, open to root and its own user."),
    (
        "/var/lib/ilo-reaper/state.db",
        "What must outlive the daemon, and the record of deletions in its table `deletions` (SQLite).",
    ),
];

const SIGNALS: [(&str, &str); 2] = [
    ("SIGHUP", "Takes the configuration again. A mistake in it is told, and the old one stays in force."),
    ("SIGTERM, SIGINT", "Stops cleanly, after logging out of each iLO. A second SIGINT ends at once."),
];

/// Writes the page of the program to standard output, or all pages into a directory.
pub(super) fn man(directory: Option<&Path>) -> Result<(), Failure> {
    let mut program = Args::command();
    program.build();
    let Some(directory) = directory else { return print(&page_of_program(&program)?) };
    fs::create_dir_all(directory).map_err(|error| cannot_write(directory, &error))?;
    let write = |name: String, page: Vec<u8>| {
        let path = directory.join(name);
        fs::write(&path, page).map_err(|error| cannot_write(&path, &error))
    };
    write(format!("{PROGRAM}.1"), page_of_program(&program)?)?;
    let mut left: Vec<(String, &Command)> = vec![(String::from(PROGRAM), &program)];
    while let Some((parent, command)) = left.pop() {
        for command in command.get_subcommands() {
            let mut page = Vec::new();
            titled(command).render(&mut page)?;
            see_also(&[(PROGRAM, "1"), (CONFIG_PAGE, "5")]).to_writer(&mut page)?;
            let name = format!("{parent}-{}", command.get_name());
            write(format!("{name}.1"), page)?;
            left.push((name, command));
        }
    }
    write(format!("{CONFIG_PAGE}.5"), page_of_configuration().render().into_bytes())
}

/// Writes completions to standard output.
pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    let mut program = Args::command();
    match shell {
        Shell::Bash => clap_complete::generate(shells::Bash, &mut program, PROGRAM, &mut script),
        Shell::Zsh => clap_complete::generate(shells::Zsh, &mut program, PROGRAM, &mut script),
        Shell::Fish => clap_complete::generate(shells::Fish, &mut program, PROGRAM, &mut script),
    }
    print(&script)
}

fn print(text: &[u8]) -> Result<(), Failure> {
    match io::stdout().write_all(text) {
        // Whoever reads us has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::Plain(format!("cannot write {}: {error}", path.display()))
}

fn titled(command: &Command) -> Man {
    Man::new(command.clone()).date(NO_DATE).source(format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION"))).manual(MANUAL)
}

fn page_of_program(program: &Command) -> io::Result<Vec<u8>> {
    let man = titled(program);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    let mut rest = Roff::new();
    rest.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXITS {
        item(&mut rest, vec![bold(code.to_string())], meaning);
    }
    for (title, items) in [("ENVIRONMENT", &ENVIRONMENT[..]), ("FILES", &FILES), ("SIGNALS", &SIGNALS)] {
        rest.control("SH", [title]);
        for (name, meaning) in items {
            item(&mut rest, vec![bold(*name)], meaning);
        }
    }
    rest.extend([see_also(&[(CONFIG_PAGE, "5"), ("systemd.service", "5"), ("journalctl", "1")])]);
    rest.to_writer(&mut page)?;
    Ok(page)
}

fn page_of_configuration() -> Roff {
    let mut page = Roff::new();
    let source = format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION"));
    page.control("TH", [CONFIG_PAGE, "5", NO_DATE, &source, MANUAL]);
    page.control("SH", ["NAME"]).text([roman(format!("{CONFIG_PAGE} - the configuration of {PROGRAM}"))]);
    page.control("SH", ["SYNOPSIS"]).text([italic("/etc/ilo-reaper/ilo-reaper.yaml")]).control("br", []);
    page.text([italic("/etc/ilo-reaper/conf.d/*.yaml")]);
    page.control("SH", ["DESCRIPTION"]);
    paragraphs(&mut page, &ABOUT);
    for section in &SECTIONS {
        section_of_configuration(&mut page, section);
    }
    page.extend([see_also(&[(PROGRAM, "1"), ("systemd.exec", "5")])]);
    page
}

fn section_of_configuration(page: &mut Roff, section: &Section) {
    page.control("SH", [section.title.to_uppercase().as_str()]);
    if !section.path.is_empty() {
        page.text([roman("Keys of "), bold(section.path), roman(".")]);
        if !section.prose.is_empty() {
            page.control("PP", []);
        }
    }
    paragraphs(page, section.prose);
    if !section.sample.is_empty() {
        page.control("PP", []).control("nf", []).control("RS", ["4"]);
        for line in section.sample.lines() {
            page.text([roman(line)]);
        }
        page.control("RE", []).control("fi", []);
    }
    for Key { name, form, unset, example, meaning } in section.keys {
        let mut header = vec![bold(*name), roman(": ")];
        header.extend(marked(form));
        item(page, header, meaning);
        page.control("br", []);
        let mut rest = match unset {
            Unset::Is(value) => vec![roman("Default: "), bold(*value)],
            Unset::Means(what) => std::iter::once(roman("Unless written: ")).chain(marked(what)).collect(),
        };
        rest.push(roman("."));
        page.text(rest)
            .control("nf", [])
            .text([roman("Example: "), bold(format!("{name}: {example}"))])
            .control("fi", []);
    }
}

fn item(page: &mut Roff, header: Vec<Inline>, meaning: &str) {
    page.control("TP", []).text(header).text(marked(meaning));
}

fn paragraphs(page: &mut Roff, paragraphs: &[&str]) {
    for (index, paragraph) in paragraphs.iter().enumerate() {
        if index > 0 {
            page.control("PP", []);
        }
        page.text(marked(paragraph));
    }
}

/// What stands in backticks is bold.
fn marked(text: &str) -> Vec<Inline> {
    let parts = text.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { bold(part) } else { roman(part) }).collect()
}

fn see_also(pages: &[(&str, &str)]) -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["SEE ALSO"]);
    let mut line = Vec::new();
    for (index, (name, chapter)) in pages.iter().enumerate() {
        line.extend([roman(if index > 0 { ", " } else { "" }), bold(*name), roman(format!("({chapter})"))]);
    }
    section.text(line);
    section
}
