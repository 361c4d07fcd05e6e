//! The queries that the registry answers on the services API, from the store itself.

use std::cmp::Ordering;

use runtime::{Answer, Endpoint};
use schemas::codes::Advice;
use schemas::errors::chain;
use schemas::queries::{
    LIST_BYTES_MAX, LIST_MAX, ListModels, ListObjects, ModelSummary, ReadObject, ShowModel,
};
use serde::{Serialize, de::DeserializeOwned};
use store::{Store, StoreError};

use crate::evaluations::{compare_models, list_aliases, show_metrics};
use crate::predictions::predict_model;

/// Where sealed rows lie.
const SEALED_PREFIX: &str = "sealed/";

/// A refused query: status as in HTTP, and a text for people.
pub(crate) type Refusal = (usize, String);

/// Every query over `store`: the models, what they predict, and the objects themselves.
pub fn endpoints(store: &Store) -> Vec<Endpoint> {
    vec![
        endpoint("models.list", store, list_models),
        endpoint("models.show", store, show_model),
        endpoint("models.aliases", store, list_aliases),
        endpoint("models.metrics", store, show_metrics),
        endpoint("models.compare", store, compare_models),
        endpoint("models.predict", store, predict_model),
        endpoint("data.list", store, list_objects),
        endpoint("data.read", store, read_object),
    ]
}

/// An endpoint that parses its query and answers it from `store`.
fn endpoint<Q, A, F>(name: &'static str, store: &Store, answer: A) -> Endpoint
where
    Q: DeserializeOwned + Send + 'static,
    A: Fn(Store, Q) -> F + Send + Sync + Copy + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let store = store.clone();
    Endpoint::new(name, move |payload| {
        // Each query gets a handle of its own: queries run at the same time.
        let store = store.clone();
        async move { answer(store, parse_query(&payload)?).await }
    })
}

