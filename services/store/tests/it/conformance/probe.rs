//! Checks of a store as a whole, and names that no backend may be asked for.

use store::StoreError;

use super::on_every_store;

#[test]
fn a_usable_store_passes_every_check() {
    on_every_store(|store| async move {
        store.check_access().await.unwrap();
        store.probe().await.unwrap();
        store.probe().await.unwrap();
    });
}

#[test]
fn a_name_that_could_leave_its_folder_is_refused() {
    on_every_store(|store| async move {
        for name in ["", "..", "a/b", "a b", ".hidden", "ü"] {
            let refused = store.models().find(name, None).await;
            assert!(
                matches!(refused, Err(StoreError::Name { .. })),
                "{name}: {refused:?}"
            );
        }
    });
}

#[test]
fn a_report_is_named_by_its_content() {
    on_every_store(|store| async move {
        let report = serde_json::json!({"score": 99.5, "issues": []});

        let key = store.reports().put(&report).await.unwrap();
        let again = store.reports().put(&report).await.unwrap();
        assert_eq!(again, key);

        let stored: serde_json::Value = store.reports().get(&key).await.unwrap();
        assert_eq!(stored, report);
        let hash = store::report_sha256(&key).unwrap();
        assert_eq!(store::report_key(hash), key);
    });
}
