//! `ktrdr data plan`, also shown by `ktrdr data load --dry-run`: what a load would ask the provider
//! for. Plans as the fetcher does, and asks for no bars; only where the series begins.

use std::time::Duration;

use clap::Args;
use fetcher::plan::{FetchPlan, FetchWish, SeriesFacts, plan};
use fetcher::providers::Providers;
use market::{Calendar, Instrument, SeriesKey, Timeframe, Utc};
use schemas::codes;
use schemas::commands::FetchMode;
use schemas::manifests::EmptyInterval;
use serde_json::{Value, json};
use store::{ALL_TIME, Store};

use crate::arguments::FetchArgs;
use crate::console::durations::rough;
use crate::console::{Exit, Failure, count_of, now};
use crate::context::Context;
use crate::inputs::providers::{open_shared_providers, provider_failure};
use crate::inputs::stored_series::{open_existing_store, with_calendar};
use crate::inputs::symbol_files::gather_symbols;

const SEGMENT_HEADS: [&str; 5] = ["SYMBOL", "TIMEFRAME", "FROM", "TO", "MISSING BARS"];

/// `ktrdr data plan`.
#[derive(Clone, Debug, Args)]
pub(super) struct PlanArgs {
    /// What a load would fetch.
    #[command(flatten)]
    pub(super) fetch: FetchArgs,
}

/// The plan of one series.
struct SeriesPlan {
    key: SeriesKey,
    mode: FetchMode,
    stored: usize,
    plan: FetchPlan,
    estimated_time: Duration,
}

/// Shows the requests that a load would make.
///
/// # Errors
/// A symbol is wrong, the provider cannot say what it has, or the store cannot be read.
pub(super) async fn show_plans(args: &FetchArgs, context: &Context) -> Result<Exit, Failure> {
    let providers = open_shared_providers(context).await?;
    let store = open_existing_store(context).await?;

    // All plans are made before one is shown: an error must not follow half a table.
    let mut plans = Vec::new();
    let file = args.symbols_from.as_deref();
    for symbol in gather_symbols(&args.symbols, file, context)? {
        for timeframe in &args.timeframe {
            plans.push(plan_series(args, &symbol, *timeframe, &providers, &store).await?);
        }
    }

    let output = &context.output;
    let rows: Vec<Vec<String>> = plans.iter().flat_map(SeriesPlan::segment_rows).collect();
    if !rows.is_empty() {
        output.table(&SEGMENT_HEADS, &rows);
    }
    for plan in &plans {
        output.json(&plan.json());
        output.line(&plan.summary());
        for warning in &plan.plan.warnings {
            output.note(&format!("{}: {warning}", plan.title()));
        }
    }
    Ok(Exit::Done)
}

async fn plan_series(
    args: &FetchArgs,
    symbol: &Instrument,
    timeframe: Timeframe,
    providers: &Providers,
    store: &Store,
) -> Result<SeriesPlan, Failure> {
    let provider = providers.open(&args.provider);
    let provider = provider.map_err(|error| provider_failure(&error))?;
    let key = provider
        .series(symbol.clone(), timeframe)
        .map_err(|error| {
            Failure::of(Exit::Usage, codes::DATA_SERIES_KEY, &error).with_hint(error.hint())
        })?;
    let key = with_calendar(key, args.calendar_of(symbol).as_deref())?;
    let coverage = provider.coverage(&key).await;
    let coverage = coverage.map_err(|error| provider_failure(&error))?;

    // A load looks at the same facts, or the plan would promise other requests than it makes.
    let (stored, empty) = read_stored(&key, store).await?;
    let facts = SeriesFacts {
        key: &key,
        calendar: Calendar::for_key(&key),
        anchor: provider.anchor(),
        stored: &stored,
        empty: &empty,
        coverage,
        span_max: provider.span_max(timeframe),
        settings: &providers.settings().gaps,
        now: now(),
    };
    let wish = wish_of(args);
    let plan = plan(&wish, &facts).map_err(|error| {
        Failure::of(Exit::Usage, codes::DATA_INVALID_DATE_RANGE, &error)
            .with_hint("give a start that is earlier than the end")
    })?;

    // Requests are made as fast as they are answered, or as the limit allows.
    let by_answers = plan.estimated_time(&provider.request_cost(timeframe));
    let by_limit = provider.scheduled_time(&key, plan.segments.len());
    Ok(SeriesPlan {
        estimated_time: by_answers.max(by_limit),
        mode: wish.mode,
        stored: stored.len(),
        plan,
        key,
    })
}

/// Labels of the stored bars, ascending, and where the provider had none.
async fn read_stored(
    key: &SeriesKey,
    store: &Store,
) -> Result<(Vec<Utc>, Vec<EmptyInterval>), Failure> {
    match store.series().snapshot(key, None).await? {
        Some(snapshot) => {
            let bars = store.series().raw_bars(&snapshot, ALL_TIME).await?;
            Ok((bars.open_time, snapshot.manifest.empty))
        }
        None => Ok((Vec::new(), Vec::new())),
    }
}

fn wish_of(args: &FetchArgs) -> FetchWish {
    FetchWish {
        mode: FetchMode::from(args.mode),
        start: args.start.map(Utc::from_timestamp),
        end: args.end.map(Utc::from_timestamp),
        refetch: args.refetch,
    }
}

impl SeriesPlan {
    fn title(&self) -> String {
        format!("{} {}", self.key.instrument.symbol(), self.key.timeframe)
    }

    fn segment_rows(&self) -> Vec<Vec<String>> {
        let segments = self.plan.segments.iter();
        let rows = segments.map(|segment| {
            vec![
                self.key.instrument.symbol(),
                self.key.timeframe.to_string(),
                segment.range.start.to_string(),
                segment.range.end.to_string(),
                segment.bars.to_string(),
            ]
        });
        rows.collect()
    }

    /// `EURUSD 1h, full mode: 2 requests for 24 missing bars, about 1s; 30843 bars are stored`.
    fn summary(&self) -> String {
        let requests = self.plan.segments.len();
        let mode = self.mode.as_str();
        let work = if requests == 0 {
            "nothing to ask for".to_owned()
        } else {
            let bars: u64 = self.plan.segments.iter().map(|segment| segment.bars).sum();
            let bars = usize::try_from(bars).unwrap_or(usize::MAX);
            format!(
                "{} for {}, about {}",
                count_of(requests, "request"),
                count_of(bars, "bar"),
                rough(self.estimated_time.max(Duration::from_secs(1)))
            )
        };

        // More can be missing than is asked for: a mode does not look at all of the history.
        format!(
            "{}, {mode} mode: {work}; {} stored, {} missing",
            self.title(),
            count_of(self.stored, "bar"),
            self.plan.missing
        )
    }

    fn json(&self) -> Value {
        let segments = self.plan.segments.iter().map(|segment| {
            json!({
                "start": segment.range.start.to_string(),
                "end": segment.range.end.to_string(),
                "bars": segment.bars,
            })
        });

        // A mode that has nothing to look at has no range, which is not an empty one.
        json!({
            "type": "plan",
            "series": self.key.prefix(),
            "mode": self.mode,
            "from": self.plan.range.as_ref().map(|range| range.start.to_string()),
            "to": self.plan.range.as_ref().map(|range| range.end.to_string()),
            "stored": self.stored,
            "missing": self.plan.missing,
            "classes": self.plan.gaps.counts(),
            "requests": self.plan.segments.len(),
            "estimated_seconds": self.estimated_time.as_secs_f64(),
            "segments": segments.collect::<Vec<Value>>(),
            "warnings": self.plan.warnings,
        })
    }
}
