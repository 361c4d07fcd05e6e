//! The page of the catalogue is generated from the strategies and the sample bars; this test fails
//! while it is out of date.
//!
//! To write it again: `KTRDR_WRITE_DOCS=1 cargo test -p strategies --test it strategies_page`.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;

use crate::sample_bars::{assembled, catalog, inputs, names};
use schemas::codes::Advice;
use strategies::{
    DataSet, Feature, FeatureKind, Overrides, Resolved, Strategy, TrainingKey, find_holes, rules,
    training_keys,
};

const HEAD: &str = "Strategies: every strategy of the catalogue, its feature columns, and its classes on the sample bars.

This page is generated from `strategies/catalog` and `tests/bars` by the test `strategies_page`. `ktrdr strategies show NAME`
shows one of them, `ktrdr train NAME` trains it, `ktrdr strategies new NAME` writes one to start from.

A row is a bar of the base timeframe, known at its close. Shares are those of the rows that remain after warm-up, purge and
embargo. Thresholds that are statistics, and scalings, are measured on the training part only.

## Sealed period

Whoever looks at a test part sixty times has none left. `training_data.sealed_from` puts the last stretch of the dates away:

```yaml
training_data:
  start_date: 2014-01-01
  end_date: 2018-12-31
  sealed_from: 2018-07-01
```

It is a date or an instant as the other two are, after the start, before the end, and after the start of the test part where `training.split`
gives it. A data set is made as if the bars that close at that instant or later did not exist: they decide no row, label, scaling, threshold,
weight or cut. Folds and sweeps lie before it, a request may end before it, and none may begin in it. The rows of the period, later than it by the
embargo, are an object of their own, which only `ktrdr models confirm` opens: see [models](models.md).

## Models

`model.type` is `mlp`, which sees one row at a time, `lstm` or `gru`, which read a window of rows, or `tsk`, which learns rules that can be
read.

### lstm and gru

They read a window of rows, oldest first:

```yaml
model:
  type: lstm
  architecture: {sequence_length: 20, hidden_size: 64, num_layers: 2, dropout: 0.2}
```

| key | legal | default |
|---|---|---|
| `sequence_length` | 1 to 1000 rows of a window | none: it must be given |
| `hidden_size` | 1 to 1024 units of a layer | 64 |
| `num_layers` | 1 to 8 | 2 |
| `dropout` | from 0 to below 1; between layers, and once of the last state | 0.2 |

A window is `sequence_length` consecutive bars of one symbol within one part, and has the label and the weight of its last row. Bars are
those of the series: one that the series lacks is not waited for. A bar without a row, whatever it was dropped for, is never bridged: the
windows before it end there, and the next one begins after it. So the first `sequence_length` − 1 rows of a part, and of what follows such a
bar, end no window; `ktrdr train` says how many there were. Figures count windows, not rows. A part without one window is refused. Inputs may
have `lags` beside windows. A filter of events is refused, because it leaves few bars next to each other.

`ktrdr models predict` reads windows of the same length: the first `sequence_length` − 1 bars after the warm-up have no prediction.

### tsk

A neuro-fuzzy network of the first order (Takagi and Sugeno, 1985), in the form of HTSK (Cui, Wu and Xu, IJCNN 2021):

```yaml
model:
  type: tsk
  architecture: {rules_from: sets, rules: 16, firing: mean, prune_below: 0.01}
```

| key | legal | default |
|---|---|---|
| `rules_from` | `sets`: rules over the fuzzy sets of the inputs; `data`: rules and members grown around clusters of the training part | `sets` |
| `rules` | 1 to 256: at most that many | 16 |
| `firing` | `mean`: a rule is as strong as the geometric mean of the degrees of its members, so that no strength vanishes with many inputs; `product`: their product, as in ANFIS | `mean` |
| `prune_below` | a share of at least 0 and below 1: a rule with a smaller support over the training part is removed after training | 0.01 |

A rule says what follows where its words hold: `IF rsi_zone is oversold AND trend is present THEN BUY 0.71, support 3.2 %`. How strongly a
rule fires in a row is its strength divided by that of all rules; its support is the mean of that over the training part. What it says is a
linear function of the inputs, and the sentence shows the mean of it, weighted by how strongly the rule fires.

