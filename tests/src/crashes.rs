//! Crashes between any two steps of the protocol, for any handler: what [`runtime`] promises to
//! every service, so that a new one is tested in a few lines.

use runtime::probe::Moment;
use runtime::{StepHandler, WorkerError};
use schemas::ids::OperationId;
use schemas::operation::NewOperation;

use crate::{Dies, Sandbox};

/// Every moment at which a worker may die, in the order in which an attempt comes to them.
pub const MOMENTS: [Moment; 6] = [
    Moment::Claimed,
    Moment::Done,
    Moment::Recorded,
    Moment::Announced,
    Moment::Continued,
    Moment::Acked,
];

impl Sandbox {
    /// Submits `request` once per moment. Each time a worker dies at that moment in the first step
    /// of its service, then another one goes on, and `check` is called to wait for the end and to
    /// look at it.
    ///
    /// Steps of other services need workers of their own, which the caller starts.
    pub async fn crash_everywhere<H: StepHandler>(
        &self,
        new_handler: impl Fn() -> H,
        request: &NewOperation,
        check: impl AsyncFn(&OperationId, Moment),
    ) {
        let _housekeeper = self.start_housekeeper().await;

        for moment in MOMENTS {
            let mut dying = self
                .run_with(new_handler(), |options| options.probe = Dies::at(moment))
                .await;
            let op = self.submit(request).await;
            assert!(
                matches!(dying.until_left().await, Err(WorkerError::Killed)),
                "it died at {moment:?}"
            );

            let successor = self.run(new_handler()).await;
            check(&op, moment).await;
            successor.kill();
        }
    }
}
