//! `ktrdr data gaps`: where a stored series has no bars, and why.

use std::ops::Range;

use clap::Args;
use fetcher::plan::{SeriesFacts, completed, find_gaps};
use fetcher::{FetcherSettings, ledger};
use jiff::Timestamp;
use market::{
    Calendar, GapAnalysis, GapClass, GapPlace, HourAnchor, SeriesKey, Stretch, Utc, explain_gap,
};
use schemas::ids::Service;
use serde_json::{Value, json};
use store::ALL_TIME;

use super::stored::{SeriesArgs, find_series};
use crate::arguments::values::{parse_end, parse_instant};
use crate::console::{Exit, Failure, now};
use crate::context::Context;
use crate::inputs::stored_series::open_existing_store;

const CLASS_HEADS: [&str; 4] = ["CLASS", "STRETCHES", "BARS", "FETCHED BY A LOAD"];
const STRETCH_HEADS: [&str; 5] = ["FROM", "TO", "BARS", "CLASS", "REASON"];

/// `ktrdr data gaps`.
#[derive(Clone, Debug, Args)]
pub(super) struct GapsArgs {
    /// The series to look at.
    #[command(flatten)]
    series: SeriesArgs,
    /// Start: a date or an instant, included; without it the first stored bar
    #[arg(long, alias = "from", value_name = "WHEN", value_parser = parse_instant)]
    start: Option<Timestamp>,
    /// End: a date, included, or an instant, excluded; without it the last stored bar
    #[arg(long, alias = "to", value_name = "WHEN", value_parser = parse_end)]
    end: Option<Timestamp>,
    /// List every stretch without bars with its reason
    #[arg(long)]
    explain: bool,
}

/// A series with its gaps.
struct GapReport {
    key: SeriesKey,
    calendar: &'static Calendar,
    range: Range<Utc>,
    stored: Vec<Utc>,
    gaps: GapAnalysis,
}

/// Shows the gaps of a stored series by class.
pub(super) async fn run(args: &GapsArgs, context: &Context) -> Result<Exit, Failure> {
    let report = read_report(args, context).await?;
    let output = &context.output;
    output.json(&report.json(args.explain));

    output.line(&report.summary());
    output.table(&CLASS_HEADS, &report.class_rows());
    if args.explain {
        output.line("");
        output.table(&STRETCH_HEADS, &report.stretch_rows());
    }
    for advice in report.advice(args) {
        output.note(&format!("hint: {advice}"));
    }
    Ok(Exit::Done)
}

async fn read_report(args: &GapsArgs, context: &Context) -> Result<GapReport, Failure> {
    let settings: FetcherSettings = context.service_settings(Service::Fetcher)?;
    let store = open_existing_store(context).await?;
    let series = find_series(&args.series, &store, context).await?;
    let stored = store.series().raw_bars(&series, ALL_TIME).await?.open_time;

    let first = stored.first().copied().unwrap_or(Utc(0));
    let bar = args.series.timeframe.micros();
    let last = stored.last().map_or(Utc(0), |last| last.plus_micros(bar));
    let range = args.start.map_or(first, Utc::from_timestamp)
        ..args.end.map_or(last, Utc::from_timestamp).min(now());

    // The provider is not asked: what it has is known from earlier loads only.
    let calendar = Calendar::for_key(&series.key);
    let facts = SeriesFacts {
        key: &series.key,
        calendar,
        anchor: HourAnchor::ClockHour,
        stored: &stored,
        empty: &series.manifest.empty,
        coverage: None,
        span_max: None,
        settings: &settings.gaps,
        now: now(),
    };
    let slots = completed(&facts, range.clone());
    let known_empty = ledger::holding_ranges(facts.empty, facts.settings, facts.now);
    let gaps = find_gaps(&facts, &range, &slots, &known_empty);

    Ok(GapReport {
        key: series.key,
        calendar,
        range,
        stored,
        gaps,
    })
}

impl GapReport {
    fn title(&self) -> String {
        format!("{} {}", self.key.instrument.symbol(), self.key.timeframe)
    }

    /// `EURUSD 1h, … to …: 30843 of 31104 expected bars, 99.16 % complete`.
    fn summary(&self) -> String {
        format!(
            "{}, {} to {}: {} of {} expected bars, {:.2} % complete (calendar {})",
            self.title(),
            self.range.start,
            self.range.end,
            self.gaps.present,
            self.gaps.expected,
            self.gaps.completeness() * 1e2,
            self.calendar.name()
        )
    }

    fn class_rows(&self) -> Vec<Vec<String>> {
        let counts = self.gaps.counts();
        let rows = counts.iter().map(|(class, count)| {
            let fetched = if class.is_fetched() { "yes" } else { "no" };
            vec![
                class.to_string(),
                count.stretches.to_string(),
                count.bars.to_string(),
                fetched.to_owned(),
            ]
        });
        rows.collect()
    }

    fn stretch_rows(&self) -> Vec<Vec<String>> {
        let stretches = self.gaps.stretches.iter();
        let rows = stretches.map(|stretch| {
            vec![
                stretch.start.to_string(),
                stretch.end.to_string(),
                stretch.bars.to_string(),
                stretch.class.to_string(),
                self.reason(stretch),
            ]
        });
        rows.collect()
    }

    fn reason(&self, stretch: &Stretch) -> String {
        let place = GapPlace::of(stretch, &self.stored);
        explain_gap(stretch, &self.key, self.calendar, place)
    }

    fn json(&self, explain: bool) -> Value {
        let mut value = json!({
            "type": "gaps",
            "series": self.key.prefix(),
            "calendar": self.calendar.name(),
            "from": self.range.start.to_string(),
            "to": self.range.end.to_string(),
            "expected": self.gaps.expected,
            "present": self.gaps.present,
            "missing": self.gaps.missing(),
            "completeness": self.gaps.completeness(),
            "classes": self.gaps.counts(),
        });

        // Years of bars can have thousands of stretches, so they are listed only on request.
        if explain && let Some(fields) = value.as_object_mut() {
            let stretches = self.gaps.stretches.iter().map(|stretch| {
                json!({
                    "class": stretch.class,
                    "start": stretch.start.to_string(),
                    "end": stretch.end.to_string(),
                    "bars": stretch.bars,
                    "reason": self.reason(stretch),
                })
            });
            fields.insert("stretches".to_owned(), stretches.collect());
        }
        value
    }

    /// What to do next, one sentence each.
    fn advice(&self, args: &GapsArgs) -> Vec<String> {
        let command = format!("ktrdr data load {}", args.series.words());
        let counts = self.gaps.counts();
        let bars: u64 = self.gaps.fetched().map(|gap| gap.bars).sum();

        // A plain load comes first: --refetch repeats requests that brought no bars before.
        let mut advice = Vec::new();
        if bars > 0 {
            advice.push(format!(
                "`{command} --mode full` asks the provider for the {bars} missing bars"
            ));
        }
        if counts.contains_key(&GapClass::ProviderEmpty) {
            advice.push(format!(
                "`{command} --mode full --refetch` asks again for what the provider did not have"
            ));
        }
        if bars > 0 && !args.explain {
            advice.push("--explain lists every stretch with its reason".to_owned());
        }
        advice
    }
}
