//! `ktrdr infra credentials`: the keys of services and people, and the server's file with what each
//! may do.

use std::path::{Path, PathBuf};

use bus::identity::{Identity, Role, Tenant};
use clap::Args;
use serde_json::json;

use super::certificates::write_certificates;
use crate::console::{Exit, Failure, Output};
use crate::context::{Context, KeyError, KeyFolder, StoredKey, TenantFolder};

/// `ktrdr infra credentials`.
#[derive(Debug, Args)]
pub(super) struct CredentialsArgs {
    /// Folder of the keys, for its owner only
    #[arg(long, value_name = "DIR", default_value = "credentials")]
    dir: PathBuf,
    /// The tenant whose keys are meant, where several systems share one server: its keys are in
    /// DIR/NAME, and the server's file has an account for each tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<Tenant>,
    /// What the streams of the tenant may take on a server, in GB; 5 unless said once
    #[arg(
        long,
        value_name = "GB",
        requires = "tenant",
        value_parser = clap::value_parser!(u32).range(2..=100_000)
    )]
    storage: Option<u32>,
    /// Make only the keys of these roles: infra, or a service; without it all of them
    #[arg(long, value_name = "ROLE")]
    role: Vec<Role>,
    /// Make the key of a person
    #[arg(long, value_name = "NAME", value_parser = Identity::person)]
    person: Vec<Identity>,
    /// Replace the key of this name by a new one
    #[arg(long, value_name = "NAME")]
    rotate: Vec<String>,
    /// Take away the key of this name
    #[arg(long, value_name = "NAME")]
    remove: Vec<String>,
    /// Make a certificate of the server for this host name or address, by an authority of the site
    #[arg(long, value_name = "HOST", value_parser = parse_host)]
    tls: Vec<String>,
    /// Show the keys that there are, and change nothing
    #[arg(long, conflicts_with_all = ["role", "person", "rotate", "remove", "tls", "storage"])]
    list: bool,
}

/// A host as a certificate names it: a name, `*.` before one, or an address.
fn parse_host(text: &str) -> Result<String, String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-:*".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_legal) {
        true => Ok(text.to_owned()),
        false => Err("expected the name of a host or an address, as in bus.example".to_owned()),
    }
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Made,
    Kept,
    Replaced,
    Removed,
}

impl Change {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Kept => "kept",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
        }
    }
}

/// Makes keys, or shows them. No secret is ever printed.
///
/// # Errors
/// The folder cannot be written, or holds something that is not a key.
pub(super) fn run(args: &CredentialsArgs, context: &Context) -> Result<Exit, Failure> {
    let folder = KeyFolder::at(context.working_directory.join(&args.dir));
    let tenants = TenantFolder::at(folder.path().to_owned());
    let output = &context.output;
    if args.list {
        let keys = listed(args, &folder, &tenants)?;
        show(&keys, &context.working_directory, output);
        return Ok(Exit::Done);
    }

    let changes = match &args.tenant {
        Some(tenant) => change_tenant(tenant, args, &tenants, output)?,
        None => {
            tenants.require_no_tenants()?;
            let changes = carry_out(args, &folder)?;
            folder.write_server_file()?;
            changes
        }
    };

    show(&changes, &context.working_directory, output);
    give_advice(&changes, &folder, output);
    if !args.tls.is_empty() {
        let (part, authority) = write_certificates(folder.path(), &args.tls)?;
        output.note(&format!(
            "hint: the server needs `include \"{}\"`, and every program `--set bus.tls_ca={}`",
            part.display(),
            authority.display()
        ));
    }
    Ok(Exit::Done)
}

/// Makes the keys of a tenant, and an account of the server for it beside those of the others.
fn change_tenant(
    tenant: &Tenant,
    args: &CredentialsArgs,
    tenants: &TenantFolder,
    output: &Output,
) -> Result<Vec<(Change, StoredKey)>, KeyError> {
    tenants.require_no_single_system()?;
    let changes = carry_out(args, &tenants.keys_of(tenant))?;
    if let Some(storage_gb) = args.storage {
        tenants.limit_storage(tenant, storage_gb)?;
    }

    let storage_gb = tenants.write_server_file()?;
    output.note(&format!(
        "hint: the tenants may store {storage_gb} GB in all; with less as `max_file_store` the \
         server refuses streams to the last of them"
    ));
    Ok(changes)
}

