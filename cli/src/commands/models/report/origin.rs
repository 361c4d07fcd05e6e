//! Who trained a model on what: the head of a report, its data, its settings, its lineage.

use market::Utc;
use schemas::manifests::{DataSetManifest, OutputKind};
use schemas::names::PARTS;
use schemas::training::TrainingSettings;

use super::super::registry::join_symbols;
use super::super::show::StoredModel;
use super::super::show_data::{describe_days, describe_origin};
use super::super::show_tables::{settings_of, value_text};
use super::markup::{Markup, Table, definitions, details};
use crate::console::describe_settings;
use crate::inputs::models::describe_layers;

/// The facts below the title.
pub(super) fn head_facts(stored: &StoredModel, strategy: Option<&str>) -> Markup {
    let model = &stored.model;
    let lineage = &model.lineage;
    let registered = format!("{} by {}", Utc(model.created_at), model.operation);
    let mut facts = vec![("registered", registered)];
    for change in &stored.aliases {
        let text = format!("{} since {} by {}", change.alias, Utc(change.at), change.by);
        facts.push(("alias", text));
    }

    facts.extend(strategy.map(|name| ("strategy", name.to_owned())));
    facts.extend([
        ("symbols", join_symbols(&lineage.symbols)),
        ("timeframes", lineage.timeframes.join(", ")),
        ("network", describe_layers(&stored.artifact.network)),
    ]);
    definitions(&facts)
}

/// The rows of each part with their days and classes.
pub(super) fn data_table(data_set: &DataSetManifest) -> Table {
    let mut heads = vec!["Part".to_owned(), "rows".to_owned(), "days".to_owned()];
    if let OutputKind::Classes { names } = &data_set.output {
        heads.extend(names.iter().cloned());
    }
    let mut table = Table {
        caption: "Rows of each part, the days of their decisions, shares of the classes".to_owned(),
        heads,
        rows: Vec::new(),
    };

    for part in PARTS {
        let rows = data_set.rows_of(part);
        let mut cells = vec![
            Markup::number(rows as f64, &rows.to_string()),
            Markup::text(&describe_days(data_set, part).unwrap_or_default()),
        ];
        for count in data_set.classes_of(part) {
            let percent = 100.0 * count as f64 / rows.max(1) as f64;
            cells.push(Markup::number(
                count as f64,
                &format!("{count} ({percent:.1} %)"),
            ));
        }
        table.push(part, cells);
    }
    table
}

/// The rows that are in no part, by reason.
pub(super) fn describe_dropped(data_set: &DataSetManifest) -> Option<String> {
    let dropped = data_set.dropped.iter().filter(|(_, count)| **count > 0);
    let reasons: Vec<String> = dropped
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    (!reasons.is_empty()).then(|| format!("Left out: {}.", reasons.join(", ")))
}

/// How the network was trained.
pub(super) fn settings(stored: &StoredModel) -> Vec<Markup> {
    let mut pieces = Vec::new();
    let settings = serde_json::from_value::<TrainingSettings>(stored.artifact.training.clone());
    let document = stored.document.as_ref();
    if let Ok(settings) = settings {
        let weights = document.map(|document| document.class_weights.clone());
        let words = describe_settings(&settings, &weights.unwrap_or_default());
        pieces.push(definitions(&words));
    }

    if let Some(settings) = settings_of(stored) {
        let heads = ["Setting", "Value", "Changed by"];
        let mut table = Table::new("Settings of the training as they were used", &heads);
        for setting in settings {
            let changed_by = if setting.is_changed { "request" } else { "" };
            let cells = [value_text(setting.value), changed_by.to_owned()];
            table.push(setting.key, cells.map(|cell| Markup::words(&cell)));
        }
        pieces.push(details("Every setting", table.html()));
    }
    let strategy = Markup::line("pre", &stored.model.lineage.strategy);
    pieces.push(details("The strategy as it was trained", strategy));
    pieces
}

/// Where the model comes from, by hashes.
pub(super) fn lineage(stored: &StoredModel) -> Markup {
    let mut facts = describe_origin(&stored.model, stored.data_set.as_ref());
    facts.push(("seed", stored.model.lineage.seed.to_string()));
    if let Some(document) = &stored.document {
        facts.push(("computed on", document.device.clone()));
        facts.push(("parameters", document.parameters.to_string()));
    }
    for (name, version) in &stored.artifact.lineage.versions {
        facts.push(("version", format!("{name} {version}")));
    }
    definitions(&facts)
}
