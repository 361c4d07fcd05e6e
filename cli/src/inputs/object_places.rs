//! Where an object of the store lies, in words that other programs take.

use serde_json::json;

use crate::console::Failure;
use crate::context::Context;

/// Prints where these objects lie, one a line: paths of a store in a folder, else URLs.
///
/// # Errors
/// The settings name no store.
pub(crate) fn print_places(keys: &[String], context: &Context) -> Result<(), Failure> {
    let url = context.store_url()?;
    for key in keys {
        let place = place_of(&url, key);
        context
            .output
            .json(&json!({"type": "path", "path": place, "key": key}));
        context.output.line(&place);
    }
    Ok(())
}

fn place_of(url: &str, key: &str) -> String {
    let root = url.strip_prefix("file://").unwrap_or(url);
    format!("{}/{key}", root.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_paths_and_a_bucket_urls() {
        assert_eq!(
            place_of("file:///tmp/objects", "bars/x"),
            "/tmp/objects/bars/x"
        );
        assert_eq!(
            place_of("s3://bucket/team/", "bars/x"),
            "s3://bucket/team/bars/x"
        );
    }
}
