//! `ktrdr provider test`: the conformance suite, run on a provider as it answers today.

use clap::Args;
use fetcher::conformance::{Breach, RULES, Sample, check_provider};
use fetcher::provider::Provider;
use market::{AssetClass, Instrument, InstrumentError, Timeframe};
use schemas::codes;
use serde_json::{Value, json};

use crate::arguments::values::{parse_instrument, parse_timeframe};
use crate::console::{Exit, Failure, now};
use crate::context::Context;
use crate::inputs::providers::{open_shared_providers, provider_failure};

/// Bars before the newest one that the sample reaches back.
const SAMPLE_BARS: i64 = 200;

/// `ktrdr provider test`.
#[derive(Clone, Debug, Args)]
pub(super) struct TestArgs {
    /// Provider to test
    #[arg(value_name = "NAME")]
    provider: String,
    /// An instrument that it has
    #[arg(value_parser = parse_instrument)]
    symbol: Instrument,
    /// Length of the bars that are asked for
    #[arg(long, short, default_value = "1d", value_parser = parse_timeframe)]
    timeframe: Timeframe,
}

/// Runs the suite: exit code 1 if a rule is broken.
///
/// # Errors
/// There is no such provider, or it cannot answer.
pub(super) async fn run(args: &TestArgs, context: &Context) -> Result<Exit, Failure> {
    let provider = open_shared_providers(context).await?.open(&args.provider);
    let provider = provider.map_err(|error| provider_failure(&error))?;
    let sample = sample_of(args, &*provider).await?;

    let breaches = check_provider(&*provider, &sample).await;
    let breaches = breaches.map_err(|error| provider_failure(&error))?;
    let output = &context.output;
    for (rule, meaning) in RULES {
        let broken: Vec<&Breach> = breaches.iter().filter(|each| each.rule == *rule).collect();
        output.json(&rule_json(rule, meaning, &broken));
        let mark = if broken.is_empty() { "ok" } else { "broken" };
        output.line(&format!("{mark:<8}{rule:<14}{meaning}"));
        for breach in broken {
            output.line(&format!("        {}", breach.detail));
        }
    }
    Ok(if breaches.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// The newest bars of the series, and a coin that nobody has.
async fn sample_of(args: &TestArgs, provider: &dyn Provider) -> Result<Sample, Failure> {
    let series = provider.series(args.symbol.clone(), args.timeframe);
    let key = series.map_err(|error| Failure::of(Exit::Usage, codes::DATA_SERIES_KEY, &error))?;
    let coverage = provider.coverage(&key).await;
    let coverage = coverage.map_err(|error| provider_failure(&error))?;
    let end = coverage.map_or_else(now, |coverage| coverage.end);

    let unknown = unlikely(args.symbol.class());
    let unknown = unknown.map_err(|error| {
        Failure::of(Exit::Failed, codes::DATA_INVALID_SYMBOL, &error).with_hint(error.hint())
    })?;
    let span = args.timeframe.micros_max().saturating_mul(SAMPLE_BARS);
    Ok(Sample {
        instrument: args.symbol.clone(),
        timeframe: args.timeframe,
        range: end.plus_micros(-span)..end,
        unknown,
    })
}

/// An instrument of a class that no provider has.
fn unlikely(class: AssetClass) -> Result<Instrument, InstrumentError> {
    let name = match class {
        AssetClass::Crypto | AssetClass::Perpetual => "QQQXQ/USDT",
        AssetClass::Fx => "EUR/XTS",
        AssetClass::Metal => "XPT/XTS",
        _ => "QQQXQ",
    };
    Instrument::parse(&format!("{}:{name}", class.as_str()))
}

fn rule_json(rule: &str, meaning: &str, broken: &[&Breach]) -> Value {
    let details = broken.iter().map(|breach| breach.detail.as_str());
    json!({
        "type": "provider_rule",
        "rule": rule,
        "meaning": meaning,
        "ok": broken.is_empty(),
        "details": details.collect::<Vec<_>>(),
    })
}
