//! Manual pages and completions: made by the program, from what it really takes.

use std::fs;

use super::site::Site;

/// The commands that `--help` names.
fn commands(site: &Site) -> Vec<String> {
    let help = site.ask(&["--help"]).out;
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn there_is_a_page_for_each_command_and_one_for_the_configuration() {
    let site = Site::of(&[]);
    let pages = site.path("pages/1");
    let ended = site.ask(&["man", "--dir", &pages.display().to_string()]);
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "", ""));
    let page = |name: &str| fs::read_to_string(pages.join(name)).unwrap().replace("\\-", "-").replace("\\&", "");
    let program = page("ilo-reaper.1");
    let commands = commands(&site);
    assert!(commands.len() > 6, "{commands:?}");
    for command in &commands {
        assert!(program.contains(&format!("ilo-reaper-{command}(1)")), "{command}");
        assert!(
            page(&format!("ilo-reaper-{command}.1")).contains(&format!("\\fBilo-reaper {command}\\fR")),
            "{command}"
        );
    }
    let written: Vec<String> =
        fs::read_dir(&pages).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    assert!(written.len() > commands.len() + 2, "those below `protect` have pages too: {written:?}");
    for name in &written {
        let text = page(name);
        for (before, _) in text.match_indices("(1)").chain(text.match_indices("(5)")).map(|(at, _)| text.split_at(at)) {
            let word = before.rsplit(|one: char| !one.is_alphanumeric() && !"-.".contains(one)).next().unwrap();
            let is_ours = word.starts_with("ilo-reaper");
            assert!(!is_ours || written.iter().any(|page| page[..page.len() - 2] == *word), "{name} names {word}");
        }
    }
    let configuration = page("ilo-reaper.yaml.5");
    for key in ["\\fBmode\\fR: ", "\\fBkeep_latest\\fR: ", "\\fBpassword_file\\fR: ", "\\fBilos_file\\fR: "] {
        assert!(configuration.contains(key), "{key} in {configuration}");
    }
    for section in ["EXIT STATUS", "ENVIRONMENT", "FILES", "SIGNALS", "SEE ALSO"] {
        assert!(
            program.contains(&format!(".SH \"{section}\"")) || program.contains(&format!(".SH {section}")),
            "{section}"
        );
    }
    let printed = site.ask(&["man"]).out.replace("\\-", "-").replace("\\&", "");
    assert_eq!(printed.trim_end(), program.trim_end());
}

#[test]
fn a_directory_that_cannot_be_written_is_told() {
    let site = Site::of(&[]);
    let file = site.path("file");
    fs::write(&file, "").unwrap();
    let ended = site.ask(&["man", "--dir", &file.display().to_string()]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.starts_with("ilo-reaper: cannot write ") && ended.err.contains("file"), "{}", ended.err);
}

#[test]
fn completions_know_every_command() {
    let site = Site::of(&[]);
    for shell in ["bash", "zsh", "fish"] {
        let ended = site.ask(&["completions", shell]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        for word in commands(&site).iter().map(String::as_str).chain(["enforce", "write"]) {
            assert!(ended.out.contains(word), "{shell}: {word}");
        }
    }
    let ended = site.ask(&["completions", "csh"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("bash, zsh, fish"), "{}", ended.err);
}
