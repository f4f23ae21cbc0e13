//! What clients read that look for the standard: the documents of `OData`, and the predefined roles.

use super::*;

const SERVICE_DOCUMENT: &str = "/redfish/v1/odata";
const METADATA: &str = "/redfish/v1/$metadata";
const ROLES: &str = "/redfish/v1/AccountService/Roles";
const ADMIN: By<'static> = By::Basic("admin", "secret123");

#[test]
fn anyone_may_read_what_services_there_are_and_all_of_them_are_there() {
    for name in ["ilo5-2.46", "ilo5-3.11", "ilo6-1.66", "ilo7-1.17", "generic"] {
        let mut world = World::like(name);
        let document = world.get(SERVICE_DOCUMENT, By::Nobody);
        assert_eq!((document.status.as_u16(), &document.body["@odata.context"]), (200, &json!(METADATA)), "{name}");
        assert_eq!(document.header("Content-Type").split(';').next(), Some("application/json"));
        let entries = document.body["value"].as_array().unwrap();
        assert_eq!(entries[0], json!({ "kind": "Singleton", "name": "Service", "url": ROOT }));
        for entry in entries {
            assert_eq!(world.get(entry["url"].as_str().unwrap(), ADMIN).status, 200, "{name}: {entry}");
        }
    }
}

#[test]
fn anyone_may_read_which_schemas_there_are_and_they_are_those_of_the_answers() {
    for name in ["ilo5-2.46", "ilo5-3.11", "ilo6-1.66", "ilo7-1.17", "generic"] {
        let mut world = World::like(name);
        let metadata = world.get(METADATA, By::Nobody);
        assert_eq!((metadata.status.as_u16(), metadata.header("Content-Type")), (200, "application/xml"), "{name}");
        let text = std::str::from_utf8(&metadata.text).unwrap();
        assert!(text.contains("<EntityContainer Name=\"Service\""), "{text}");
        for path in [ROOT, SERVICE, SESSIONS, "/redfish/v1/Managers/", "/redfish/v1/AccountService/"] {
            let body = world.get(path, ADMIN).body;
            let kind = body["@odata.type"].as_str().unwrap();
            let namespace = kind.trim_start_matches('#').rsplit_once('.').unwrap().0;
            assert!(text.contains(&format!("Namespace=\"{namespace}\"")), "{name}: {namespace} in {text}");
        }
    }
}

#[test]
fn three_roles_are_there_from_the_start() {
    for name in ["ilo5-3.11", "ilo6-1.66", "ilo7-1.17"] {
        let mut world = World::like(name);
        assert_eq!(world.get("/redfish/v1/AccountService", ADMIN).body["Roles"]["@odata.id"], ROLES);
        let expanded = world.get(&format!("{ROLES}?$expand=."), ADMIN);
        let (mut told, mut links) = (Vec::new(), Vec::new());
        for member in expanded.members() {
            told.push((member["RoleId"].clone(), member["AssignedPrivileges"].as_array().unwrap().len()));
            links.push(json!({ "@odata.id": member["@odata.id"] }));
            assert_eq!(&world.get(member["@odata.id"].as_str().unwrap(), ADMIN).body, member);
        }
        assert_eq!(told, [(json!("Administrator"), 5), (json!("Operator"), 3), (json!("ReadOnly"), 2)]);
        assert_eq!(world.get(ROLES, ADMIN).members(), links);
        assert_eq!(world.get(ROLES, By::Nobody).status, 401);
        assert_eq!(world.get(&format!("{ROLES}/Emperor"), ADMIN).status, 404);
    }
}

#[test]
fn where_no_source_shows_them_they_are_missing() {
    let mut old = World::like("ilo4-2.55");
    for path in [SERVICE_DOCUMENT, METADATA, ROLES] {
        assert_eq!(old.get(&format!("{path}/"), ADMIN).status, 404, "{path}");
    }
}
