//! Answers of the registry to whoever has no access to the store: bounded, and those of the store.

use registry::endpoints;
use schemas::manifests::AliasChange;
use schemas::queries::{
    ComparedModel, LIST_BYTES_MAX, LIST_MAX, ModelSummary, PREDICTIONS_MAX, PredictionPage,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::Store;

use crate::hand_model::{HOUR, TEN, register, store_bars, store_data_set};

/// The metrics of a regression of two rows, as a trainer writes them.
const METRICS: &str = r#"{
    "v": 1, "headline": {}, "warnings": [], "epochs": 2, "best_epoch": 2,
    "stopped_early": false, "seed": 42, "parameters": 2, "device": "cpu", "class_weights": {},
    "parts": {}
}"#;

async fn ask(store: &Store, name: &str, query: &Value) -> Result<Vec<u8>, (usize, String)> {
    let all = endpoints(store);
    let endpoint = all.iter().find(|endpoint| endpoint.name() == name).unwrap();
    endpoint.answer(query.to_string().into_bytes()).await
}

async fn answer<T: DeserializeOwned>(store: &Store, name: &str, query: &Value) -> T {
    let answer = ask(store, name, query).await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

async fn store_of_two() -> Store {
    let store = Store::open("memory:///").await.unwrap();
    register(&store, "op_1", METRICS).await;
    register(&store, "op_2", METRICS).await;
    store
}

async fn promote(store: &Store, alias: &str, revision: u32) {
    let change = AliasChange {
        v: AliasChange::VERSION,
        model: "hand".to_owned(),
        alias: alias.to_owned(),
        revision,
        version: Some(revision),
        by: "ann".to_owned(),
        note: None,
        at: i64::from(revision),
    };
    store.models().change_alias(change).await.unwrap();
}

#[tokio::test]
async fn predictions_worked_by_hand_come_in_pages() {
    let store = store_of_two().await;
    store_data_set(&store).await;
    store_bars(&store, &[100.0, 110.0, 55.0, 66.0]).await;

    let last = json!({"name": "hand", "last": 2});
    let page: PredictionPage = answer(&store, "models.predict", &last).await;

    // Rates of change: none, 10, −50, 20 percent. 0.001 · −50 − 0.0001 = −0.0501 is below −1.5 × the
    // cost of 0.0001, and 0.001 · 20 − 0.0001 = 0.0199 above it.
    assert_eq!((page.version, page.symbol.as_str()), (2, "fx:EUR.USD"));
    assert_eq!(page.outputs, ["forward_return"]);
    assert!(page.more);
    let [first, second] = page.rows.as_slice() else {
        panic!("{page:?}");
    };
    assert!((first.outputs[0] + 0.0501).abs() < 1e-6);
    assert!((second.outputs[0] - 0.0199).abs() < 1e-6);
    assert_eq!(
        (first.known_at, first.open_time),
        (TEN + 3 * HOUR, TEN + 2 * HOUR)
    );
    assert_eq!(
        (first.signal.as_str(), first.part.as_str()),
        ("SELL", "test")
    );
    assert_eq!(
        (second.signal.as_str(), second.part.as_str()),
        ("BUY", "later")
    );

    let before = json!({"name": "hand", "version": 1, "last": 2, "before": first.known_at});
    let page: PredictionPage = answer(&store, "models.predict", &before).await;
    assert_eq!(page.rows.len(), 1);
    assert_eq!(page.rows[0].part, "train");
    assert!(!page.more);

    let part = json!({"name": "hand", "part": "test"});
    let page: PredictionPage = answer(&store, "models.predict", &part).await;
    assert_eq!(page.rows.as_slice(), std::slice::from_ref(first));
}

#[tokio::test]
async fn queries_that_cannot_be_answered_are_refused_with_a_reason() {
    let store = store_of_two().await;
    let refusals = [
        (
            "models.predict",
            json!({"name": "hand", "last": PREDICTIONS_MAX + 1}),
        ),
        ("models.predict", json!({"name": "hand", "part": "tst"})),
        ("models.predict", json!({"name": "hand", "part": "test"})),
        ("models.predict", json!({"name": "hand"})),
        (
            "models.predict",
            json!({"name": "hand", "symbol": "what is this"}),
        ),
        ("models.predict", json!({"name": "other"})),
        ("models.metrics", json!({"name": "hand", "version": 3})),
        ("models.compare", json!({"models": []})),
        (
            "models.compare",
            json!({"models": vec![json!({"name": "hand"}); 9]}),
        ),
    ];

    let mut texts = Vec::new();
    for (name, query) in refusals {
        let (status, text) = ask(&store, name, &query).await.unwrap_err();
        texts.push(format!("{name} {query}\n  {status} {text}"));
    }

    insta::assert_snapshot!(texts.join("\n"), @r#"
    models.predict {"last":1001,"name":"hand"}
      400 an answer cannot have 1001 predictions; ask for 1 to 1000, and for those before them with `before`
    models.predict {"name":"hand","part":"tst"}
      400 there is no part `tst`; write train, validation, test, later
    models.predict {"name":"hand","part":"test"}
      404 the data set of the model is not in the store, so nobody knows its parts
    models.predict {"name":"hand"}
      404 no bars of EURUSD (1h) are stored
    models.predict {"name":"hand","symbol":"what is this"}
      400 `what is this` is no instrument, as in fx:EUR.USD
    models.predict {"name":"other"}
      404 there is no model other; `ktrdr models list` shows all
    models.metrics {"name":"hand","version":3}
      404 there is no model hand version 3; `ktrdr models list` shows all
    models.compare {"models":[]}
      400 0 models cannot be compared; name 1 to 8
    models.compare {"models":[{"name":"hand"},{"name":"hand"},{"name":"hand"},{"name":"hand"},{"name":"hand"},{"name":"hand"},{"name":"hand"},{"name":"hand"},{"name":"hand"}]}
      400 9 models cannot be compared; name 1 to 8
    "#);
}

#[tokio::test]
async fn metrics_come_as_they_are_unless_they_are_too_large() {
    let store = store_of_two().await;
    let large = METRICS.replace("[]", &format!("[\"{}\"]", "x".repeat(LIST_BYTES_MAX)));
    register(&store, "op_3", &large).await;

    let second = ask(
        &store,
        "models.metrics",
        &json!({"name": "hand", "version": 2}),
    )
    .await;
    let newest = ask(&store, "models.metrics", &json!({"name": "hand"})).await;

    assert_eq!(second.unwrap(), METRICS.as_bytes());
    let (status, text) = newest.unwrap_err();
    assert_eq!(status, 413);
    assert!(text.contains("data.read has `artifacts/"), "{text}");
}

#[tokio::test]
async fn versions_are_compared_in_the_order_of_the_query() {
    let store = store_of_two().await;
    let query = json!({"models": [{"name": "hand", "version": 2}, {"name": "hand", "version": 1}]});

    let compared: Vec<ComparedModel> = answer(&store, "models.compare", &query).await;

    let versions: Vec<u32> = compared.iter().map(|one| one.model.version).collect();
    assert_eq!(versions, [2, 1]);
    assert!(compared.iter().all(|one| one.epochs == 2));
    assert!(compared[0].strategy.starts_with("name: hand"));
}

#[tokio::test]
async fn aliases_are_the_newest_of_all_or_every_change_of_one_model() {
    let store = store_of_two().await;
    for revision in [1, 2] {
        promote(&store, "production", revision).await;
    }

    let newest: Vec<AliasChange> = answer(&store, "models.aliases", &json!({})).await;
    let of_hand: Vec<AliasChange> =
        answer(&store, "models.aliases", &json!({"name": "hand"})).await;
    let listed: Vec<ModelSummary> = answer(&store, "models.list", &json!({})).await;

    assert_eq!(newest, store.models().newest_aliases().await.unwrap());
    assert_eq!(of_hand, store.models().alias_history("hand").await.unwrap());
    assert_eq!(of_hand.len(), 2);
    assert_eq!(listed[0].aliases, ["production"]);
    assert!(listed[1].aliases.is_empty());
}

#[tokio::test]
async fn a_history_that_is_too_long_ends_with_the_newest_change() {
    let store = store_of_two().await;
    let changes = u32::try_from(LIST_MAX).unwrap() + 2;
    for revision in 1..=changes {
        promote(&store, "production", revision).await;
    }

    let history: Vec<AliasChange> =
        answer(&store, "models.aliases", &json!({"name": "hand"})).await;

    assert_eq!(history.len(), LIST_MAX);
    assert_eq!(
        (history[0].revision, history[LIST_MAX - 1].revision),
        (3, changes)
    );
}