/// The keys that there are: of the tenant that is named, else of all.
fn listed(
    args: &CredentialsArgs,
    folder: &KeyFolder,
    tenants: &TenantFolder,
) -> Result<Vec<(Change, StoredKey)>, KeyError> {
    let folders = match &args.tenant {
        Some(tenant) => vec![tenants.keys_of(tenant)],
        None => {
            let of_tenants = tenants.list()?.into_iter();
            let of_tenants = of_tenants.map(|tenant| tenants.keys_of(&tenant));
            of_tenants.chain([folder.clone()]).collect()
        }
    };

    let mut keys = Vec::new();
    for folder in folders {
        keys.extend(folder.list()?.into_iter().map(|key| (Change::Kept, key)));
    }
    Ok(keys)
}

/// Makes, replaces and removes what the arguments name.
fn carry_out(
    args: &CredentialsArgs,
    keys: &KeyFolder,
) -> Result<Vec<(Change, StoredKey)>, KeyError> {
    let mut changes = Vec::new();
    for identity in required_identities(args) {
        let change = match keys.ensure(&identity)? {
            true => Change::Made,
            false => Change::Kept,
        };
        changes.push((change, keys.find(identity.name())?));
    }

    for name in &args.rotate {
        keys.make(&keys.find(name)?.identity)?;
        changes.push((Change::Replaced, keys.find(name)?));
    }
    for name in &args.remove {
        changes.push((Change::Removed, keys.remove(name)?));
    }
    Ok(changes)
}

/// The identities whose keys must be there: every role but people, unless something else is named.
fn required_identities(args: &CredentialsArgs) -> Vec<Identity> {
    let changes_only = !args.rotate.is_empty() || !args.remove.is_empty();
    let roles: Vec<Role> = match args.role.is_empty() {
        false => args.role.clone(),
        true if changes_only => Vec::new(),
        true => Role::all().filter(|role| *role != Role::Person).collect(),
    };

    let roles = roles.into_iter().map(Identity::of);
    roles.chain(args.person.iter().cloned()).collect()
}

fn show(changes: &[(Change, StoredKey)], here: &Path, output: &Output) {
    let mut rows = Vec::with_capacity(changes.len());
    for (change, key) in changes {
        let file = key.file.strip_prefix(here).unwrap_or(&key.file).display();
        let role = key.identity.role();
        let name = key.identity.name();
        output.json(&json!({
            "type": "credential",
            "name": name,
            "role": role.as_str(),
            "tenant": key.tenant.as_ref().map(Tenant::as_str),
            "state": change.as_str(),
            "file": file.to_string(),
            "public_key": key.public_key,
        }));
        rows.push(vec![
            name.to_owned(),
            role.to_string(),
            change.as_str().to_owned(),
            file.to_string(),
        ]);
    }

    output.table(&["NAME", "ROLE", "STATE", "FILE"], &rows);
}

fn give_advice(changes: &[(Change, StoredKey)], keys: &KeyFolder, output: &Output) {
    let file = keys.server_file();
    output.note(&format!(
        "hint: {} belongs beside the configuration of the server, as infra/nats/server.conf \
         includes it; a server that runs takes it with `nats-server --signal reload`",
        file.display()
    ));

    let is_new = |change: Change| change == Change::Made || change == Change::Replaced;
    let people = changes
        .iter()
        .filter(|(change, key)| is_new(*change) && key.identity.role() == Role::Person);
    for (_, key) in people {
        output.note(&format!(
            "hint: {} works with `ktrdr --creds {}`, or `nats --nkey {1} --inbox-prefix {}`",
            key.identity.name(),
            key.file.display(),
            key.identity.inbox()
        ));
    }
}
