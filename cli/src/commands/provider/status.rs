//! `ktrdr provider status`: who answers, how fast, and with which clock.

use clap::Args;
use fetcher::provider::{Health, ProviderError};
use fetcher::providers::Providers;
use schemas::codes::Advice as _;
use serde_json::{Value, json};

use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::providers::{open_shared_providers, provider_failure};

const HEADS: [&str; 5] = ["NAME", "STATE", "ANSWERED IN", "CLOCK", "DETAIL"];

/// `ktrdr provider status`.
#[derive(Clone, Debug, Args)]
pub(super) struct StatusArgs {
    /// Providers to ask; without any, all of them
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Asks providers; exit code 1 if one of them does not answer.
///
/// # Errors
/// There is no provider of a name.
pub(super) async fn run(args: &StatusArgs, context: &Context) -> Result<Exit, Failure> {
    let providers = open_shared_providers(context).await?;
    let mut names: Vec<&str> = args.names.iter().map(String::as_str).collect();
    if names.is_empty() {
        names = Providers::names();
    }
    for name in &names {
        refuse_unknown(&providers, name)?;
    }

    let mut rows = Vec::new();
    let mut errors = Vec::new();
    for name in names {
        let health = health_of(&providers, name).await;
        context.output.json(&health_json(name, &health));
        rows.push(row_of(name, &health));
        errors.extend(health.err());
    }
    context.output.table(&HEADS, &rows);
    for error in &errors {
        context.output.note(&format!("{error}: {}", error.hint()));
    }
    Ok(if errors.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// A name that no provider has is a mistake; one that cannot be opened is a state.
fn refuse_unknown(providers: &Providers, name: &str) -> Result<(), Failure> {
    match providers.open(name) {
        Err(error @ ProviderError::Unconfigured { .. }) => Err(provider_failure(&error)),
        _ => Ok(()),
    }
}

async fn health_of(providers: &Providers, name: &str) -> Result<Health, ProviderError> {
    providers.open(name)?.health().await
}

fn row_of(name: &str, health: &Result<Health, ProviderError>) -> Vec<String> {
    let (state, detail) = match health {
        Ok(health) => ("ok", health.detail.clone()),
        Err(error) => (error.class().as_str(), error.to_string()),
    };
    let health = health.as_ref().ok();
    let latency = health.and_then(|health| health.latency);
    let clock = health.and_then(|health| health.clock_ahead_ms);

    vec![
        name.to_owned(),
        state.to_owned(),
        latency.map_or_else(String::new, |latency| format!("{} ms", latency.as_millis())),
        clock.map_or_else(String::new, clock_text),
        detail,
    ]
}

/// `same`, `10 min behind`, `3 s ahead`; the clocks of HTTP have whole seconds.
fn clock_text(ahead_ms: i64) -> String {
    let side = if ahead_ms < 0 { "behind" } else { "ahead" };
    match ahead_ms.unsigned_abs() / 1_000 {
        0 | 1 => "same".to_owned(),
        seconds @ 2..120 => format!("{seconds} s {side}"),
        seconds => format!("{} min {side}", seconds / 60),
    }
}

fn health_json(name: &str, health: &Result<Health, ProviderError>) -> Value {
    match health {
        Ok(health) => json!({
            "type": "provider_status",
            "name": name,
            "state": "ok",
            "connected": true,
            "detail": health.detail,
            "latency_ms": health.latency.map(|latency| latency.as_secs_f64() * 1_000.0),
            "clock_ahead_ms": health.clock_ahead_ms,
        }),
        Err(error) => json!({
            "type": "provider_status",
            "name": name,
            "state": error.class().as_str(),
            "connected": false,
            "code": error.code(),
            "detail": error.to_string(),
            "hint": error.hint(),
            "retryable": error.is_transient(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared_in_words() {
        assert_eq!(clock_text(-900), "same");
        assert_eq!(clock_text(3_200), "3 s ahead");
        assert_eq!(clock_text(-600_000), "10 min behind");
    }
}
