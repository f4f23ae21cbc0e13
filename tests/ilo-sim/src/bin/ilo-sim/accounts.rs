//! The file that says who may log in.

use ilo_sim::Account;

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Counted from one.
    pub(crate) line: usize,
    pub(crate) why: String,
}

/// Reads accounts, one a line: `username:password`, then perhaps `:administrator` (which is meant where
/// nothing is said), `:operator` or `:readonly`; `,directory` and `,must-change-password` may follow the role, or
/// stand for it. Empty lines and those that begin with `#` say nothing.
pub(crate) fn parse(text: &str) -> Result<Vec<Account>, Mistake> {
    let mut accounts: Vec<Account> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let account = account(line).map_err(|why| Mistake { line: number, why })?;
        if accounts.iter().any(|other| other.username.eq_ignore_ascii_case(&account.username)) {
            return Err(Mistake { line: number, why: format!("there is an account '{}' already", account.username) });
        }
        accounts.push(account);
    }
    Ok(accounts)
}

fn account(line: &str) -> Result<Account, String> {
    let mut parts = line.splitn(3, ':');
    let (username, password) = (parts.next().unwrap_or_default(), parts.next());
    let password = password.ok_or("no ':' between username and password")?;
    if username.is_empty() || password.is_empty() {
        return Err("username or password is empty".to_owned());
    }
    let mut account = Account::administrator(username, password);
    for word in parts.next().unwrap_or("administrator").split(',') {
        match word {
            "administrator" => {}
            "operator" => account.privileges = Account::operator("", "").privileges,
            "readonly" => account.privileges = Account::read_only("", "").privileges,
            "directory" => account.directory = true,
            "must-change-password" => account.must_change_password = true,
            _ => return Err(format!("'{word}' is not administrator, operator or readonly, nor what may follow it")),
        }
    }
    Ok(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_account_and_a_role_may_follow() {
        let accounts = parse("# who\n\nadmin:secret123\nop:pw:operator\nro:pw:readonly\n").unwrap();
        let expected = [
            Account::administrator("admin", "secret123"),
            Account::operator("op", "pw"),
            Account::read_only("ro", "pw"),
        ];
        assert_eq!(accounts, expected);
    }

    #[test]
    fn an_account_may_be_of_a_directory_or_have_to_change_its_password() {
        let accounts = parse("dora:pw:directory\nnew:pw:operator,must-change-password\n").unwrap();
        let expected = [
            Account { directory: true, ..Account::administrator("dora", "pw") },
            Account { must_change_password: true, ..Account::operator("new", "pw") },
        ];
        assert_eq!(accounts, expected);
    }

    #[test]
    fn a_mistake_has_its_line_and_reason() {
        let mistake = |text| parse(text).map_err(|mistake| (mistake.line, mistake.why)).unwrap_err();
        assert_eq!(mistake("admin"), (1, "no ':' between username and password".to_owned()));
        assert_eq!(mistake("#\n:pw").0, 2);
        assert_eq!(mistake("a:b:root").1, "'root' is not administrator, operator or readonly, nor what may follow it");
        assert_eq!(mistake("a:b\nA:c").0, 2);
    }
}
