//! `ktrdr models list`: every version of every model, newest or best first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use clap::Args;
use jiff::Timestamp;
use market::{Instrument, Timeframe};
use schemas::codes;
use schemas::queries::{ListModels, ModelSummary};

use super::deletion;
use super::figures::{FigureName, figure_names};
use super::list_columns::{Details, FACTS, cell_of, is_column, needs_details, read_details};
use super::registry::{
    ask_registry_first, join_symbols, names_store, open_store_to_read, summary_json,
};
use crate::arguments::values::{parse_instrument, parse_key_and_value, parse_timeframe};
use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::stored_series::open_existing_store;

const HEADS: [&str; 5] = ["MODEL", "TRAINED ON", "CREATED", "VALIDATION", "TEST"];

/// `ktrdr models list`.
#[derive(Clone, Debug, Args)]
pub(super) struct ListArgs {
    /// Versions of this model only
    name: Option<String>,
    /// Models that were trained on this symbol
    #[arg(long, value_parser = parse_instrument)]
    symbol: Option<Instrument>,
    /// Models that were trained on this timeframe
    #[arg(long, short, value_parser = parse_timeframe)]
    timeframe: Option<Timeframe>,
    /// Models of this data set, by the beginning of its hash
    #[arg(long, value_name = "HASH")]
    dataset: Option<String>,
    /// Models that used this series, by a part of its key as `models show` names it, such as
    /// fx-eur-usd
    #[arg(long, value_name = "KEY")]
    series: Option<String>,
    /// `created` for the newest first, `name`, or a figure for the best first, as in
    /// validation.log_loss or test.accuracy
    #[arg(long, value_name = "WHAT", default_value = "created")]
    sort: String,
    /// Versions with this tag, or with this label of the operation that trained them; may be
    /// repeated, and all must hold
    #[arg(
        long,
        visible_alias = "tag",
        value_name = "KEY=VALUE",
        value_parser = parse_key_and_value
    )]
    label: Vec<(String, String)>,
    /// More columns: seed, lr, dates, labels, tags, note, former_names, overrides, dataset,
    /// artifact, operation, settings as in training.batch_size, or figures as in
    /// validation.accuracy,test.mcc
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    columns: Vec<String>,
    /// The deleted versions instead, and until when each deletion can be undone
    #[arg(
        long,
        conflicts_with_all = [
            "symbol", "timeframe", "dataset", "series", "label", "sort", "columns",
        ]
    )]
    deleted: bool,
}

/// Lists the models.
///
/// # Errors
/// No registry answers and the store cannot be read, or a figure has no model.
pub(super) async fn run(args: &ListArgs, context: &Context) -> Result<Exit, Failure> {
    if args.deleted {
        return deletion::list(args.name.as_deref(), context).await;
    }

    let output = &context.output;
    let mut models = read_models(args.name.as_deref(), context).await?;
    if models.is_empty() {
        say_none(args.name.as_deref(), context);
        return Ok(Exit::Done);
    }

    check_columns(args, &models)?;
    sort_models(&mut models, &args.sort)?;
    models.retain(|model| args.has_chosen(model));
    if models.is_empty() {
        output.note("no model passes these filters; `ktrdr models list` shows all");
        return Ok(Exit::Done);
    }

    let mut heads = HEADS.map(str::to_owned).to_vec();
    heads.extend(args.columns.iter().map(|column| column.to_uppercase()));
    let mut rows = Vec::with_capacity(models.len());
    let details = read_all_details(&models, &args.columns, context).await?;
    for (model, details) in models.iter().zip(&details) {
        output.json(&summary_json(model));
        rows.push(model_row(model, details, &args.columns));
    }
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    output.table(&heads, &rows);
    output.note(
        "VALIDATION and TEST: plain loss, or mean error of returns / what the simplest rival \
         reaches",
    );

    if FigureName::parse(&args.sort).is_some_and(|figure| figure.is_of_test()) {
        output.note(
            "warning: the best of many on the test part looks better than it is; choose by \
             validation, then look at test once",
        );
    }
    Ok(Exit::Done)
}

/// Says that there is no model, or none of this name.
fn say_none(name: Option<&str>, context: &Context) {
    let output = &context.output;
    match name {
        Some(name) => {
            output.note(&format!("there is no model `{name}`"));
            output.note("hint: `ktrdr models list` shows all");
        }
        None => {
            output.note("there is no model yet");
            output.note("hint: `ktrdr train STRATEGY` makes one");
        }
    }
}

