//! What was learnt of a gateway's contracts: it is asked once, whatever processes there are.

use std::sync::Arc;
use std::time::Duration;

use ibapi::contracts::Contract;
use market::{Instrument, SeriesKey, Utc};
use runtime::SharedMemory;
use serde::{Deserialize, Serialize};

use super::error::IbFailure;
use crate::learnt_spans::LearntSpans;
use crate::memos::{Learnt, Memos};

/// How long a contract is used without asking for it again.
const CONTRACT_HOLDS: Duration = Duration::from_secs(30 * 86_400);
/// How long "there is no such contract" holds.
const UNKNOWN_HOLDS: Duration = Duration::from_secs(3600);
/// How long the first bar of a series is believed to stay the first one.
const HEAD_HOLDS: Duration = Duration::from_secs(86_400);

/// Why there is no contract of an instrument.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Missing {
    Unknown { similar: Vec<String> },
    Ambiguous { candidates: Vec<String> },
}

/// Contracts, heads and spans of a provider.
pub struct IbMemory {
    contracts: Memos<Contract>,
    missing: Memos<Missing>,
    heads: Memos<Option<i64>>,
    /// The longest requests that it takes.
    pub(crate) spans: LearntSpans,
}

impl IbMemory {
    /// Of the provider of a name.
    pub fn new(memory: Arc<dyn SharedMemory>, name: &'static str) -> Self {
        let same = || Arc::clone(&memory);
        Self {
            contracts: Memos::new(same(), name, "contract", CONTRACT_HOLDS),
            missing: Memos::new(same(), name, "missing", UNKNOWN_HOLDS),
            heads: Memos::new(same(), name, "head", HEAD_HOLDS),
            spans: LearntSpans::new(memory, name),
        }
    }

    /// The contract of an instrument that was there once.
    pub(crate) async fn contract(&self, instrument: &Instrument) -> Option<Learnt<Contract>> {
        self.contracts.recall(&instrument.id()).await
    }

    /// Keeps the contract of an instrument.
    pub async fn keep_contract(&self, instrument: &Instrument, contract: &Contract) {
        self.contracts.keep(&instrument.id(), contract).await;
    }

    /// Why there was no contract of an instrument in the last hour.
    pub async fn missing(&self, instrument: &Instrument) -> Option<IbFailure> {
        let missing = self.missing.recall(&instrument.id()).await;
        let missing = missing.filter(|missing| missing.is_fresh)?;
        let instrument = instrument.spelling();

        Some(match missing.value {
            Missing::Unknown { similar } => IbFailure::UnknownSymbol {
                instrument,
                similar,
            },
            Missing::Ambiguous { candidates } => IbFailure::Ambiguous {
                instrument,
                candidates,
            },
        })
    }

    /// Keeps a failure that says that there is no one contract; any other says nothing about it.
    pub async fn keep_missing(&self, instrument: &Instrument, failure: &IbFailure) {
        let missing = match failure {
            IbFailure::UnknownSymbol { similar, .. } => Missing::Unknown {
                similar: similar.clone(),
            },
            IbFailure::Ambiguous { candidates, .. } => Missing::Ambiguous {
                candidates: candidates.clone(),
            },
            _ => return,
        };
        self.missing.keep(&instrument.id(), &missing).await;
    }

    /// The first instant of a series, as it was asked for in the last day; the inner one is absent
    /// if nobody can say.
    pub async fn head(&self, key: &SeriesKey) -> Option<Option<Utc>> {
        let head = self.heads.recall(&head_name(key)).await;
        let head = head.filter(|head| head.is_fresh)?;
        Some(head.value.map(Utc))
    }

    /// Keeps the first instant of a series.
    pub async fn keep_head(&self, key: &SeriesKey, head: Option<Utc>) {
        let micros = head.map(|head| head.0);
        self.heads.keep(&head_name(key), &micros).await;
    }
}

/// A head is the same in every timeframe.
fn head_name(key: &SeriesKey) -> String {
    format!("{} {:?} {:?}", key.instrument.id(), key.what, key.session)
}
