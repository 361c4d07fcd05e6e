//! Who types: the user of the credential, else the local user and host.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bus::identity::KeyFile;
use nix::unistd::{User, getuid};
use runtime::settings::BusSettings;
use schemas::errors::shortened;
use schemas::operation::BY_BYTES_MAX;
use serde_json::Value;

/// The line before the token in a `.creds` file.
const TOKEN_BEGINS: &str = "-----BEGIN NATS USER JWT-----";

/// The name under which requests of this process are recorded.
pub(super) fn person(bus: &BusSettings, environment: &BTreeMap<String, String>) -> String {
    let of_file = bus
        .credentials
        .as_ref()
        .and_then(|path| std::fs::read_to_string(path).ok())
        .and_then(|text| name_in_key(&text).or_else(|| name_in_credentials(&text)));

    let name = of_file
        .or_else(|| user_in_url(&bus.url))
        .unwrap_or_else(|| local_user(environment));
    shortened(&name, BY_BYTES_MAX)
}

/// The name that a key file of ours says.
fn name_in_key(text: &str) -> Option<String> {
    let key = KeyFile::parse(text).ok()?;
    key.name().map(str::to_owned)
}

/// The name of the user in the token of a `.creds` file.
fn name_in_credentials(text: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| line.trim() != TOKEN_BEGINS);
    let claims = lines.nth(1)?.trim().split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;

    let name = claims.get("name")?.as_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// The user that the first address carries.
fn user_in_url(url: &str) -> Option<String> {
    let first = url.split(',').next()?;
    let address = first.split_once("://").map_or(first, |(_, rest)| rest);
    let (user, _) = address.rsplit_once('@')?.0.split_once(':')?;

    (!user.is_empty()).then(|| user.to_owned())
}

/// `ann@laptop`.
fn local_user(environment: &BTreeMap<String, String>) -> String {
    let user = named_in(environment)
        .or_else(account)
        .unwrap_or_else(|| "unknown".to_owned());

    let host = nix::unistd::gethostname().ok();
    match host.and_then(|host| host.into_string().ok()) {
        Some(host) => format!("{user}@{host}"),
        None => user.to_owned(),
    }
}

/// The account that this process runs as, for a service manager or a container that sets no
/// variables.
fn account() -> Option<String> {
    let user = User::from_uid(getuid()).ok().flatten()?;
    Some(user.name)
}

/// The user by the variables of the shell.
fn named_in(environment: &BTreeMap<String, String>) -> Option<String> {
    let users = ["USER", "LOGNAME"].iter();
    let mut users = users.filter_map(|name| environment.get(*name));
    users.find(|user| !user.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use bus::identity::{Identity, Role};

    use super::*;

    #[test]
    fn a_credentials_file_names_its_user() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"name":"ann","sub":"UABC"}"#);
        let text = format!("{TOKEN_BEGINS}\nheader.{claims}.signature\n------END------\n");

        assert_eq!(name_in_credentials(&text).as_deref(), Some("ann"));
        assert_eq!(name_in_credentials("SUABC"), None);
    }

    #[test]
    fn a_key_names_its_person_or_nobody() {
        let ann = Identity::person("ann").unwrap();
        let anybody = Identity::of(Role::Person);
        let name = |identity| name_in_key(&KeyFile::generate(identity).unwrap().text());

        assert_eq!(name(&ann).as_deref(), Some("ann"));
        assert_eq!(name(&anybody), None);
    }

    #[test]
    fn an_address_names_its_user_and_hides_the_password() {
        let user = user_in_url("nats://person:s3c:ret@bus:4222,nats://bus2");

        assert_eq!(user.as_deref(), Some("person"));
        assert_eq!(user_in_url("nats://bus:4222"), None);
    }

    #[test]
    fn without_a_credential_the_local_user_is_named() {
        let environment = [("USER".to_owned(), "ann".to_owned())].into();

        let name = person(&BusSettings::default(), &environment);

        assert!(name.starts_with("ann@"), "{name}");
    }

    #[test]
    fn without_variables_the_account_is_named() {
        let name = person(&BusSettings::default(), &BTreeMap::new());

        let user = account().expect("the tests run as an account of this host");
        assert!(name.starts_with(&format!("{user}@")), "{name}");
    }
}
