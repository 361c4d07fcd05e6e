//! Roles of model versions: of changes at the same time one counts, and none is forgotten.

use schemas::manifests::AliasChange;
use store::{ChangeOutcome, Store};

use super::on_every_store;

fn change(revision: u32, version: Option<u32>, by: &str) -> AliasChange {
    AliasChange {
        v: AliasChange::VERSION,
        model: "trend".to_owned(),
        alias: "production".to_owned(),
        revision,
        version,
        by: by.to_owned(),
        note: None,
        at: i64::from(revision),
    }
}

async fn promote(store: Store, revision: u32, by: String) -> ChangeOutcome<AliasChange> {
    let change = change(revision, Some(3), &by);
    store.models().change_alias(change).await.unwrap()
}

/// The winners of fifty people who all follow the change before this revision.
async fn promote_at_once(store: &Store, revision: u32) -> Vec<AliasChange> {
    let people = (0..50).map(|person| format!("person {person}"));
    let promotions: Vec<_> = people
        .map(|person| tokio::spawn(promote(store.clone(), revision, person)))
        .collect();

    let mut winners = Vec::new();
    let mut others = Vec::new();
    for promotion in promotions {
        match promotion.await.unwrap() {
            ChangeOutcome::Made(change) => winners.push(change),
            ChangeOutcome::Overtaken(change) => others.push(change),
        }
    }
    assert!(others.iter().all(|other| *other == winners[0]));
    winners
}

#[test]
fn of_fifty_promotions_at_once_one_counts_and_others_are_told() {
    on_every_store(|store| async move {
        let mut history = Vec::new();
        for revision in 1..=3 {
            let winners = promote_at_once(&store, revision).await;
            assert_eq!(winners.len(), 1);
            history.extend(winners);

            let newest = store.models().alias("trend", "production").await.unwrap();
            assert_eq!(newest.as_ref(), history.last());
        }
        assert_eq!(
            store.models().alias_history("trend").await.unwrap(),
            history
        );
    });
}

#[test]
fn the_newest_change_counts_and_all_are_remembered() {
    on_every_store(|store| async move {
        let models = store.models();
        // Ten sorts before two as text.
        for revision in 1..=10 {
            let version = (revision != 10).then_some(revision);
            let outcome = models
                .change_alias(change(revision, version, "somebody"))
                .await;
            assert!(matches!(outcome.unwrap(), ChangeOutcome::Made(_)));
        }

        let newest = models.alias("trend", "production").await.unwrap().unwrap();
        assert_eq!((newest.revision, newest.version), (10, None));
        let history = models.alias_history("trend").await.unwrap();
        let revisions: Vec<u32> = history.iter().map(|change| change.revision).collect();
        assert_eq!(revisions, (1..=10).collect::<Vec<u32>>());
        assert_eq!(models.newest_aliases().await.unwrap(), [newest]);

        // An alias is no version of the model.
        assert!(models.versions("trend").await.unwrap().is_empty());
    });
}
