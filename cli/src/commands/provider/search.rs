//! `ktrdr provider search`: instruments by a part of their names.

use clap::Args;
use fetcher::provider::Listing;
use fetcher::providers::Providers;
use serde_json::{Value, json};

use crate::console::{Exit, Failure, count_of};
use crate::context::Context;
use crate::inputs::providers::{open_shared_providers, provider_failure};

const HEADS: [&str; 4] = ["PROVIDER", "ITS NAME", "SYMBOL", "STATE"];

/// `ktrdr provider search`.
#[derive(Clone, Debug, Args)]
pub(super) struct SearchArgs {
    /// Part of a name, in the provider's spelling or in ours: btc, BTC-USD, ETHEUR
    text: String,
    /// Provider to ask; without it, all of them
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Lines of the table, at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

/// Looks for instruments: exit code 4 if there are none.
///
/// # Errors
/// There is no such provider, or the one that was named cannot answer.
pub(super) async fn run(args: &SearchArgs, context: &Context) -> Result<Exit, Failure> {
    let providers = open_shared_providers(context).await?;
    let listings = match &args.provider {
        Some(name) => {
            let listings = search_in(&providers, name, &args.text).await?;
            listings
                .into_iter()
                .map(|each| (name.clone(), each))
                .collect()
        }
        None => search_in_all(&providers, &args.text, context).await,
    };

    let output = &context.output;
    for (provider, listing) in &listings {
        output.json(&listing_json(provider, listing));
    }
    let rows: Vec<Vec<String>> = listings.iter().take(args.limit).map(row_of).collect();
    if rows.is_empty() {
        let text = &args.text;
        output.note(&format!(
            "nothing has `{text}` in its name; try a shorter text"
        ));
        return Ok(Exit::NotFound);
    }
    output.table(&HEADS, &rows);

    let rest = listings.len() - rows.len();
    if rest > 0 {
        let more = count_of(rest, "more instrument");
        output.note(&format!(
            "and {more}: write more of the name, or --limit {}",
            listings.len()
        ));
    }
    Ok(Exit::Done)
}

async fn search_in(providers: &Providers, name: &str, text: &str) -> Result<Vec<Listing>, Failure> {
    let provider = providers.open(name);
    let provider = provider.map_err(|error| provider_failure(&error))?;
    let listings = provider.search(text).await;
    listings.map_err(|error| provider_failure(&error))
}

/// One that does not answer hides no other.
async fn search_in_all(
    providers: &Providers,
    text: &str,
    context: &Context,
) -> Vec<(String, Listing)> {
    let mut listings = Vec::new();
    for name in Providers::names() {
        match search_in(providers, name, text).await {
            Ok(of_one) => listings.extend(of_one.into_iter().map(|each| (name.to_owned(), each))),
            Err(failure) => context.output.note(&failure.human()),
        }
    }
    listings
}

fn row_of(pair: &(String, Listing)) -> Vec<String> {
    let listing = &pair.1;
    vec![
        pair.0.clone(),
        listing.symbol.clone(),
        listing.instrument.spelling(),
        listing.state.clone(),
    ]
}

fn listing_json(provider: &str, listing: &Listing) -> Value {
    json!({
        "type": "listing",
        "provider": provider,
        "name": listing.symbol,
        "symbol": listing.instrument.spelling(),
        "id": listing.instrument.id(),
        "state": listing.state,
    })
}
