//! The part of the server's configuration that says who may do what.

use std::fmt::Write as _;

use super::grants::{Direction, grants};
use super::role::{Identity, Role};
use super::tenant::TenantAccount;

/// Longest line of subjects, but for a subject that is longer itself.
const LINE_BYTES_MAX: usize = 110;
const INDENT: &str = "          ";

const HEAD: &str = "\
# Who may do what on the NATS server: one user per role, and one per person. Public keys only.
";

/// What a tenant may keep in the memory of a server: nothing that lasts is kept there.
const MEMORY_MAX: &str = "64MB";

const SHIPPED_HEAD: &str = "\
# Made from the table of permissions by the test `permissions_page`.
# `ktrdr infra credentials` writes this file with the keys of a site.
";

/// The users of the server with their public keys, as its configuration includes them.
pub fn server_file(users: &[(Identity, String)]) -> String {
    let mut text = format!("{HEAD}\nauthorization {{\n  users: [\n");
    for (identity, key) in users {
        write_user(&mut text, identity, key);
    }

    text.push_str("  ]\n}\n");
    text
}

/// The accounts of several tenants, each with its users and with streams of its own. Nobody of one
/// account sees a message of another.
pub fn accounts_file(accounts: &[TenantAccount]) -> String {
    let mut text = format!("{HEAD}\naccounts {{\n");
    for account in accounts {
        let TenantAccount {
            tenant,
            storage_gb,
            users,
        } = account;
        let _ = writeln!(
            text,
            "  \"{tenant}\": {{\n  jetstream: {{ max_memory: {MEMORY_MAX}, max_file: \
             {storage_gb}GB }}\n  users: ["
        );
        for (identity, key) in users {
            write_user(&mut text, identity, key);
        }
        text.push_str("  ]\n  }\n\n");
    }

    text.push_str("}\n");
    text
}

/// The file that is shipped: one user per role, whose public keys are variables of the server's
/// environment.
pub fn shipped_server_file() -> String {
    let users: Vec<_> = Role::all()
        .map(|role| {
            let variable = format!("$KTRDR_KEY_{}", role.as_str().to_uppercase());
            (Identity::of(role), variable)
        })
        .collect();

    format!("{SHIPPED_HEAD}{}", server_file(&users))
}

fn write_user(text: &mut String, identity: &Identity, key: &str) {
    let name = identity.name();
    if identity.role() == Role::Infra {
        // Without permissions a user may do everything.
        text.push_str(&format!("    # {name}\n    {{ nkey: {key} }}\n\n"));
        return;
    }

    let _ = writeln!(
        text,
        "    # {name}\n    {{\n      nkey: {key}\n      permissions: {{"
    );
    for (word, direction) in [
        ("publish", Direction::Publish),
        ("subscribe", Direction::Subscribe),
    ] {
        let _ = writeln!(text, "        {word}: [");
        write_subjects(text, &subjects_of(identity, direction));
        text.push_str("        ]\n");
    }

    // Services answer questions, each once; people have none to answer.
    if matches!(identity.role(), Role::Service(_)) {
        text.push_str("        allow_responses: true\n");
    }
    text.push_str("      }\n    }\n\n");
}

fn subjects_of(identity: &Identity, direction: Direction) -> Vec<String> {
    let rows = grants().iter().filter(|row| row.direction == direction);
    let mut subjects: Vec<String> = rows.flat_map(|row| row.subjects_of(identity)).collect();
    subjects.sort_unstable();
    subjects.dedup();
    subjects
}

/// Several subjects to a line, as many as fit.
fn write_subjects(text: &mut String, subjects: &[String]) {
    let mut line = String::new();
    for subject in subjects {
        let is_full = line.len() + subject.len() + INDENT.len() > LINE_BYTES_MAX;
        if is_full && !line.is_empty() {
            let _ = writeln!(text, "{INDENT}{line}");
            line.clear();
        }
        let separator = if line.is_empty() { "" } else { ", " };
        let _ = write!(line, "{separator}\"{subject}\"");
    }
    let _ = writeln!(text, "{INDENT}{line}");
}
