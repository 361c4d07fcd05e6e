//! Workers in the test's own process: any handler, with a probe that kills them at a named moment.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::Bus;
use runtime::probe::{Moment, Probe};
use runtime::{StepContext, StepError, StepHandler, WorkerError, WorkerOptions, serve};
use schemas::command::Work as _;
use schemas::commands::{DummyOutcome, RunDummy};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::waiting::patiently;
use crate::{Role, Sandbox};

/// Tests do not wait as long as people for what is tried again.
const RETRY_BASE: Duration = Duration::from_millis(20);

/// A worker of its own connection; killed when it is dropped.
pub struct Worker {
    shutdown: watch::Sender<bool>,
    task: Option<JoinHandle<Result<(), WorkerError>>>,
}

/// A housekeeper; killed when it is dropped.
pub struct Housekeeper {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sandbox {
    /// Runs a worker with one slot.
    pub async fn run<H: StepHandler>(&self, handler: H) -> Worker {
        self.run_with(handler, |_| {}).await
    }

    /// Runs a worker with other options.
    pub async fn run_with<H: StepHandler>(
        &self,
        handler: H,
        choose: impl FnOnce(&mut WorkerOptions),
    ) -> Worker {
        let service = Role::Service(H::Command::SERVICE.as_str());
        self.run_on(self.connect_as(service).await, handler, choose)
    }

    /// Runs a worker on this connection.
    pub fn run_on<H: StepHandler>(
        &self,
        bus: Bus,
        handler: H,
        choose: impl FnOnce(&mut WorkerOptions),
    ) -> Worker {
        let mut options = WorkerOptions::new(H::Command::SERVICE);
        options.retry.base = RETRY_BASE;
        choose(&mut options);

        let (shutdown, shutdown_requested) = watch::channel(false);
        let task = tokio::spawn(serve(
            bus,
            self.store().clone(),
            handler,
            options,
            shutdown_requested,
        ));
        Worker {
            shutdown,
            task: Some(task),
        }
    }

    /// Does the housekeeping, as `ktrdr up` does.
    pub async fn start_housekeeper(&self) -> Housekeeper {
        self.keep_house_on(self.connect().await)
    }

    /// Does the housekeeping on this connection.
    pub fn keep_house_on(&self, bus: Bus) -> Housekeeper {
        let (stop, stop_requested) = watch::channel(false);
        let owner = format!("test-{:08x}", rand::random::<u32>());
        let housekeeper =
            runtime::run_housekeeper(bus, self.store().clone(), owner, stop_requested);

        Housekeeper {
            stop,
            task: tokio::spawn(housekeeper),
        }
    }
}

impl Worker {
    /// Ends it as SIGTERM would; returns when it has left.
    pub async fn shut_down(mut self) -> Result<(), WorkerError> {
        self.shutdown.send_replace(true);
        self.until_left().await
    }

    /// Waits until it leaves by itself: drained, or killed by its probe.
    pub async fn until_left(&mut self) -> Result<(), WorkerError> {
        match self.task.take() {
            Some(task) => patiently("the end of a worker", task)
                .await
                .expect("the worker did not panic"),
            None => Ok(()),
        }
    }

    /// Ends it in the middle of whatever it does, without signing off.
    pub fn kill(mut self) {
        self.abort();
    }

    fn abort(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.abort();
    }
}

impl Housekeeper {
    /// Ends it without giving the lease back.
    pub fn kill(self) {
        self.task.abort();
    }

    /// Ends it in order.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        patiently("the end of a housekeeper", &mut self.task)
            .await
            .expect("the housekeeper did not panic");
    }
}

impl Drop for Housekeeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Kills its worker the first time that it comes to a moment.
pub struct Dies {
    moment: Moment,
    is_due: AtomicBool,
}

impl Dies {
    /// Kills it at this moment, once.
    pub fn at(moment: Moment) -> Arc<Self> {
        Arc::new(Self {
            moment,
            is_due: AtomicBool::new(true),
        })
    }
}

impl Probe for Dies {
    fn dies_at(&self, moment: Moment) -> bool {
        moment == self.moment && self.is_due.swap(false, Ordering::SeqCst)
    }
}

/// A handler of the dummy's command made of a closure.
pub struct Act<F>(pub F);

impl<F, Done> StepHandler for Act<F>
where
    F: Fn(RunDummy, StepContext) -> Done + Send + Sync + 'static,
    Done: Future<Output = Result<DummyOutcome, StepError>> + Send,
{
    type Command = RunDummy;

    fn handle(
        &self,
        command: RunDummy,
        step: &StepContext,
    ) -> impl Future<Output = Result<DummyOutcome, StepError>> + Send {
        (self.0)(command, step.clone())
    }
}