With `rules_from: sets` every input is a `fuzzy_set`, and gives one column: the value that the set reads, scaled to mean 0 and deviation 1
over the training part. The members of the set are part of the network. Each becomes a Gaussian that is as wide as the member where the degree
is ½; an open shoulder stays open. If all combinations of members are at most `rules`, each is a rule; otherwise those to which most rows of
the training part belong are (Wang and Mendel, 1992). With `rules_from: data` every input is a `raw_indicator` with `normalization: zscore`;
there is a rule for each cluster of rows, and its members, at most three an input, are called low, middle and high.

Training moves and widens the members, and fits what each rule says. After every step they are put where they can be read: in the order of
the strategy, apart from each other, within the range of the training part. `ktrdr models rules NAME` prints the rules as sentences and the
members before and after training, `ktrdr models predict NAME --rules` which rules made each prediction. Equal data and seeds give equal
rules. It is trained on the CPU by the native engine.

## Decisions

A prediction of classes means what the likeliest class suggests (BUY, HOLD or SELL), if it is as probable as `decisions.confidence_threshold`, and HOLD
otherwise. That is a number from 0 to 1 (0.5 if it is left out), or `auto`: the training then takes the highest threshold of two digits at which at
least 5 % of the validation part are BUY or SELL, or 0 where the likeliest class is HOLD on more than 95 % of it, and stores it with the model.
`ktrdr train NAME` and `ktrdr models show NAME` count the decisions of each part, and a warning says which one is never made.

## Costs

