//! The page of the catalogue is generated from the strategies and the sample bars; this test fails
//! while it is out of date.
//!
//! To write it again: `KTRDR_WRITE_DOCS=1 cargo test -p strategies --test it strategies_page`.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;

use crate::sample_bars::{assembled, catalog, inputs, names};
use schemas::codes::Advice;
use strategies::{DataSet, FeatureKind, Overrides, Resolved, Strategy, find_holes, rules};

const HEAD: &str = "Strategies: every strategy of the catalogue, its feature columns, and its classes on the sample bars.

This page is generated from `strategies/catalog` and `tests/bars` by the test `strategies_page`. `ktrdr strategies show NAME`
shows one of them, `ktrdr train NAME` trains it, `ktrdr strategies new NAME` writes one to start from.

A row is a bar of the base timeframe, known at its close. Shares are those of the rows that remain after warm-up, purge and
embargo. Thresholds that are statistics, and scalings, are measured on the training part only.

";

/// `BUY 32 %, HOLD 40 %, SELL 28 %` of one part.
fn balance(set: &DataSet, resolved: &Resolved, part: &str) -> (u64, String) {
    let own = || set.parts.iter().filter(|count| count.part == part);
    let rows: u64 = own().map(|count| count.rows).sum();
    let share = |class: usize| {
        own().map(|count| count.classes[class]).sum::<u64>() as f64 * 100.0 / rows as f64
    };
    let classes = resolved.labels.classes().iter().enumerate();
    let shares: Vec<String> = classes
        .map(|(class, name)| format!("{name} {:.0} %", share(class)))
        .collect();
    (
        rows,
        if shares.is_empty() {
            "numbers".to_owned()
        } else {
            shares.join(", ")
        },
    )
}

fn section(page: &mut String, name: &str) {
    let strategy =
        Strategy::parse(&catalog(name)).unwrap_or_else(|findings| panic!("{name}: {findings}"));
    let resolved = strategy.resolve(&Overrides::default()).unwrap();
    let inputs = inputs(&resolved);
    let set = assembled(&resolved, &inputs, 1, &mut |_| ControlFlow::Continue(()));
    let set = set.unwrap_or_else(|error| panic!("{name}: {error}; {}", error.hint()));
    let symbols: Vec<String> = resolved
        .symbols
        .iter()
        .map(market::Instrument::symbol)
        .collect();
    let timeframes: Vec<&str> = resolved
        .timeframes
        .iter()
        .map(|each| each.as_str())
        .collect();
    writeln!(page, "\n## {name}\n\n{}\n", strategy.description.unwrap()).unwrap();
    writeln!(
        page,
        "{} [{}], labels `{}`.\n",
        symbols.join(", "),
        timeframes.join(", "),
        resolved.labels.name()
    )
    .unwrap();
    writeln!(page, "| part | rows | classes |\n|---|---|---|").unwrap();
    for part in ["train", "validation", "test"] {
        let (rows, classes) = balance(&set, &resolved, part);
        writeln!(page, "| {part} | {rows} | {classes} |").unwrap();
    }
    let dropped: Vec<String> = set
        .dropped
        .iter()
        .map(|(reason, rows)| format!("{reason} {rows}"))
        .collect();
    writeln!(page, "\nRows dropped: {}.\n", dropped.join(", ")).unwrap();
    writeln!(page, "| column | from | degree |\n|---|---|---|").unwrap();
    for feature in &resolved.features {
        let planned = &resolved.indicators[feature.indicator];
        let output = planned
            .indicator
            .spec()
            .outputs
            .get(feature.output)
            .map_or(String::new(), |name| format!(".{name}"));
        let lag = match feature.lag {
            0 => String::new(),
            1 => ", 1 bar ago".to_owned(),
            lag => format!(", {lag} bars ago"),
        };
        let degree = match &feature.kind {
            FeatureKind::Membership { function, .. } => function.describe(),
            FeatureKind::Raw { scaling } => scaling.map_or("the value".to_owned(), |each| {
                format!("{each:?}").to_lowercase()
            }),
        };
        writeln!(
            page,
            "| `{}` | {}{output}{lag} | {degree} |",
            feature.name, planned.indicator
        )
        .unwrap();
    }
    for input in &inputs {
        let found = find_holes(&resolved, &input.bars).unwrap();
        assert!(
            found.is_empty(),
            "{name}, {}: {found}",
            input.symbol.symbol()
        );
    }
}

#[test]
fn the_page_of_the_catalogue_is_current() {
    let mut page = HEAD.to_owned();
    names().iter().for_each(|name| section(&mut page, name));
    page.push_str("\n## Rules\n\nWhat `ktrdr strategies validate` refuses or warns of.\n\n| rule | refuses | why |\n|---|---|---|\n");
    for rule in rules() {
        writeln!(page, "| `{}` | {} | {} |", rule.id, rule.refuses, rule.why).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/strategies.md");
    if std::env::var_os("KTRDR_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "write it again: KTRDR_WRITE_DOCS=1 cargo test -p strategies --test it strategies_page"
    );
}
