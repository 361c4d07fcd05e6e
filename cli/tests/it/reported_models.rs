//! `ktrdr models report`: one page with the figures of `ktrdr models show`, safe to open and send.

use std::path::Path;

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value;

use crate::data_train_models::{Place, STRATEGY};
use crate::hand_model::{hand_network, hand_weights, history_of, store_artifact, store_hand};
use crate::model_questions::METRICS;
use crate::program::run_in_system;

const SERVICES: &str = "fetcher,validator,processor,trainer,registry";

/// The page as a tree: every tag of it is closed.
fn parse(html: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(html, options).unwrap()
}

fn elements<'a, 'input>(
    root: Node<'a, 'input>,
    tag: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    root.descendants()
        .filter(move |node| node.has_tag_name(tag))
}

fn text_of(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text);
    let texts = texts.filter_map(|node| node.text());
    texts.collect::<String>().trim().to_owned()
}

/// Nothing runs, nothing is loaded, every picture has a text, headings have an order.
fn assert_safe(page: &Document<'_>) {
    let all = || page.root().descendants().filter(Node::is_element);
    for node in all() {
        let tag = node.tag_name().name();
        let is_loading = ["script", "link", "img", "iframe", "object", "base", "form"];
        assert!(!is_loading.contains(&tag), "{tag}");
        for attribute in node.attributes() {
            let name = attribute.name();
            let is_active = ["src", "href", "style", "action"].contains(&name);
            assert!(!is_active && !name.starts_with("on"), "{tag} {name}");
        }
    }

    let style = elements(page.root(), "style").next().unwrap();
    for word in ["url(", "@import", "http"] {
        assert!(!text_of(style).contains(word), "{word}");
    }
    for svg in elements(page.root(), "svg") {
        let names = svg.attribute("aria-labelledby").unwrap().split(' ');
        for id in names {
            let node = all().find(|node| node.attribute("id") == Some(id));
            assert!(!text_of(node.unwrap()).is_empty(), "{id}");
        }
        assert_eq!(svg.attribute("role"), Some("img"));
    }

    assert_headings_in_order(page);
}

/// One `h1` first, and no `h3` before an `h2`.
fn assert_headings_in_order(page: &Document<'_>) {
    let mut level = 0;
    for node in page.root().descendants().filter(Node::is_element) {
        let next = match node.tag_name().name() {
            "h1" => 1,
            "h2" => 2,
            "h3" => 3,
            _ => continue,
        };
        assert!(next <= level + 1 && (next > 1 || level == 0), "{node:?}");
        level = next;
    }
}

/// The numbers of each row of a table, as programs read them, by the name of the row.
fn rows_of(page: &Document<'_>, table: &str) -> Vec<(String, Vec<f64>)> {
    let table = elements(page.root(), "table")
        .find(|node| node.attribute("aria-label").unwrap().starts_with(table))
        .unwrap_or_else(|| panic!("{table}"));
    let body = elements(table, "tbody").next().unwrap();

    let mut rows = Vec::new();
    for row in elements(body, "tr") {
        let name = elements(row, "th").next().unwrap();
        let numbers = elements(row, "data");
        let numbers = numbers.map(|node| node.attribute("value").unwrap().parse().unwrap());
        rows.push((text_of(name), numbers.collect()));
    }
    rows
}

fn numbers_of(page: &Document<'_>, table: &str, row: &str) -> Vec<f64> {
    let rows = rows_of(page, table);
    let named_row = rows.iter().find(|(name, _)| name == row);
    named_row
        .unwrap_or_else(|| panic!("{row}: {rows:?}"))
        .1
        .clone()
}

