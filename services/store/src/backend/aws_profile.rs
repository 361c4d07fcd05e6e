//! One profile of `~/.aws/credentials` and `~/.aws/config`, for people who log in to S3 that way.
//!
//! Only keys written in these files are used. Profiles that log in somewhere else first (SSO,
//! assumed roles) have none; `aws configure export-credentials --format env` turns those into
//! variables.

use std::path::{Path, PathBuf};

use super::Environment;

/// Where each key of a profile belongs among the `AWS_*` variables.
const KEYS: [(&str, &str); 5] = [
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
    ("region", "AWS_REGION"),
    ("endpoint_url", "AWS_ENDPOINT_URL"),
];

/// Adds what the profile says to the `AWS_*` variables; a variable that is set wins.
///
/// # Errors
/// `AWS_PROFILE` names a profile that neither file has.
pub(super) fn with_profile(environment: &Environment) -> Result<Environment, String> {
    let mut merged = environment.clone();
    let named = environment.get("AWS_PROFILE");
    let profile = named.map_or("default", String::as_str);

    let credentials = file_of(
        environment,
        "AWS_SHARED_CREDENTIALS_FILE",
        ".aws/credentials",
    );
    let config = file_of(environment, "AWS_CONFIG_FILE", ".aws/config");

    // The two files write the name of a profile in two ways, but for the default one.
    let from_credentials = credentials.and_then(|file| read_section(&file, profile));
    let from_config = config.and_then(|file| {
        read_section(&file, &format!("profile {profile}"))
            .or_else(|| read_section(&file, profile).filter(|_| profile == "default"))
    });

    // Only a profile that was named has to exist.
    if named.is_some() && from_credentials.is_none() && from_config.is_none() {
        return Err(format!(
            "AWS_PROFILE is `{profile}`, and neither ~/.aws/credentials nor ~/.aws/config has it"
        ));
    }

    // A key in the environment comes with a secret and a token: those of a profile would not fit.
    let has_environment_key = environment.contains_key("AWS_ACCESS_KEY_ID");
    for (key, value) in from_credentials.into_iter().chain(from_config).flatten() {
        let Some((_, variable)) = KEYS.iter().find(|(name, _)| *name == key) else {
            continue;
        };
        let is_login = key.starts_with("aws_");
        if !(is_login && has_environment_key) {
            merged.entry((*variable).to_owned()).or_insert(value);
        }
    }
    Ok(merged)
}

/// The file that `variable` names, else `default` in the home folder.
fn file_of(environment: &Environment, variable: &str, default: &str) -> Option<PathBuf> {
    match environment.get(variable) {
        Some(file) => Some(PathBuf::from(file)),
        None => Some(Path::new(environment.get("HOME")?).join(default)),
    }
}

/// Keys and values below `[section]`; `None` without the file or the section.
fn read_section(file: &Path, section: &str) -> Option<Vec<(String, String)>> {
    let text = std::fs::read_to_string(file).ok()?;
    let header = format!("[{section}]");
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| *line == header)?;

    let pairs = lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// A home folder with one profile `work` in both files, and a default.
    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".aws");
        std::fs::create_dir(&folder).unwrap();
        let credentials = "[default]\naws_access_key_id = D\naws_secret_access_key = d\n\n\
            [work]\naws_access_key_id=W\naws_secret_access_key=w\naws_session_token=t\n";
        std::fs::write(folder.join("credentials"), credentials).unwrap();
        let config = "[profile work]\nregion = eu-central-1\noutput = json\n";
        std::fs::write(folder.join("config"), config).unwrap();
        home
    }

    #[test]
    fn a_named_profile_gives_keys_and_region() {
        let home = home();
        let here = home.path().to_str().unwrap();
        let merged = with_profile(&environment(&[("HOME", here), ("AWS_PROFILE", "work")]));

        let merged = merged.unwrap();
        assert_eq!(merged["AWS_ACCESS_KEY_ID"], "W");
        assert_eq!(merged["AWS_SESSION_TOKEN"], "t");
        assert_eq!(merged["AWS_REGION"], "eu-central-1");
    }

    #[test]
    fn a_key_in_the_environment_is_not_mixed_with_a_profile() {
        let home = home();
        let here = home.path().to_str().unwrap();
        let variables = environment(&[
            ("HOME", here),
            ("AWS_PROFILE", "work"),
            ("AWS_ACCESS_KEY_ID", "E"),
            ("AWS_SECRET_ACCESS_KEY", "e"),
        ]);

        let merged = with_profile(&variables).unwrap();
        assert_eq!(merged["AWS_SECRET_ACCESS_KEY"], "e");
        assert!(!merged.contains_key("AWS_SESSION_TOKEN"));
        assert_eq!(merged["AWS_REGION"], "eu-central-1");
    }

    #[test]
    fn a_profile_that_no_file_has_is_an_error() {
        let home = home();
        let here = home.path().to_str().unwrap();
        let absent = with_profile(&environment(&[("HOME", here), ("AWS_PROFILE", "play")]));
        assert!(absent.unwrap_err().contains("`play`"));

        let without_files = with_profile(&environment(&[("HOME", "/nonexistent")]));
        assert_eq!(without_files.unwrap().len(), 1);
    }
}