impl ListArgs {
    /// Whether every filter lets `model` pass.
    fn has_chosen(&self, model: &ModelSummary) -> bool {
        let symbol = self.symbol.as_ref().map(Instrument::id);
        let by_symbol = symbol.is_none_or(|id| model.symbols.contains(&id));
        let timeframe = self.timeframe.map(|timeframe| timeframe.to_string());
        let by_timeframe = timeframe.is_none_or(|text| model.timeframes.contains(&text));

        let dataset = self.dataset.as_deref();
        let by_dataset = dataset.is_none_or(|text| {
            let hash = text.trim_start_matches("datasets/");
            model.dataset.starts_with(hash)
        });
        let series = self.series.as_deref();
        let by_series = series.is_none_or(|text| model.series.iter().any(|key| key.contains(text)));

        let mut labels = self.label.iter();
        let by_label = labels.all(|(key, value)| model.label(key) == Some(value.as_str()));
        by_symbol && by_timeframe && by_dataset && by_series && by_label
    }
}

/// The versions of a model, or of all, from the registry or, where none answers, from the store.
///
/// # Errors
/// No registry answers and the store cannot be read.
pub(super) async fn read_models(
    name: Option<&str>,
    context: &Context,
) -> Result<Vec<ModelSummary>, Failure> {
    let query = ListModels {
        name: name.map(str::to_owned),
    };
    match ask_registry_first(context, "models.list", &query).await? {
        Some(models) => Ok(models),
        None => read_from_store(name, context).await,
    }
}

async fn read_from_store(
    name: Option<&str>,
    context: &Context,
) -> Result<Vec<ModelSummary>, Failure> {
    if !names_store(context)? {
        let url = context.store_url()?;
        let text = format!("no registry answers; read from {url}");
        context.output.note(&text);
    }

    let store = open_existing_store(context).await?;
    Ok(store.models().summaries(name).await?)
}

/// What the columns need beside the summaries, version by version.
async fn read_all_details(
    models: &[ModelSummary],
    columns: &[String],
    context: &Context,
) -> Result<Vec<Details>, Failure> {
    if !needs_details(columns) {
        return Ok(vec![Details::default(); models.len()]);
    }

    let store = open_store_to_read(context).await?;
    let mut details = Vec::with_capacity(models.len());
    for model in models {
        details.push(read_details(&store, model, columns).await?);
    }
    Ok(details)
}

/// Refuses a column that no model has.
fn check_columns(args: &ListArgs, models: &[ModelSummary]) -> Result<(), Failure> {
    for column in &args.columns {
        if !is_column(column, models) {
            return Err(unknown_figure("column", column, models));
        }
    }
    Ok(())
}

/// Newest first, by name, or best first by a figure that some model has.
fn sort_models(models: &mut [ModelSummary], sort: &str) -> Result<(), Failure> {
    models.sort_by_key(|model| Reverse(model.created_at));
    if sort == "created" {
        return Ok(());
    }
    if sort == "name" {
        models.sort_by(|one, other| {
            let by_name = one.name.cmp(&other.name);
            by_name.then(other.version.cmp(&one.version))
        });
        return Ok(());
    }

    match FigureName::parse(sort) {
        Some(figure) if models.iter().any(|model| figure.of(model).is_some()) => {
            models.sort_by(|one, other| figure.compare(one, other));
            Ok(())
        }
        _ => Err(unknown_figure("order", sort, models)),
    }
}

fn unknown_figure(what: &str, text: &str, models: &[ModelSummary]) -> Failure {
    let message = format!("there is no {what} `{text}`");
    let figures = figure_names(models).join(", ");
    let facts = match what {
        "column" => FACTS.join(", "),
        _ => "created, name".to_owned(),
    };
    Failure::new(Exit::Usage, codes::MODEL_FIGURE, message)
        .with_hint(format!("write one of {facts}, {figures}"))
}

fn model_row(model: &ModelSummary, details: &Details, columns: &[String]) -> Vec<String> {
    let mut name = format!("{}@{}", model.name, model.version);
    if !model.aliases.is_empty() {
        name = format!("{name} ({})", model.aliases.join(", "));
    }
    let mut row = vec![
        name,
        format!(
            "{} {}",
            join_symbols(&model.symbols),
            model.timeframes.join(", ")
        ),
        minute_of(model.created_at),
        describe_loss(&model.validation),
        describe_loss(&model.metrics),
    ];

    row.extend(columns.iter().map(|column| cell_of(model, details, column)));
    row
}

/// The minute of a registration, in UTC.
fn minute_of(micros: i64) -> String {
    match Timestamp::from_microsecond(micros) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%MZ").to_string(),
        Err(_) => micros.to_string(),
    }
}

/// The most important figure, next to what the simplest rival reaches.
fn describe_loss(figures: &BTreeMap<String, f64>) -> String {
    let figure = |name: &str| figures.get(name);
    if let (Some(error), Some(rival)) = (figure("mae"), figure("baseline_mae")) {
        return format!("{error:.2e}/{rival:.2e}");
    }

    match (figure("loss"), figure("prior_loss")) {
        (Some(loss), Some(rival)) => format!("{loss:.4}/{rival:.4}"),
        (Some(loss), None) => format!("{loss:.4}"),
        _ => String::new(),
    }
}
