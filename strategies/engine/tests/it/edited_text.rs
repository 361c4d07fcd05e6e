//! Replacements in the text of a strategy, and findings about it without what grows over time.

/// The text after replacements, each of which must apply.
pub fn apply_edits(text: &str, edits: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "`{from}` is not in the text");
        text = text.replacen(from, to, 1);
    }
    text
}

/// The findings without the list of indicator types: it grows, and snapshots do not promise it.
pub fn hide_type_list(findings: &str) -> String {
    let type_names: Vec<&str> = strategies::indicators::specs()
        .iter()
        .map(|spec| spec.name)
        .collect();
    findings.replace(&type_names.join(", "), "every indicator type")
}
