//! Deleted versions of models: out of sight, brought back, and refused while they play a role.

use crate::data_train_models::Place;
use crate::hand_model::store_hand;

/// Times and people, which differ from run to run.
const FILTERS: [(&str, &str); 3] = [
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>"),
    (r"[a-z0-9_-]+@[a-z][a-z0-9.-]*", "<person>"),
    (" +\n", "\n"),
];

/// What each line of arguments prints.
fn screens(place: &Place, lines: &[&str]) -> String {
    let mut screens = String::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        screens.push_str(&format!("$ ktrdr {line}\n{}\n\n", place.screen_of(&words)));
    }
    screens
}

#[tokio::test]
async fn a_deleted_version_is_out_of_sight_until_it_is_back() {
    let place = Place::new();
    store_hand(&place).await;

    let screens = screens(
        &place,
        &[
            "models delete hand@1 --note broken",
            "models list",
            "models show hand@1",
            "models predict hand",
            "models undelete hand@1",
            "models undelete hand@1",
            "models list --deleted",
        ],
    );

    insta::with_settings!({filters => FILTERS}, { insta::assert_snapshot!(screens, @"
    $ ktrdr models delete hand@1 --note broken
    hand@1 is deleted
    1 version deleted; `ktrdr models undelete NAME@VERSION` undoes it within 7 days, and `ktrdr store gc` frees the space after them
    exit 0

    $ ktrdr models list
    no registry answers; read from file://<here>/.ktrdr/objects
    there is no model yet
    hint: `ktrdr train STRATEGY` makes one
    exit 0

    $ ktrdr models show hand@1
    error: hand@1 was deleted
    hint: `ktrdr models list --deleted` says by whom and when, `ktrdr models undelete hand@1` undoes it
    exit 4

    $ ktrdr models predict hand
    error: there is no model `hand`
    hint: this store has no model: `ktrdr train STRATEGY` makes one, `ktrdr doctor` shows which store is used, --set store.url=URL names another one
    exit 4

    $ ktrdr models undelete hand@1
    hand@1 is back
    exit 0

    $ ktrdr models undelete hand@1
    error: hand@1 is not deleted
    hint: `ktrdr models list --deleted` shows what was deleted
    exit 4

    $ ktrdr models list --deleted
    no version is deleted
    exit 0
    ") });
}

#[tokio::test]
async fn a_version_with_a_role_is_not_deleted() {
    let place = Place::new();
    store_hand(&place).await;

    let screens = screens(
        &place,
        &[
            "models promote hand@1 production",
            "models delete hand --all-versions",
            "models demote hand production",
            "models delete hand",
            "models delete hand",
            "models undelete hand",
        ],
    );

    insta::with_settings!({filters => FILTERS}, { insta::assert_snapshot!(screens, @"
    $ ktrdr models promote hand@1 production
    hand@1 is production
    exit 0

    $ ktrdr models delete hand --all-versions
    error: hand@1 is production, so nothing was deleted of it
    hint: `ktrdr models promote hand@OTHER production` or `ktrdr models demote hand production` first
    exit 5

    $ ktrdr models demote hand production
    no version of hand is production, which was version 1
    exit 0

    $ ktrdr models delete hand
    hand@1 is deleted
    1 version deleted; `ktrdr models undelete NAME@VERSION` undoes it within 7 days, and `ktrdr store gc` frees the space after them
    exit 0

    $ ktrdr models delete hand
    error: there is no model `hand`
    hint: this store has no model: `ktrdr train STRATEGY` makes one, `ktrdr doctor` shows which store is used, --set store.url=URL names another one
    exit 4

    $ ktrdr models undelete hand
    error: `hand` names no version
    hint: write NAME@3; `ktrdr models list --deleted` shows what was deleted
    exit 2
    ") });
}
