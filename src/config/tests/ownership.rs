use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::super::guarded::{Reading, read};
use super::{Desk, FLEET, Surroundings};

/// Whether a file of our group is read, by its mode, where the group is ours or somebody else's.
fn is_read(mode: u32, reading: Reading, group_is_ours: bool) -> bool {
    let desk = Desk::new();
    desk.write("file", mode, "x");
    // Root's group is always trusted, so a foreign group must be made where root runs the tests.
    let gid = fs::metadata(desk.path("file")).expect("a file").gid();
    if !group_is_ours && gid == 0 {
        std::os::unix::fs::chown(desk.path("file"), None, Some(4711)).expect("root may");
    }
    let surroundings = Surroundings { gid: if group_is_ours { gid } else { 4712 }, ..desk.surroundings.clone() };
    read(&desk.path("file"), reading, 10, &surroundings).is_ok()
}

#[test]
fn modes() {
    for (mode, reading, ours, expected) in [
        (0o600, Reading::Secret, true, true),
        (0o400, Reading::Secret, false, true),
        (0o640, Reading::Secret, true, true),
        (0o640, Reading::Secret, false, false),
        (0o660, Reading::Secret, true, false),
        (0o620, Reading::Secret, true, false),
        (0o604, Reading::Secret, true, false),
        (0o602, Reading::Secret, true, false),
        (0o601, Reading::Secret, true, false),
        (0o644, Reading::Open, false, true),
        (0o664, Reading::Open, true, true),
        (0o664, Reading::Open, false, false),
        (0o646, Reading::Open, true, false),
        (0o666, Reading::Open, true, false),
    ] {
        assert_eq!(is_read(mode, reading, ours), expected, "{mode:o}, group is ours: {ours}");
    }
}

/// Makes a file belong to neither root nor us, whoever we are.
fn estrange(desk: &mut Desk, name: &str) {
    if desk.surroundings.uid == 0 {
        std::os::unix::fs::chown(desk.path(name), Some(4711), None).expect("root may");
    } else {
        desk.surroundings.uid += 1;
    }
}

#[test]
fn a_stranger_owns_no_configuration_and_no_password() {
    for name in ["ilo-reaper.yaml", "password", "conf.d/a.yaml"] {
        let mut desk = Desk::new();
        desk.config("ilo-reaper.yaml", FLEET);
        desk.config("conf.d/a.yaml", "mode: observe");
        assert!(desk.load().is_ok());
        estrange(&mut desk, name);
        let said = desk.said();
        assert!(said.contains("belongs to user "), "{said}");
        assert!(desk.surroundings.uid != 0 || said.contains(name), "{said}");
    }
}

#[test]
fn nobody_else_writes_the_directories() {
    for name in ["", "conf.d"] {
        let desk = Desk::new();
        desk.config("ilo-reaper.yaml", FLEET);
        desk.config("conf.d/a.yaml", "mode: observe");
        fs::set_permissions(desk.path(name), fs::Permissions::from_mode(0o777)).expect("ours");
        let said = desk.said();
        assert!(said.contains("has mode 0777") && said.contains("expected 0755"), "{said}");
    }
}
