//! Requests that a provider turned out not to take although they were short enough by its
//! documents: later runs begin with shorter ones, whichever process made them.
//!
//! Kept where limits are kept rather than with durations of steps: it belongs to a provider and
//! not to a kind of step, and is forgotten after 30 days, so that a provider which has become
//! better is asked for more again.

use std::sync::Arc;
use std::time::Duration;

use market::Timeframe;
use runtime::SharedMemory;

use crate::memos::Memos;

/// How long a span that was learnt holds.
const HOLDS: Duration = Duration::from_secs(30 * 86_400);

/// The longest requests that a provider takes, by timeframe, in microseconds.
pub(crate) struct LearntSpans(Memos<i64>);

impl LearntSpans {
    pub(crate) const fn new(memory: Arc<dyn SharedMemory>, provider: &'static str) -> Self {
        Self(Memos::new(memory, provider, "span", HOLDS))
    }

    /// Reads what other processes have learnt of a timeframe.
    pub(crate) async fn read(&self, timeframe: Timeframe) {
        self.0.recall(&timeframe.to_string()).await;
    }

    /// The longest request, of those that the provider should take by its documents. What others
    /// have learnt counts after [`Self::read`].
    pub(crate) fn limit(&self, timeframe: Timeframe, span_max: Option<i64>) -> Option<i64> {
        let learnt = self.0.look_here(&timeframe.to_string());
        let learnt = learnt.filter(|learnt| learnt.is_fresh && learnt.value > 0);
        match (learnt, span_max) {
            (Some(learnt), Some(span_max)) => Some(learnt.value.min(span_max)),
            (Some(learnt), None) => Some(learnt.value),
            (None, span_max) => span_max,
        }
    }

    /// Notes that a request of this span was taken after a longer one was not.
    pub(crate) async fn learn(&self, timeframe: Timeframe, span: i64) {
        if self.limit(timeframe, None).is_none_or(|limit| span < limit) {
            self.0.keep(&timeframe.to_string(), &span).await;
        }
    }
}
