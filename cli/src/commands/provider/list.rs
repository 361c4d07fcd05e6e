//! `ktrdr provider list`: what each provider has.

use fetcher::provider::Capabilities;
use fetcher::providers::Providers;
use serde_json::{Value, json};

use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::providers::open_providers;

const HEADS: [&str; 5] = ["NAME", "CLASSES", "TIMEFRAMES", "HISTORY", "DESCRIPTION"];

/// Lists the providers.
///
/// # Errors
/// A setting is wrong.
pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    let providers = open_providers(context)?;
    let output = &context.output;

    let mut rows = Vec::new();
    for name in Providers::names() {
        // One that cannot be opened, such as a folder that is not there, is listed with the reason.
        let capabilities = match providers.open(name) {
            Ok(provider) => provider.capabilities(),
            Err(error) => Capabilities {
                description: error.to_string(),
                ..Capabilities::default()
            },
        };
        output.json(&provider_json(name, &capabilities));
        rows.push(row_of(name, &capabilities));
    }

    output.table(&HEADS, &rows);
    output.note("hint: `ktrdr provider status` asks them; `--provider NAME` of a load names one");
    Ok(Exit::Done)
}

fn row_of(name: &str, capabilities: &Capabilities) -> Vec<String> {
    let classes = capabilities.classes.iter().map(|class| class.as_str());
    let classes: Vec<&str> = classes.collect();
    let timeframes = &capabilities.timeframes;
    let ends = timeframes.first().zip(timeframes.last());
    let description = match capabilities.limits.as_str() {
        "" => capabilities.description.clone(),
        limits => format!("{}; {limits}", capabilities.description),
    };

    vec![
        name.to_owned(),
        any_unless(&classes.join(" ")),
        any_unless(&ends.map_or_else(String::new, |(first, last)| format!("{first} to {last}"))),
        match capabilities.newest_bars {
            Some(bars) => format!("newest {bars} bars"),
            None => "all".to_owned(),
        },
        description,
    ]
}

fn any_unless(text: &str) -> String {
    if text.is_empty() { "any" } else { text }.to_owned()
}

/// What a provider has, for programs; an empty list is no limit.
fn provider_json(name: &str, capabilities: &Capabilities) -> Value {
    let classes = capabilities.classes.iter().map(|class| class.as_str());

    json!({
        "type": "provider",
        "name": name,
        "description": capabilities.description,
        "classes": classes.collect::<Vec<_>>(),
        "timeframes": capabilities.timeframes,
        "prices": capabilities.prices,
        "adjustments": capabilities.adjustments,
        "newest_bars": capabilities.newest_bars,
        "bars_per_request": capabilities.page_bars,
        "limits": capabilities.limits,
    })
}
