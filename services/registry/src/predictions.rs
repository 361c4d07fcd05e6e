//! Predictions of a version on stored bars, a page at a time: the same features, network and
//! decisions as those of `ktrdr models predict`.

use market::{Instrument, SeriesKey};
use networks::Model;
use runtime::Answer;
use schemas::errors::chain;
use schemas::manifests::{ModelManifest, OutputKind, PartTimes};
use schemas::names::{LATER, MODEL_FILE, PARTS};
use schemas::queries::{
    PREDICTIONS_DEFAULT, PREDICTIONS_MAX, PredictModel, PredictedRow, PredictionPage, ShowModel,
};
use store::{ALL_TIME, Artifact, Store};
use strategies::{FeatureMatrix, Resolved, Signal, SymbolBars, compute_features};

use crate::evaluations::find_model;
use crate::queries::{Refusal, encode_answer, store_failed};

/// Provider of the bars where the query names none.
const PROVIDER: &str = "file";

/// Everything that a page of predictions is computed from.
struct Inputs {
    model: ModelManifest,
    artifact: Artifact,
    resolved: Resolved,
    symbol: Instrument,
    bars: SymbolBars,
    parts: PartTimes,
}

/// The last predictions that the query asks for.
pub(crate) async fn predict_model(store: Store, query: PredictModel) -> Answer {
    check_query(&query)?;
    let inputs = read_inputs(&store, &query).await?;

    // Features of many years take longer than a thread of the runtime may be held.
    let page = tokio::task::spawn_blocking(move || predict(&inputs, &query)).await;
    let page = page.map_err(|_| (500, "the prediction was stopped".to_owned()))?;
    encode_answer(&page?)
}

fn check_query(query: &PredictModel) -> Result<(), Refusal> {
    let last = query.last.unwrap_or(PREDICTIONS_DEFAULT);
    if last == 0 || last > PREDICTIONS_MAX {
        let text = format!(
            "an answer cannot have {last} predictions; ask for 1 to {PREDICTIONS_MAX}, and for \
             those before them with `before`"
        );
        return Err((400, text));
    }

    let names = [PARTS.as_slice(), &[LATER]].concat();
    match query.part.as_deref() {
        Some(part) if !names.contains(&part) => {
            let text = format!("there is no part `{part}`; write {}", names.join(", "));
            Err((400, text))
        }
        _ => Ok(()),
    }
}

async fn read_inputs(store: &Store, query: &PredictModel) -> Result<Inputs, Refusal> {
    let named = ShowModel {
        name: query.name.clone(),
        version: query.version,
    };
    let model = find_model(store, &named).await?;
    let artifact = store.artifacts().read(&model.artifact).await;
    let artifact = artifact.map_err(store_failed)?;
    let features = &artifact.manifest.network.features;
    let resolved = Resolved::from_lineage(&model.lineage, features);
    let mut resolved = resolved.map_err(|error| (500, chain(&error)))?;
    let chosen = artifact.manifest.confidence_threshold;
    resolved.decisions = resolved.decisions.with_chosen(chosen);

    let data_set = store.data_sets().find(&model.lineage.dataset).await;
    let data_set = data_set.map_err(store_failed)?;
    if data_set.is_none() && query.part.is_some() {
        let text = "the data set of the model is not in the store, so nobody knows its parts";
        return Err((404, text.to_owned()));
    }
    let symbol = symbol_of(query, &model)?;
    let bars = read_bars(store, query, &symbol, &resolved).await?;
    Ok(Inputs {
        parts: data_set.as_ref().map(PartTimes::of).unwrap_or_default(),
        model,
        artifact,
        resolved,
        symbol,
        bars,
    })
}

/// The instrument of the query, or the first that the model was trained on.
fn symbol_of(query: &PredictModel, model: &ModelManifest) -> Result<Instrument, Refusal> {
    let named = query.symbol.as_ref().or(model.lineage.symbols.first());
    let symbol = named.and_then(|text| Instrument::parse(text).ok());
    symbol.ok_or_else(|| {
        let text = named.map(String::as_str).unwrap_or_default();
        (400, format!("`{text}` is no instrument, as in fx:EUR.USD"))
    })
}

