//! The variables of this process, whatever bytes they hold.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// Start of the names of the variables that are ours.
const OURS: &str = "KTRDR_";

/// The environment as text. A variable of another program that is not UTF-8 is left out; in one of
/// ours the bytes that are not UTF-8 are replaced, so that it is refused with its name instead of
/// being passed over.
pub fn process_environment() -> BTreeMap<String, String> {
    variables_as_text(std::env::vars_os())
}

fn variables_as_text(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for (name, value) in variables {
        let Ok(name) = name.into_string() else {
            continue;
        };

        match value.into_string() {
            Ok(text) => {
                environment.insert(name, text);
            }
            Err(value) if name.starts_with(OURS) => {
                environment.insert(name, value.to_string_lossy().into_owned());
            }
            Err(_) => {}
        }
    }
    environment
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[test]
    fn variables_that_are_not_utf_8_do_no_harm() {
        let latin1 = || OsString::from_vec(b"K\xf6ln".to_vec());
        let variables = [
            ("HOME".into(), "/home/me".into()),
            ("ORT".into(), latin1()),
            ("KTRDR_STORE_URL".into(), latin1()),
            (latin1(), "x".into()),
        ];

        let environment = variables_as_text(variables.into_iter());

        let expected = [("HOME", "/home/me"), ("KTRDR_STORE_URL", "K\u{fffd}ln")];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(environment, expected.into());
    }
}
