//! The queries that the registry answers on the services API, from the store itself.

use std::cmp::Ordering;

use runtime::{Answer, Endpoint};
use schemas::codes::Advice;
use schemas::errors::chain;
use schemas::queries::{LIST_BYTES_MAX, LIST_MAX, ListModels, ModelSummary, ShowModel};
use serde::{Serialize, de::DeserializeOwned};
use store::{Store, StoreError};

/// A refused query: status as in HTTP, and a text for people.
type QueryError = (usize, String);

/// `models.list` and `models.show` over `store`.
pub fn endpoints(store: &Store) -> Vec<Endpoint> {
    let store_to_list = store.clone();
    let store_to_show = store.clone();

    // Each query gets a handle of its own: queries run at the same time.
    vec![
        Endpoint::new("models.list", move |payload| {
            let store = store_to_list.clone();
            async move { list_models(&store, parse_query(&payload)?).await }
        }),
        Endpoint::new("models.show", move |payload| {
            let store = store_to_show.clone();
            async move { show_model(&store, parse_query(&payload)?).await }
        }),
    ]
}

async fn list_models(store: &Store, query: ListModels) -> Answer {
    let manifests = match query.name {
        Some(name) => store.models().versions(&name).await,
        None => store.models().list().await,
    };
    let manifests = manifests.map_err(store_failed)?;
    let mut models: Vec<ModelSummary> = manifests.into_iter().map(ModelSummary::from).collect();

    models.sort_by(newest_first);
    models.truncate(count_that_fits(&models));
    encode_answer(&models)
}

/// By time of registration; of one time by name, and then the highest version first.
fn newest_first(one: &ModelSummary, other: &ModelSummary) -> Ordering {
    let by_time = other.created_at.cmp(&one.created_at);
    by_time
        .then_with(|| one.name.cmp(&other.name))
        .then_with(|| other.version.cmp(&one.version))
}

/// How many of these models, from the first one on, an answer has room for.
fn count_that_fits(models: &[ModelSummary]) -> usize {
    let mut bytes = 0;
    for (count, model) in models.iter().take(LIST_MAX).enumerate() {
        // Each is followed by a comma.
        bytes += serde_json::to_vec(model).map_or(0, |text| text.len() + 1);
        if bytes > LIST_BYTES_MAX {
            return count;
        }
    }
    models.len().min(LIST_MAX)
}

async fn show_model(store: &Store, query: ShowModel) -> Answer {
    let model = store.models().find(&query.name, query.version).await;
    match model.map_err(store_failed)? {
        Some(model) => encode_answer(&model),
        None => Err(unknown_model(&query)),
    }
}

fn unknown_model(query: &ShowModel) -> QueryError {
    let name = &query.name;
    let version = match query.version {
        Some(version) => format!(" version {version}"),
        None => String::new(),
    };
    let text = format!("there is no model {name}{version}; `ktrdr models list` shows all");
    (404, text)
}

/// JSON; an empty payload is an empty object.
fn parse_query<T: DeserializeOwned>(payload: &[u8]) -> Result<T, QueryError> {
    let payload = if payload.trim_ascii().is_empty() {
        b"{}"
    } else {
        payload
    };
    serde_json::from_slice(payload)
        .map_err(|error| (400, format!("the query cannot be read: {error}")))
}

fn encode_answer(answer: &impl Serialize) -> Answer {
    serde_json::to_vec(answer)
        .map_err(|error| (500, format!("the answer cannot be written: {error}")))
}

fn store_failed(error: StoreError) -> QueryError {
    (500, format!("{}; {}", chain(&error), error.hint()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemas::manifests::{Lineage, ModelManifest};

    use super::*;

    fn manifest(version: u32, created_at: i64) -> ModelManifest {
        let lineage = Lineage {
            operation: "op".to_owned(),
            dataset: "d".to_owned(),
            series: BTreeMap::new(),
            strategy: "name: x".to_owned(),
            strategy_sha256: String::new(),
            overrides: None,
            seed: 1,
            symbols: vec!["EURUSD".to_owned()],
            timeframes: vec!["1h".to_owned()],
            versions: BTreeMap::new(),
        };

        ModelManifest {
            v: 1,
            name: "trend".to_owned(),
            version,
            artifact: "a".repeat(64),
            operation: format!("op{version}"),
            metrics: BTreeMap::from([("accuracy".to_owned(), 0.5)]),
            lineage,
            created_at,
        }
    }

    /// Versions 1 and 2 of one model, registered one after the other.
    async fn store_of_two() -> Store {
        let store = Store::open("memory:///").await.unwrap();
        for version in [1, 2] {
            let operation = format!("op{version}");
            let make = |number| manifest(number, i64::from(version) * 100);
            let assigned = store.models().assign_version("trend", &operation, make);
            assigned.await.unwrap();
        }
        store
    }

    async fn listed_versions(store: &Store, query: &str) -> Vec<u32> {
        let query = parse_query(query.as_bytes()).unwrap();
        let answer = list_models(store, query).await.unwrap();
        let models: Vec<ModelSummary> = serde_json::from_slice(&answer).unwrap();
        models.iter().map(|model| model.version).collect()
    }

    #[tokio::test]
    async fn a_list_is_newest_first_and_can_be_of_one_model() {
        let store = store_of_two().await;
        assert_eq!(listed_versions(&store, "").await, [2, 1]);
        assert_eq!(listed_versions(&store, r#"{"name":"trend"}"#).await, [2, 1]);
        assert!(
            listed_versions(&store, r#"{"name":"other"}"#)
                .await
                .is_empty()
        );
    }

    #[test]
    fn a_list_has_at_most_the_models_that_it_may() {
        let models = vec![ModelSummary::from(manifest(1, 100)); LIST_MAX + 1];
        assert_eq!(count_that_fits(&models), LIST_MAX);
    }

    #[test]
    fn a_list_ends_where_models_of_many_symbols_fill_an_answer() {
        let symbol = |number: u32| format!("crypto:{number:017}.USD");
        let model = ModelSummary {
            symbols: (0..256).map(symbol).collect(),
            ..ModelSummary::from(manifest(1, 100))
        };
        let models = vec![model; LIST_MAX];

        // 256 ids of 28 characters with quotes and a comma are 7 936 bytes, everything else some
        // 300: 63 or so fit.
        let count = count_that_fits(&models);
        assert!((60..=65).contains(&count), "{count}");
        let answer = serde_json::to_vec(&models[..count]).unwrap();
        assert!(answer.len() <= LIST_BYTES_MAX + 1);
    }

    async fn show(store: &Store, query: &str) -> Answer {
        show_model(store, parse_query(query.as_bytes()).unwrap()).await
    }

    #[tokio::test]
    async fn without_a_version_the_newest_is_shown() {
        let store = store_of_two().await;
        let answer = show(&store, r#"{"name":"trend"}"#).await.unwrap();
        let model: ModelManifest = serde_json::from_slice(&answer).unwrap();
        assert_eq!((model.version, model.operation.as_str()), (2, "op2"));
    }

    #[tokio::test]
    async fn an_unknown_version_is_404() {
        let store = store_of_two().await;
        let refused = show(&store, r#"{"name":"trend","version":7}"#).await;
        let (code, text) = refused.unwrap_err();
        assert_eq!(code, 404);
        assert_eq!(
            text,
            "there is no model trend version 7; `ktrdr models list` shows all"
        );
    }

    #[test]
    fn a_query_that_cannot_be_read_is_400() {
        let (code, _) = parse_query::<ShowModel>(b"{\"nam\":1}").unwrap_err();
        assert_eq!(code, 400);
    }
}