async fn read_bars(
    store: &Store,
    query: &PredictModel,
    symbol: &Instrument,
    resolved: &Resolved,
) -> Result<SymbolBars, Refusal> {
    let provider = query.provider.as_deref().unwrap_or(PROVIDER);
    // A calendar of the store may say when the bars of a series close.
    store
        .calendars()
        .load()
        .await
        .map_err(|error| (500, chain(&error)))?;

    let mut bars = SymbolBars::new();
    for timeframe in &resolved.timeframes {
        let key = SeriesKey::standard(provider, symbol.clone(), *timeframe);
        let key = key.map_err(|error| (400, chain(&error)))?;
        let series = store.series();
        let snapshot = series.snapshot(&key, None).await.map_err(store_failed)?;
        let snapshot = match snapshot.filter(|snapshot| snapshot.manifest.rows() > 0) {
            Some(snapshot) => Some(snapshot),
            None => series.find_finer(&key).await.map_err(store_failed)?,
        };
        let Some(snapshot) = snapshot else {
            let name = symbol.spelling();
            return Err((404, format!("no bars of {name} ({timeframe}) are stored")));
        };

        let read = series.bars_in(&snapshot, *timeframe, ALL_TIME).await;
        bars.insert(*timeframe, read.map_err(store_failed)?);
    }
    Ok(bars)
}

/// Predicts the rows of one page.
fn predict(inputs: &Inputs, query: &PredictModel) -> Result<PredictionPage, Refusal> {
    let network = &inputs.artifact.manifest.network;
    let matrix = compute_features(&inputs.resolved, &inputs.bars, &network.features);
    let matrix = matrix.map_err(|error| (500, chain(&error)))?;
    let length = network.architecture.sequence_length();
    let last_rows = matrix.windows(length).last_rows;

    let mut chosen: Vec<usize> = last_rows
        .into_iter()
        .filter(|row| is_chosen(inputs, query, &matrix, *row))
        .collect();
    let last = query.last.unwrap_or(PREDICTIONS_DEFAULT);
    let more = chosen.len() > last;
    let page = chosen.split_off(chosen.len().saturating_sub(last));

    let windows: Vec<&[f32]> = page.iter().map(|row| matrix.window(*row, length)).collect();
    let predictions = open_network(&inputs.artifact)?.predict(&windows);
    let predictions = predictions.map_err(|error| (500, chain(&error)))?;
    let rows = page.iter().zip(predictions);
    let rows = rows.map(|(row, outputs)| predicted_row(inputs, &matrix, *row, outputs));
    Ok(PredictionPage {
        model: inputs.model.name.clone(),
        version: inputs.model.version,
        symbol: inputs.symbol.id(),
        outputs: match inputs.resolved.output() {
            OutputKind::Classes { names } => names,
            OutputKind::Regression => vec!["forward_return".to_owned()],
        },
        rows: rows.collect(),
        more,
    })
}

fn open_network(artifact: &Artifact) -> Result<Model, Refusal> {
    let Some(weights) = artifact.files.get(MODEL_FILE) else {
        return Err((500, format!("the artifact has no {MODEL_FILE}")));
    };
    match Model::from_safetensors(&artifact.manifest.network, weights) {
        Ok(model) => Ok(model.with_temperature(artifact.manifest.temperature)),
        Err(error) => Err((500, chain(&error))),
    }
}

/// Whether the query asks for the prediction of this row. The decision counts, not the bar.
fn is_chosen(inputs: &Inputs, query: &PredictModel, matrix: &FeatureMatrix, row: usize) -> bool {
    let Some(known_at) = matrix.known_at.get(row) else {
        return false;
    };
    let part = inputs.parts.part_at(&inputs.symbol.id(), known_at.0);
    let in_part = query.part.as_deref().is_none_or(|chosen| chosen == part);
    in_part && query.before.is_none_or(|before| known_at.0 < before)
}

fn predicted_row(
    inputs: &Inputs,
    matrix: &FeatureMatrix,
    row: usize,
    outputs: Vec<f32>,
) -> PredictedRow {
    let micros = |times: &[market::Utc]| times.get(row).map_or(0, |time| time.0);
    let known_at = micros(&matrix.known_at);
    let wide: Vec<f64> = outputs.iter().map(|value| f64::from(*value)).collect();
    let signal = match inputs.resolved.decisions.signal(&wide) {
        Signal::Buy => "BUY",
        Signal::Hold => "HOLD",
        Signal::Sell => "SELL",
    };

    PredictedRow {
        open_time: micros(&matrix.open_time),
        known_at,
        outputs,
        signal: signal.to_owned(),
        part: inputs
            .parts
            .part_at(&inputs.symbol.id(), known_at)
            .to_owned(),
    }
}