async fn list_models(store: Store, query: ListModels) -> Answer {
    let models = store.models().summaries(query.name.as_deref()).await;
    let mut models = models.map_err(store_failed)?;
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

async fn show_model(store: Store, query: ShowModel) -> Answer {
    let model = store.models().find(&query.name, query.version).await;
    match model.map_err(store_failed)? {
        Some(model) => encode_answer(&model),
        None => Err(unknown_model(&query)),
    }
}

async fn list_objects(store: Store, query: ListObjects) -> Answer {
    let page = store.list_page(&query).await.map_err(store_failed)?;
    encode_answer(&page)
}

/// A line of JSON about the whole object, `null` if there is none, then a part of the object.
async fn read_object(store: Store, query: ReadObject) -> Answer {
    if query.key.starts_with(SEALED_PREFIX) {
        let text = "sealed rows are read by `ktrdr models confirm NAME` alone, which records it";
        return Err((403, text.to_owned()));
    }

    let page = store.read_page(&query).await.map_err(store_failed)?;
    let head = page.as_ref().map(|(head, _)| head);

    let mut answer = encode_answer(&head)?;
    answer.push(b'\n');
    if let Some((_, bytes)) = &page {
        answer.extend_from_slice(bytes);
    }
    Ok(answer)
}

pub(crate) fn unknown_model(query: &ShowModel) -> Refusal {
    let name = &query.name;
    let version = match query.version {
        Some(version) => format!(" version {version}"),
        None => String::new(),
    };
    let text = format!("there is no model {name}{version}; `ktrdr models list` shows all");
    (404, text)
}

/// JSON; an empty payload is an empty object.
fn parse_query<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Refusal> {
    let payload = if payload.trim_ascii().is_empty() {
        b"{}"
    } else {
        payload
    };
    serde_json::from_slice(payload)
        .map_err(|error| (400, format!("the query cannot be read: {error}")))
}

pub(crate) fn encode_answer(answer: &impl Serialize) -> Answer {
    serde_json::to_vec(answer)
        .map_err(|error| (500, format!("the answer cannot be written: {error}")))
}

pub(crate) fn store_failed(error: StoreError) -> Refusal {
    // A name that no object can have is a mistake in the query, and nothing is wrong here.
    let status = match error {
        StoreError::Name { .. } => 400,
        _ => 500,
    };
    (status, format!("{}; {}", chain(&error), error.hint()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use schemas::manifests::{Lineage, ModelManifest};
    use schemas::queries::PAGE_BYTES;
    use serde_json::Value;
    use store::{AskStore, QueryError};

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
            training: None,
            metrics: BTreeMap::from([("accuracy".to_owned(), 0.5)]),
            validation: BTreeMap::new(),
            lineage,
            labels: BTreeMap::new(),
            former_names: Vec::new(),
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
        let answer = list_models(store.clone(), query).await.unwrap();
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
            training: None,
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

    /// The store as a process sees it that can only ask these queries.
    fn seen_through_queries(store: &Store) -> Store {
        let store = store.clone();
        let ask: AskStore = Arc::new(move |endpoint, payload| {
            let store = store.clone();
            Box::pin(async move { answer(&store, endpoint, &payload).await })
        });
        Store::over_queries(ask, "bus://registry")
    }

    async fn answer(store: &Store, endpoint: &str, payload: &[u8]) -> Result<Vec<u8>, QueryError> {
        let answer = match endpoint {
            "data.list" => list_objects(store.clone(), parse_query(payload).unwrap()).await,
            "data.read" => read_object(store.clone(), parse_query(payload).unwrap()).await,
            other => panic!("{other}"),
        };
        answer.map_err(|(_, text)| text.into())
    }

    #[tokio::test]
    async fn queries_show_the_same_models_as_the_store() {
        let store = store_of_two().await;
        let seen = seen_through_queries(&store);

        assert_eq!(
            seen.models().list().await.unwrap(),
            store.models().list().await.unwrap()
        );
        assert_eq!(seen.models().find("trend", Some(7)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_object_of_several_pages_arrives_whole() {
        let store = Store::open("memory:///").await.unwrap();
        let seen = seen_through_queries(&store);
        // With its two quotes the last one ends where a page ends.
        let sizes = [0, 1, PAGE_BYTES, 2 * PAGE_BYTES + 1, 3 * PAGE_BYTES - 2];

        for size in sizes {
            let text = Value::String("x".repeat(size));
            let object = store.reports().put(&text).await.unwrap();
            let seen_text: Value = seen.reports().get(&object).await.unwrap();
            assert_eq!(seen_text, text, "{size}");
        }
    }

    #[tokio::test]
    async fn nothing_is_written_through_queries() {
        let seen = seen_through_queries(&store_of_two().await);

        let refused = seen.reports().put(&Value::Null).await.unwrap_err();

        assert!(!refused.is_transient());
        assert!(refused.hint().contains("`store.url`"), "{}", refused.hint());
    }

    #[tokio::test]
    async fn a_key_outside_the_store_is_refused() {
        let store = store_of_two().await;
        for key in ["../secret", "bars/../../secret", "a//b"] {
            let query = ReadObject {
                key: key.to_owned(),
                from: 0,
            };
            let (code, text) = read_object(store.clone(), query).await.unwrap_err();
            assert_eq!(code, 400, "{text}");
            assert!(text.contains("cannot be used as an object key"), "{text}");
        }
    }

    #[tokio::test]
    async fn sealed_rows_are_read_by_no_query() {
        let query = ReadObject {
            key: "sealed/abc/def.parquet".to_owned(),
            from: 0,
        };
        let (code, text) = read_object(store_of_two().await, query).await.unwrap_err();
        assert_eq!(code, 403);
        assert!(text.contains("`ktrdr models confirm NAME`"), "{text}");
    }

    #[tokio::test]
    async fn a_name_that_nothing_can_have_is_400() {
        let store = store_of_two().await;
        let list = ListObjects {
            prefix: "bars//SPY".to_owned(),
            after: None,
        };

        let listed = list_objects(store.clone(), list).await.unwrap_err();
        let model = show(&store, r#"{"name":"../trend"}"#).await.unwrap_err();
        let models = parse_query(br#"{"name":"a/b"}"#).unwrap();
        let models = list_models(store.clone(), models).await.unwrap_err();

        for (code, text) in [listed, model, models] {
            assert_eq!(code, 400, "{text}");
            assert!(text.contains("cannot be used as"), "{text}");
        }
    }

    async fn show(store: &Store, query: &str) -> Answer {
        show_model(store.clone(), parse_query(query.as_bytes()).unwrap()).await
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
