//! What every backend must do: the same specifications run on a folder, in memory, and on an S3
//! server.

mod aliases;
mod calendars;
mod data_sets;
pub(crate) mod models;
pub(crate) mod names;
mod probe;
mod removal;
mod series;

use std::future::Future;

use market::Utc;
use store::Store;

use crate::s3_server::{S3Server, empty_store};

/// Runs a specification on an empty store of each kind.
fn on_every_store<F: Future<Output = ()>>(specification: impl Fn(Store) -> F) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder_url = format!("file://{}/new/store", folder.path().display());

    runtime.block_on(async {
        for store in [
            Store::open(&folder_url).await.unwrap(),
            Store::open("memory:///").await.unwrap(),
            empty_store(&S3Server::shared().endpoint).await,
        ] {
            // Shown when the specification fails.
            println!("{}", store.url());
            specification(store).await;
        }
    });
}

fn utc(text: &str) -> Utc {
    Utc::from_timestamp(text.parse().unwrap())
}
