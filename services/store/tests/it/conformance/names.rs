//! Names of models: a rename takes everything along, and of changes at the same time one counts.

use std::collections::BTreeMap;

use schemas::manifests::{AliasChange, DeletionChange, ModelNote, RenameChange, TagsChange};
use store::{ChangeOutcome, RenameOutcome, Store};

use super::models::model;
use super::on_every_store;

pub(crate) fn rename(from: &str, to: &str) -> RenameChange {
    RenameChange {
        v: RenameChange::VERSION,
        model: String::new(),
        revision: 0,
        from: from.to_owned(),
        to: to.to_owned(),
        by: "ann".to_owned(),
        note: None,
        at: 7,
    }
}

fn promotion(name: &str, revision: u32, version: u32) -> AliasChange {
    AliasChange {
        v: AliasChange::VERSION,
        model: name.to_owned(),
        alias: "production".to_owned(),
        revision,
        version: Some(version),
        by: "ann".to_owned(),
        note: None,
        at: 7,
    }
}

fn deletion_of(name: &str, version: u32) -> DeletionChange {
    DeletionChange {
        v: DeletionChange::VERSION,
        model: name.to_owned(),
        version,
        revision: 1,
        is_deleted: true,
        by: "ann".to_owned(),
        note: None,
        at: 7,
    }
}

fn note(name: &str, text: &str) -> ModelNote {
    ModelNote {
        v: ModelNote::VERSION,
        model: name.to_owned(),
        version: 1,
        revision: 0,
        text: text.to_owned(),
        by: "ann".to_owned(),
        at: 7,
    }
}

fn tags(name: &str, revision: u32, place: &str) -> TagsChange {
    TagsChange {
        v: TagsChange::VERSION,
        model: name.to_owned(),
        version: 1,
        revision,
        tags: BTreeMap::from([("place".to_owned(), place.to_owned())]),
        by: "ann".to_owned(),
        at: 7,
    }
}

pub(crate) async fn register(store: &Store, name: &str, operation: &str) -> String {
    let models = store.models();
    let assigned = models.assign_version(name, operation, |_| model(operation));
    let assigned = assigned.await.unwrap();
    format!("{}@{}", assigned.name, assigned.version)
}

/// `name@version` of every version that is listed.
pub(crate) async fn listed(store: &Store) -> Vec<String> {
    let models = store.models().list().await.unwrap();
    let models = models.iter();
    let names = models.map(|model| format!("{}@{}", model.name, model.version));
    names.collect()
}

#[test]
fn a_rename_takes_versions_aliases_notes_and_tags_along() {
    on_every_store(|store| async move {
        let models = store.models();
        for operation in ["op_1", "op_2", "op_3"] {
            register(&store, "trend", operation).await;
        }
        let changed = models.change_alias(promotion("trend", 1, 2)).await;
        assert!(matches!(changed.unwrap(), ChangeOutcome::Made(_)));
        models
            .change_deletion(deletion_of("trend", 3))
            .await
            .unwrap();
        models.add_note(note("trend", "first")).await.unwrap();
        models.change_tags(tags("trend", 1, "desk")).await.unwrap();

        let renamed = models.rename(rename("trend", "alpha")).await.unwrap();

        assert!(matches!(renamed, RenameOutcome::Renamed(_)), "{renamed:?}");
        assert_eq!(listed(&store).await, ["alpha@1", "alpha@2"]);
        let newest = models.find("alpha", None).await.unwrap().unwrap();
        assert_eq!(newest.version, 2);
        assert_eq!(newest.former_names, ["trend"]);
        let alias = models.alias("alpha", "production").await.unwrap().unwrap();
        assert_eq!(alias.model, "alpha");
        assert_eq!(models.newest_aliases().await.unwrap(), [alias]);
        assert_eq!(
            models.deletions(None).await.unwrap(),
            [deletion_of("alpha", 3)]
        );
        assert_eq!(models.notes("alpha").await.unwrap()[0].text, "first");
        assert_eq!(models.tags(None).await.unwrap(), [tags("alpha", 1, "desk")]);
    });
}