The optional section `costs` says what a trade costs, as fractions of the price: 0.0001 is one basis point, and a pip of EURUSD at 1.10 is
0.00009. Nothing is assumed: without it a model has no net figures, and that is said. It changes neither rows nor weights, only
[the book of an edge](metrics.md#edge-whether-there-is-an-edge-at-all).

```yaml
costs:
  commission: 0.00002
  spread: 0.00007
  slippage: 0.00001
  symbols:
    GBPUSD: {spread: 0.00012}
```

| key | legal | default |
|---|---|---|
| `commission` | from 0 to below 1: of a side, so that a trade pays it twice | none: it must be given |
| `spread` | from 0 to below 1: between bid and ask; a trade pays half of it at each side | none: it must be given |
| `slippage` | from 0 to below 1: by how much worse than at the quoted price a side is filled, so that a trade pays it twice | none: it must be given |
| `symbols` | for symbols of the strategy that differ, the costs in which they do | no symbol differs |

A regression without `costs` pays its `decisions.cost_model.round_trip_cost` once a trade, undivided.
";

/// `BUY 32 %, HOLD 40 %, SELL 28 %` of the rows of one part.
fn describe_classes(set: &DataSet, resolved: &Resolved, part: &str) -> String {
    let counts: Vec<_> = set
        .parts
        .iter()
        .filter(|count| count.part == part)
        .collect();
    let rows: u64 = counts.iter().map(|count| count.rows).sum();

    let names = resolved.labels.classes();
    let mut shares = Vec::new();
    for (class, name) in names.iter().enumerate() {
        let class_rows: u64 = counts.iter().map(|count| count.classes[class]).sum();
        let percent = class_rows as f64 * 100.0 / rows as f64;
        shares.push(format!("{name} {percent:.0} %"));
    }

    if shares.is_empty() {
        "numbers".to_owned()
    } else {
        shares.join(", ")
    }
}

/// `EURUSD [1h, 4h], labels `zigzag`.`
fn describe_series(resolved: &Resolved) -> String {
    let symbols: Vec<String> = resolved
        .symbols
        .iter()
        .map(market::Instrument::symbol)
        .collect();
    let timeframes: Vec<String> = resolved
        .timeframes
        .iter()
        .map(ToString::to_string)
        .collect();

    format!(
        "{} [{}], labels `{}`.",
        symbols.join(", "),
        timeframes.join(", "),
        resolved.labels.name()
    )
}

/// One row of the table of columns.
fn describe_feature(resolved: &Resolved, feature: &Feature) -> String {
    let indicator = &resolved.indicators[feature.indicator].indicator;
    let output = match indicator.spec().outputs.get(feature.output) {
        Some(name) => format!(".{name}"),
        None => String::new(),
    };
    let lag = match feature.lag {
        0 => String::new(),
        1 => ", 1 bar ago".to_owned(),
        lag => format!(", {lag} bars ago"),
    };

    let degree = match &feature.kind {
        FeatureKind::Membership { function, .. } => function.describe(),
        FeatureKind::Raw {
            scaling: Some(scaling),
        } => format!("{scaling:?}").to_lowercase(),
        FeatureKind::Raw { scaling: None } => "the value".to_owned(),
        FeatureKind::SetValue { set } => format!("zscore; members of `{set}` are learnt"),
    };
    format!(
        "| `{}` | {indicator}{output}{lag} | {degree} |",
        feature.name
    )
}

/// The section of one strategy, whose sets must cover the sample bars.
fn section_of(name: &str) -> String {
    let strategy =
        Strategy::parse(&catalog(name)).unwrap_or_else(|findings| panic!("{name}: {findings}"));
    let resolved = strategy.resolve(&Overrides::default()).unwrap();
    let inputs = inputs(&resolved);
    let set = assembled(&resolved, &inputs, 1, &mut |_| ControlFlow::Continue(()))
        .unwrap_or_else(|error| panic!("{name}: {error}; {}", error.hint()));
    for input in &inputs {
        let holes = find_holes(&resolved, &input.bars).unwrap();
        assert!(
            holes.is_empty(),
            "{name}, {}: {holes}",
            input.symbol.symbol()
        );
    }

    let mut section = format!("\n## {name}\n\n{}\n\n", strategy.description.unwrap());
    section += &describe_series(&resolved);
    section += "\n\n| part | rows | classes |\n|---|---|---|\n";
    for part in ["train", "validation", "test"] {
        let counts = set.parts.iter().filter(|count| count.part == part);
        let rows: u64 = counts.map(|count| count.rows).sum();
        let classes = describe_classes(&set, &resolved, part);
        writeln!(section, "| {part} | {rows} | {classes} |").unwrap();
    }

    let dropped: Vec<String> = set
        .dropped
        .iter()
        .map(|(reason, rows)| format!("{reason} {rows}"))
        .collect();
    write!(section, "\nRows dropped: {}.\n\n", dropped.join(", ")).unwrap();
    section += "| column | from | degree |\n|---|---|---|\n";
    for feature in &resolved.features {
        writeln!(section, "{}", describe_feature(&resolved, feature)).unwrap();
    }
    section
}

const KEYS_HEAD: &str = "
## Training

Keys of the section `training` that set the trainer. `ktrdr strategies show NAME` and `ktrdr models show NAME` print the settings in effect, `ktrdr train NAME
--set training.KEY=VALUE` changes one for a training. A parameter of another optimiser, loss or schedule than the chosen one is refused.

| key | values | default | what it does |
|---|---|---|---|
";

/// One row of the table of keys.
fn describe_key(key: &TrainingKey) -> String {
    let needs = match key.needs {
        "" => String::new(),
        needs => format!("with `{needs}`: "),
    };
    // A bar would end the cell.
    let meaning = key.meaning.replace('|', "\\|");
    format!(
        "| `{}` | {needs}{} | {} | {meaning} |\n",
        key.path(),
        key.values,
        key.default
    )
}

const RULES_HEAD: &str = "
## Rules

What `ktrdr strategies validate` refuses or warns of.

| rule | refuses | why |
|---|---|---|
";

#[test]
fn the_page_of_the_catalogue_is_current() {
    let mut page = HEAD.to_owned();
    for name in names() {
        page += &section_of(&name);
    }
    page += KEYS_HEAD;
    page.extend(training_keys().iter().map(describe_key));
    page += RULES_HEAD;
    for rule in rules() {
        writeln!(page, "| `{}` | {} | {} |", rule.id, rule.refuses, rule.why).unwrap();
    }

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/strategies.md");
    if std::env::var_os("KTRDR_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }

    let written_page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written_page == page,
        "write it again: KTRDR_WRITE_DOCS=1 cargo test -p strategies --test it strategies_page"
    );
}