/// A figure of each part in `models show --json`.
fn figure_of_parts(shown_model: &Value, pointer: &str) -> Vec<f64> {
    let parts = ["train", "validation", "test"];
    let figures = parts.map(|part| {
        let pointer = format!("/evaluation/parts/{part}/{pointer}");
        shown_model.pointer(&pointer).unwrap().as_f64().unwrap()
    });
    figures.to_vec()
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn a_report_has_the_figures_that_models_show_has() {
    let folder = tempfile::tempdir().unwrap();
    let commands = "ktrdr train eurusd_rules --epochs 3 --data-mode full --quiet >train.txt 2>&1 \
        || exit 9; ktrdr models report eurusd_rules --out report.html >report.txt || exit 8; \
        ktrdr models show eurusd_rules --json >show.json; \
        ktrdr models show eurusd_rules --history --json >history.json; \
        ktrdr models rules eurusd_rules --json >rules.json";

    let ended = run_in_system(folder.path(), SERVICES, commands);

    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    let html = read(folder.path(), "report.html");
    let page = parse(&html);
    assert_safe(&page);
    assert!(html.len() < 1_000_000, "{}", html.len());
    let shown_model: Value = serde_json::from_str(&read(folder.path(), "show.json")).unwrap();

    let of_part = |row: &str| numbers_of(&page, "Figures of each part", row);
    assert_eq!(of_part("rows"), figure_of_parts(&shown_model, "rows"));
    assert_eq!(
        of_part("accuracy"),
        figure_of_parts(&shown_model, "accuracy")
    );
    let loss = figure_of_parts(&shown_model, "loss");
    assert_eq!(of_part("log loss, lower is better"), loss);
    let error = figure_of_parts(&shown_model, "skill/calibration/ece");
    assert_eq!(of_part("calibration error"), error);

    let confusion = &shown_model["evaluation"]["parts"]["test"]["confusion"][0];
    let answers = numbers_of(&page, "Confusion matrix of the test part", "BUY");
    let expected: Vec<f64> = serde_json::from_value(confusion.clone()).unwrap();
    assert_eq!(answers[..3], expected);

    // The decisions that are drawn are those that the trainer has counted.
    let counts = &shown_model["evaluation"]["decisions"]["parts"]["test"];
    for (row, key) in [("BUY", "buy"), ("HOLD", "hold"), ("SELL", "sell")] {
        let drawn = numbers_of(&page, "Decisions of the test part", row);
        assert_eq!(drawn, [counts[key].as_f64().unwrap()], "{row}");
    }
    assert_losses_and_rules(&page, folder.path());
}

/// The losses of each epoch, and each rule as a sentence.
fn assert_losses_and_rules(page: &Document<'_>, folder: &Path) {
    for line in read(folder, "history.json").lines() {
        let epoch: Value = serde_json::from_str(line).unwrap();
        let losses = numbers_of(page, "Losses of each epoch", &epoch["epoch"].to_string());
        let expected = ["train_loss", "validation_loss"].map(|key| epoch[key].as_f64().unwrap());
        assert_eq!(losses, expected);
    }

    let sentences: Vec<String> = elements(page.root(), "li").map(text_of).collect();
    let rules = read(folder, "rules.json");
    let rules = rules
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let rules = rules.filter(|line: &Value| line["type"] == "rule");
    let rules: Vec<Value> = rules.collect();
    assert!(rules.len() > 10);
    for rule in rules {
        let sentence = rule["sentence"].as_str().unwrap().to_owned();
        assert!(sentences.contains(&sentence), "{sentence}");
    }
}

#[tokio::test]
async fn texts_of_a_model_cannot_become_a_part_of_the_page() {
    const TAG: &str = "</title></style></svg><script>x</script><img src=x>";
    let place = Place::new();
    let strategy = format!("{STRATEGY}# {TAG}\n");
    let metrics = METRICS
        .replace("\"warnings\": []", &format!("\"warnings\": [\"{TAG}\"]"))
        .replace("\"BUY\"", &format!("\"{TAG}\""))
        .replace("1h_roc_1_raw", TAG);
    let files = [
        ("model.safetensors", hand_weights()),
        ("metrics.json", metrics.into_bytes()),
        ("history.parquet", history_of(&[1.0, 0.5], &[0.9, 0.8])),
    ];
    store_artifact(&place, &strategy, hand_network(), &files).await;

    place.screen_of(&["models", "report", "hand", "--out", "report.html"]);

    let html = read(place.path(), "report.html");
    let page = parse(&html);
    assert_safe(&page);
    // The warning, the class as row and as answer, the feature twice, and the strategy.
    assert!(html.matches("&lt;script&gt;x&lt;/script&gt;").count() >= 6);
    assert_eq!(
        numbers_of(&page, "Confusion matrix of the test", "SELL")[..2],
        [2.0, 5.0]
    );
    assert_eq!(
        numbers_of(&page, "Rise of the criterion", TAG),
        [0.02, 0.001]
    );
}

#[tokio::test]
async fn a_report_replaces_no_file_and_says_what_it_wrote() {
    let place = Place::new();
    store_hand(&place).await;

    let mut screens = String::new();
    for line in [
        "models report hand",
        "models report hand",
        "models report hand@1 --out other.html --json",
        "models report nothing",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        screens.push_str(&format!("$ ktrdr {line}\n{}\n\n", place.screen_of(&words)));
    }

    let html = read(place.path(), "hand-1.html");
    let screens = screens
        .replace(&format!("{} kB", html.len().div_ceil(1000)), "<size>")
        .replace(&format!("\"bytes\":{}", html.len()), "\"bytes\":<bytes>");
    insta::assert_snapshot!(screens, @r#"
    $ ktrdr models report hand
    report of hand@1 written to hand-1.html, <size>
    exit 0

    $ ktrdr models report hand
    error: cannot write <here>/hand-1.html
      cause: File exists (os error 17)
    hint: remove it, or name another file with --out
    exit 1

    $ ktrdr models report hand@1 --out other.html --json
    {"bytes":<bytes>,"file":"other.html","model":"hand","type":"report","version":1}
    exit 0

    $ ktrdr models report nothing
    error: there is no model `nothing`
    hint: `ktrdr models list` shows every model with its versions; write NAME, NAME@3, or NAME@ALIAS as `ktrdr models aliases` lists it
    exit 4
    "#);
    assert_eq!(html, read(place.path(), "other.html"));
    // What is not there is named, and what is there is shown.
    let page = parse(&html);
    assert_safe(&page);
    assert!(html.contains("Decisions cannot be drawn: the store has its data set no more."));
    assert!(html.contains("This model has no metrics that can be read."));
    assert!(html.contains("op_train_20240103_000000_00000001"));
}
