//! The queries that the registry answers on the services API, from the store itself.

use runtime::{Answer, Endpoint};
use schemas::codes::Advice as _;
use schemas::queries::{LIST_BYTES_MAX, LIST_MAX, ListModels, ModelSummary, ShowModel};
use serde::{Serialize, de::DeserializeOwned};
use store::{Store, StoreError};

/// `models.list` and `models.show` over `store`.
pub fn endpoints(store: &Store) -> Vec<Endpoint> {
    let (listed, shown) = (store.clone(), store.clone());
    vec![
        Endpoint::new("models.list", move |payload| {
            let store = listed.clone();
            async move { list(&store, parse(&payload)?).await }
        }),
        Endpoint::new("models.show", move |payload| {
            let store = shown.clone();
            async move { show(&store, parse(&payload)?).await }
        }),
    ]
}

async fn list(store: &Store, query: ListModels) -> Answer {
    let found = match query.name {
        Some(name) => store.models().versions(&name).await,
        None => store.models().list().await,
    };
    let mut models: Vec<ModelSummary> = found
        .map_err(failed)?
        .into_iter()
        .map(ModelSummary::from)
        .collect();
    models.sort_by(|one, other| {
        (other.created_at, &one.name, other.version).cmp(&(
            one.created_at,
            &other.name,
            one.version,
        ))
    });
    models.truncate(listed(&models));
    encode(&models)
}

/// How many of these models, from the first one on, an answer has room for.
fn listed(models: &[ModelSummary]) -> usize {
    let mut bytes = 0;
    let fits = models.iter().take(LIST_MAX).take_while(|model| {
        bytes += serde_json::to_vec(model).map_or(0, |text| text.len() + 1);
        bytes <= LIST_BYTES_MAX
    });
    fits.count()
}

async fn show(store: &Store, query: ShowModel) -> Answer {
    match store
        .models()
        .find(&query.name, query.version)
        .await
        .map_err(failed)?
    {
        Some(model) => encode(&model),
        None => {
            let version = query
                .version
                .map_or(String::new(), |version| format!(" version {version}"));
            Err((
                404,
                format!(
                    "there is no model {}{version}; `ktrdr models list` shows all",
                    query.name
                ),
            ))
        }
    }
}

/// JSON; an empty payload is an empty object.
fn parse<T: DeserializeOwned>(payload: &[u8]) -> Result<T, (usize, String)> {
    let payload = if payload.trim_ascii().is_empty() {
        b"{}"
    } else {
        payload
    };
    serde_json::from_slice(payload)
        .map_err(|error| (400, format!("the query cannot be read: {error}")))
}

fn encode(answer: &impl Serialize) -> Answer {
    serde_json::to_vec(answer)
        .map_err(|error| (500, format!("the answer cannot be written: {error}")))
}

fn failed(error: StoreError) -> (usize, String) {
    (
        500,
        format!("{}; {}", schemas::errors::chain(&error), error.hint()),
    )
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

    async fn store_of_two() -> Store {
        let store = Store::open("memory:///").await.unwrap();
        for (version, at) in [(1, 100), (2, 200)] {
            store
                .models()
                .assign_version("trend", &format!("op{version}"), |given| {
                    manifest(given, at)
                })
                .await
                .unwrap();
        }
        store
    }

    #[tokio::test]
    async fn a_list_is_newest_first_and_can_be_of_one_model() {
        let store = store_of_two().await;
        let versions = |answer: Answer| -> Vec<u32> {
            let models: Vec<ModelSummary> = serde_json::from_slice(&answer.unwrap()).unwrap();
            models.iter().map(|model| model.version).collect()
        };
        assert_eq!(versions(list(&store, parse(b"").unwrap()).await), [2, 1]);
        assert_eq!(
            versions(list(&store, parse(br#"{"name":"trend"}"#).unwrap()).await),
            [2, 1]
        );
        assert!(versions(list(&store, parse(br#"{"name":"other"}"#).unwrap()).await).is_empty());
    }

    #[test]
    fn a_list_ends_where_models_of_many_symbols_have_filled_an_answer() {
        let small = vec![ModelSummary::from(manifest(1, 100)); LIST_MAX + 1];
        assert_eq!(listed(&small), LIST_MAX);
        let symbols = (0..256)
            .map(|number| format!("crypto:{number:017}.USD"))
            .collect();
        let large = vec![
            ModelSummary {
                symbols,
                ..ModelSummary::from(manifest(1, 100))
            };
            LIST_MAX
        ];
        // 256 ids of 28 characters with quotes and a comma are 7 936 bytes, everything else some
        // 300: 63 or so fit.
        let fits = listed(&large);
        assert!((60..=65).contains(&fits), "{fits}");
        assert!(serde_json::to_vec(&large[..fits]).unwrap().len() <= LIST_BYTES_MAX + 1);
    }

    #[tokio::test]
    async fn a_model_is_shown_by_version_or_newest_and_an_unknown_one_is_404() {
        let store = store_of_two().await;
        let show = |text: &'static str| show(&store, parse(text.as_bytes()).unwrap());
        let model: ModelManifest =
            serde_json::from_slice(&show(r#"{"name":"trend"}"#).await.unwrap()).unwrap();
        assert_eq!((model.version, model.operation.as_str()), (2, "op2"));
        let (code, text) = show(r#"{"name":"trend","version":7}"#).await.unwrap_err();
        assert_eq!(
            (code, text.as_str()),
            (
                404,
                "there is no model trend version 7; `ktrdr models list` shows all"
            )
        );
        assert_eq!(parse::<ShowModel>(b"{\"nam\":1}").unwrap_err().0, 400);
    }
}
