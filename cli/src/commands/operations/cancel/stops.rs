//! Waits until operations that were asked to stop have stopped.

use std::time::{Duration, Instant};

use bus::Bus;
use schemas::codes;
use schemas::ids::OperationId;
use schemas::operation::{OperationRecord, OperationState};

use crate::console::{Exit, Failure, Interrupts, Output, count_of};
use crate::context::Context;
use crate::watch::{Ended, Screen, StepProgress, WatchOptions, Watched, report, watch};

/// Waits for the stop of all operations, for `timeout` altogether. A signal ends the waiting; the
/// exit code is that of the worst end. What fails for one operation is printed at once.
///
/// # Errors
/// This host does not let the program handle signals.
pub(super) async fn wait_for_stops(
    context: &Context,
    bus: &Bus,
    ops: &[OperationId],
    timeout: Option<Duration>,
) -> Result<Exit, Failure> {
    // Only now: until here a signal ends the program, as it does everywhere.
    let mut interrupts = Interrupts::listen()?;
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    tracing::info!(operations = ops.len(), "waiting for the stop");

    // One after the other: all of them stop meanwhile.
    let mut exit = Exit::Done;
    for (index, op) in ops.iter().enumerate() {
        let watched = watch_one(context, bus, &mut interrupts, op, deadline).await;
        let signal = match &watched {
            Ok(watched) => exit_of_signal(&watched.ended),
            Err(_) => None,
        };
        if let Some(signal) = signal {
            print_left(&context.output, op, ops.len() - index);
            return Ok(signal);
        }

        let stopped = watched.and_then(|watched| report_stop(context, op, &watched));
        if let Err(failure) = stopped {
            context.output.failure(&failure);
            exit = exit.worse(failure.exit);
        }
    }
    Ok(exit)
}

/// Watches without a screen: only the end matters to somebody who wants an operation stopped.
async fn watch_one(
    context: &Context,
    bus: &Bus,
    interrupts: &mut Interrupts,
    op: &OperationId,
    deadline: Option<Instant>,
) -> Result<Watched, Failure> {
    let time_left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if time_left == Some(Duration::ZERO) {
        return look_once(bus, op).await;
    }

    let quiet = Output {
        quiet: true,
        live: false,
        ..context.output.clone()
    };
    let options = WatchOptions {
        wait_timeout: time_left,
        ..WatchOptions::default()
    };
    let mut screen = Screen::new(&quiet);
    watch(context, bus, interrupts, op, options, &mut screen).await
}

/// How an operation has ended meanwhile, once the time is over.
async fn look_once(bus: &Bus, op: &OperationId) -> Result<Watched, Failure> {
    let stored = bus.operations().get(op).await?;
    let ended = stored.filter(|stored| stored.record.state.is_terminal());
    Ok(Watched {
        ended: match ended {
            Some(stored) => Ended::Reached(Box::new(stored.record)),
            None => Ended::TimedOut,
        },
        progress: StepProgress::new(),
    })
}

/// The exit code of a signal; none where none ended the waiting.
fn exit_of_signal(ended: &Ended) -> Option<Exit> {
    match ended {
        Ended::Detached | Ended::Abandoned { .. } => Some(Exit::Cancelled),
        Ended::Terminated => Some(Exit::Terminated),
        Ended::Reached(_) | Ended::TimedOut => None,
    }
}

fn print_left(output: &Output, op: &OperationId, count: usize) {
    let look_again = match count {
        1 => format!("ktrdr status {op}"),
        _ => "ktrdr ops --active".to_owned(),
    };
    output.note(&format!(
        "No longer waiting for {}, which the server has been asked to stop. Look again: \
         {look_again}",
        count_of(count, "operation")
    ));
}

fn report_stop(context: &Context, op: &OperationId, watched: &Watched) -> Result<(), Failure> {
    if let Ended::Reached(record) = &watched.ended
        && record.state != OperationState::Cancelled
    {
        return Err(ended_before(record));
    }

    // A confirmed stop is what was asked for: it is a success of `cancel`.
    report(context, op, watched)?;
    Ok(())
}

fn ended_before(record: &OperationRecord) -> Failure {
    let OperationRecord { op, state, .. } = record;
    let message = format!("Operation {op} was {state} before it saw the cancel");
    Failure::new(Exit::Refused, codes::OPS_CANCEL_FAILED, message)
        .with_hint(format!("`ktrdr status {op}` shows how it ended"))
        .about(op)
}
