//! What is left of a change of models when its process dies or the store refuses it.

use std::io;

use schemas::codes::Advice as _;
use schemas::errors::chain;
use schemas::manifests::AliasChange;
use store::{RenameOutcome, Store, StoreError};

use crate::conformance::models::model;
use crate::conformance::names::{listed, register, rename};
use crate::faults::Failing;

#[tokio::test]
async fn a_rename_that_dies_at_any_write_is_all_or_nothing() {
    for after_effect in [false, true] {
        // The change and the reservation of the name are two writes.
        for dies_at in 0..2 {
            let backend = Failing::new(after_effect, io::ErrorKind::ConnectionReset);
            let store = Store::over(backend.clone(), "failing:///");
            let case = format!("died at write {dies_at}, after its effect: {after_effect}");
            register(&store, "trend", "op_1").await;

            backend.allow(dies_at);
            let died = store.models().rename(rename("trend", "alpha")).await;
            assert!(died.is_err(), "{case}");
            backend.allow(-1);

            // The reservation is what counts.
            let is_made = after_effect && dies_at == 1;
            let name = if is_made { "alpha@1" } else { "trend@1" };
            assert_eq!(listed(&store).await, [name], "{case}");

            let repeated = store.models().rename(rename("trend", "alpha")).await;
            let repeated = repeated.unwrap();
            assert!(matches!(repeated, RenameOutcome::Renamed(_)), "{case}");
            assert_eq!(listed(&store).await, ["alpha@1"], "{case}");
        }
    }
}

#[tokio::test]
async fn a_name_of_a_rename_that_died_is_free_for_another() {
    let backend = Failing::new(false, io::ErrorKind::ConnectionReset);
    let store = Store::over(backend.clone(), "failing:///");
    register(&store, "trend", "op_1").await;
    backend.allow(1);
    let died = store.models().rename(rename("trend", "alpha")).await;
    assert!(died.is_err());
    backend.allow(-1);

    assert_eq!(register(&store, "alpha", "op_2").await, "alpha@1");
    let refused = store.models().rename(rename("trend", "alpha")).await;
    assert_eq!(refused.unwrap(), RenameOutcome::Taken("alpha".to_owned()));
    let renamed = store.models().rename(rename("trend", "beta")).await;
    assert!(matches!(renamed.unwrap(), RenameOutcome::Renamed(_)));

    assert_eq!(listed(&store).await, ["alpha@1", "beta@1"]);
    let model = store.models().find("beta", None).await.unwrap().unwrap();
    assert_eq!(model.former_names, ["trend"]);
}

#[tokio::test]
async fn creates_that_are_refused_for_ever_end_in_an_error() {
    let backend = Failing::new(false, io::ErrorKind::AlreadyExists);
    let store = Store::over(backend.clone(), "failing:///");
    backend.allow(0);

    let change = AliasChange {
        v: AliasChange::VERSION,
        model: "trend".to_owned(),
        alias: "production".to_owned(),
        revision: 1,
        version: Some(1),
        by: "ann".to_owned(),
        note: None,
        at: 7,
    };
    let error = store.models().change_alias(change).await.unwrap_err();

    assert!(matches!(error, StoreError::Refused { attempts: 50, .. }));
    assert!(error.is_transient());
    insta::assert_snapshot!(format!("{}\nhint: {}", chain(&error), error.hint()), @"
    the store refused 50 times to create `aliases/trend/production.1.json` as existing, and it is absent
    hint: run the command again; if it goes on, `ktrdr doctor` checks whether the store answers conditional creates as it should
    ");
    let models = store.models();
    let assigned = models.assign_version("trend", "op", |_| model("op"));
    let error = assigned.await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { attempts: 50, .. }));
}
