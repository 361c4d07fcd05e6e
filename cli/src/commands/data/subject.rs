//! What `data quality` and `data repair` look at: the bars of a file, or a stored series.

use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Args;
use market::{Bars, Calendar, SeriesKey, Utc};
use quality::{Actions, CoveredBars, Finding, Options, Report, Rules, check_coverage};
use schemas::codes;
use store::ALL_TIME;
use store::files::FileActions;

use super::judged_file::{FileArgs, judge_file};
use crate::arguments::values::parse_instrument;
use crate::console::{Exit, Failure, now};
use crate::context::Context;
use crate::inputs::stored_coverage::check_against_stored;
use crate::inputs::stored_series::{
    no_stored_bars, open_existing_store, require_calendar, series_key, with_calendar,
};
use crate::inputs::text_files::read_text;

/// Endings of files of bars: a text with one of them is no symbol.
const ENDINGS: [&str; 9] = [
    ".csv", ".gz", ".parquet", ".txt", ".zip", ".feather", ".arrow", ".tsv", ".xlsx",
];

/// The bars to look at, and by which rules.
#[derive(Clone, Debug, Args)]
pub(super) struct SubjectArgs {
    /// The file, or the symbol of a stored series.
    #[command(flatten)]
    pub(super) file: FileArgs,
    /// TOML file with thresholds that differ from the defaults, as in outlier_z = 12
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
}

/// Bars with everything that the checks need.
pub(super) struct Subject {
    /// The series that the bars are of.
    pub(super) key: SeriesKey,
    /// Every row, in the order of the file.
    pub(super) bars: Bars,
    /// Dividends and splits, if the file has such columns.
    pub(super) actions: Option<Actions>,
    /// Line of each row; none for a stored series.
    pub(super) lines: Option<Vec<u64>>,
    /// Where stored bars of other timeframes cover another time; empty for a file.
    pub(super) coverage: Vec<Finding>,
    known_empty: Vec<Range<Utc>>,
    rules: Rules,
    now: Utc,
}

impl Subject {
    /// Reads a file, or the stored series of a symbol.
    ///
    /// # Errors
    /// The file, the series or the rules cannot be read.
    pub(super) async fn read(args: &SubjectArgs, context: &Context) -> Result<Self, Failure> {
        let rules = read_rules(args.rules.as_deref(), context)?;
        if let Some(name) = &args.file.calendar {
            require_calendar(name, context).await?;
        }
        let path = context.working_directory.join(&args.file.file);

        if path.exists() || is_file_name(&args.file.file) {
            Self::of_file(&args.file, rules, context)
        } else {
            Self::of_store(&args.file, rules, context).await
        }
    }

    fn of_file(args: &FileArgs, rules: Rules, context: &Context) -> Result<Self, Failure> {
        let now = now();
        let judged = judge_file(args, &context.working_directory, now)?;
        let actions = judged.file.actions;
        let has_actions = !actions.is_absent();

        // A file does not say what its provider had, so no gap counts as known to be empty.
        Ok(Self {
            key: judged.key,
            bars: judged.file.bars.with_close_times(judged.known_at),
            actions: has_actions.then(|| actions_of(actions)),
            lines: Some(judged.file.lines),
            coverage: Vec::new(),
            known_empty: Vec::new(),
            rules,
            now,
        })
    }

    async fn of_store(args: &FileArgs, rules: Rules, context: &Context) -> Result<Self, Failure> {
        let text = args.file.display().to_string();
        let instrument = parse_instrument(&text).map_err(|reason| {
            let message = format!("there is no file `{text}`, and it is no symbol: {reason}");
            Failure::new(Exit::Usage, codes::DATA_INVALID_SYMBOL, message)
                .with_hint("name a file of bars, or the symbol of a stored series")
        })?;
        let timeframe = match args.named_timeframe() {
            Some(timeframe) => timeframe,
            None => "1d".parse().map_err(|error| {
                Failure::of(Exit::Usage, codes::DATA_UNNAMED, &error).with_hint("name --timeframe")
            })?,
        };

        let key = series_key(args.provider(), &instrument, timeframe)?;
        let key = with_calendar(key, args.calendar.as_deref())?;
        let store = open_existing_store(context).await?;
        let Some(snapshot) = store.series().snapshot(&key, None).await? else {
            return Err(no_stored_bars(&store, &instrument, timeframe).await);
        };
        let bars = store.series().bars(&snapshot, ALL_TIME).await?;
        let empty = snapshot.manifest.empty.iter();
        let covered = CoveredBars {
            timeframe,
            known_at: &bars.close_time,
        };
        let coverage = check_against_stored(&store, &snapshot.key, covered, check_coverage, &rules);
        let coverage = coverage.await?;

        // The store holds prices and volume only: no actions, and no lines to point at.
        Ok(Self {
            known_empty: empty.map(|gap| Utc(gap.start)..Utc(gap.end)).collect(),
            key: snapshot.key,
            bars,
            actions: None,
            lines: None,
            coverage,
            rules,
            now: now(),
        })
    }

    /// What the checks need besides the bars.
    pub(super) fn options(&self) -> Options<'_> {
        Options {
            range: None,
            now: Some(self.now),
            known_empty: &self.known_empty,
            actions: self.actions.as_ref(),
            rules: self.rules.clone(),
        }
    }

    /// The findings about these bars.
    pub(super) fn report(&self) -> Report {
        let calendar = Calendar::for_key(&self.key);
        quality::check(&self.bars, &self.key, calendar, &self.options())
    }
}

/// The columns of a file as the checks take them.
fn actions_of(columns: FileActions) -> Actions {
    Actions {
        adjusted_close: columns.adjusted_close,
        dividends: columns.dividends,
        splits: columns.splits,
        capital_gains: columns.capital_gains,
    }
}

/// Whether a text that names no existing file was meant as one.
fn is_file_name(path: &Path) -> bool {
    let text = path.to_string_lossy().to_lowercase();
    let has_folder = text.starts_with('.') || text.starts_with('/');
    has_folder || ENDINGS.iter().any(|ending| text.ends_with(ending))
}

fn read_rules(file: Option<&Path>, context: &Context) -> Result<Rules, Failure> {
    let Some(file) = file else {
        return Ok(Rules::default());
    };

    // No fallback to the default rules: they would judge by limits that nobody chose.
    let text = read_text(&context.working_directory.join(file)).map_err(|error| {
        let message = format!("cannot read the rules in {}", file.display());
        Failure::new(Exit::Usage, codes::DATA_RULES, message)
            .with_cause(&error)
            .with_hint("look whether the file exists and can be read")
    })?;
    Rules::from_toml(&text).map_err(|error| {
        Failure::of(Exit::Usage, codes::DATA_RULES, &error).with_hint(format!(
            "{}, in {}",
            error.hint(),
            file.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_with_a_dot_is_no_file() {
        for text in ["BRK.B", "AAPL", "EUR/USD", "7203.T", "crypto:BTC/USD"] {
            assert!(!is_file_name(Path::new(text)), "{text}");
        }
        for text in ["bars.csv", "a/BARS.CSV.GZ", "./AAPL", "/tmp/x"] {
            assert!(is_file_name(Path::new(text)), "{text}");
        }
    }
}