#[test]
fn a_former_name_goes_on_meaning_the_model() {
    on_every_store(|store| async move {
        let models = store.models();
        register(&store, "trend", "op_1").await;
        models.rename(rename("trend", "alpha")).await.unwrap();
        models.rename(rename("alpha", "beta")).await.unwrap();

        // A training under way registers where the model is now, once.
        assert_eq!(register(&store, "trend", "op_2").await, "beta@2");
        assert_eq!(register(&store, "alpha", "op_2").await, "beta@2");
        for name in ["trend", "alpha", "beta"] {
            let first = models.find(name, Some(1)).await.unwrap().unwrap();
            assert_eq!(first.name, "beta");
            assert_eq!(first.former_names, ["trend", "alpha"]);
            assert_eq!(models.name_now(name).await.unwrap(), "beta");
        }
        let promoted = models.change_alias(promotion("trend", 1, 1)).await;
        assert_eq!(
            promoted.unwrap(),
            ChangeOutcome::Made(promotion("beta", 1, 1))
        );

        // It gets its first name back, and then the one between.
        models.rename(rename("beta", "trend")).await.unwrap();
        let newest = models.find("beta", None).await.unwrap().unwrap();
        assert_eq!(newest.name, "trend");
        assert_eq!(newest.former_names, ["alpha", "beta"]);
        models.rename(rename("trend", "alpha")).await.unwrap();
        assert_eq!(listed(&store).await, ["alpha@1", "alpha@2"]);
        assert_eq!(models.rename_history("beta").await.unwrap().len(), 4);
    });
}

#[test]
fn a_name_that_a_model_has_or_had_is_taken() {
    on_every_store(|store| async move {
        let models = store.models();
        register(&store, "trend", "op_1").await;
        register(&store, "swing", "op_2").await;
        models.rename(rename("swing", "pendulum")).await.unwrap();

        for (to, has) in [("pendulum", "pendulum"), ("swing", "pendulum")] {
            let refused = models.rename(rename("trend", to)).await.unwrap();
            assert_eq!(refused, RenameOutcome::Taken(has.to_owned()), "{to}");
        }
        let unknown = models.rename(rename("nothing", "alpha")).await.unwrap();
        assert_eq!(unknown, RenameOutcome::Unknown);
        assert_eq!(listed(&store).await, ["pendulum@1", "trend@1"]);
    });
}

async fn rename_to(store: Store, from: String, to: String) -> RenameOutcome {
    store.models().rename(rename(&from, &to)).await.unwrap()
}

#[test]
fn of_renames_to_one_name_at_once_one_is_made() {
    on_every_store(|store| async move {
        for number in 0..10 {
            register(&store, &format!("model{number}"), "op").await;
        }
        let renames = (0..10).map(|number| format!("model{number}"));
        let renames: Vec<_> = renames
            .map(|from| tokio::spawn(rename_to(store.clone(), from, "alpha".to_owned())))
            .collect();

        let mut made = 0;
        for rename in renames {
            match rename.await.unwrap() {
                RenameOutcome::Renamed(_) => made += 1,
                other => assert_eq!(other, RenameOutcome::Taken("alpha".to_owned())),
            }
        }

        assert_eq!(made, 1);
        let names = listed(&store).await;
        let of_alpha = names.iter().filter(|name| *name == "alpha@1");
        assert_eq!(of_alpha.count(), 1, "{names:?}");
        assert_eq!(names.len(), 10);
    });
}

#[test]
fn a_rename_and_first_registrations_at_once_lose_nothing() {
    on_every_store(|store| async move {
        for round in 0..5 {
            let from = format!("from{round}");
            let to = format!("to{round}");
            register(&store, &from, "op_0").await;

            let renaming = tokio::spawn(rename_to(store.clone(), from.clone(), to.clone()));
            for operation in ["op_1", "op_2"] {
                register(&store, &to, operation).await;
            }
            let outcome = renaming.await.unwrap();

            // Either all three are versions of one model, or the rename was refused.
            let models = store.models();
            let versions = models.versions(&to).await.unwrap().len();
            match outcome {
                RenameOutcome::Renamed(_) => assert_eq!(versions, 3, "round {round}"),
                other => {
                    assert_eq!(other, RenameOutcome::Taken(to.clone()));
                    assert_eq!(versions, 2);
                    assert_eq!(models.versions(&from).await.unwrap().len(), 1);
                }
            }
        }
    });
}

async fn write_note(store: Store, text: String) {
    store.models().add_note(note("trend", &text)).await.unwrap();
}

#[test]
fn notes_at_the_same_time_are_all_kept() {
    on_every_store(|store| async move {
        let texts: Vec<String> = (0..20).map(|number| format!("note {number}")).collect();
        let writers: Vec<_> = texts
            .iter()
            .map(|text| tokio::spawn(write_note(store.clone(), text.clone())))
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }

        let notes = store.models().notes("trend").await.unwrap();

        let revisions: Vec<u32> = notes.iter().map(|note| note.revision).collect();
        assert_eq!(revisions, (1..=20).collect::<Vec<u32>>());
        let mut written: Vec<String> = notes.into_iter().map(|note| note.text).collect();
        written.sort();
        let mut expected = texts;
        expected.sort();
        assert_eq!(written, expected);
        let newest = store.models().newest_notes().await.unwrap();
        assert_eq!(newest.len(), 1);
        assert_eq!(newest[0].revision, 20);
    });
}
