//! Every subject, stream, bucket and consumer name, as functions of typed ids. Written here and
//! nowhere else.

use crate::acts::Deed;
use crate::ids::{InvalidId, Lane, OperationId, Service, StepNumber, WorkerId};
use crate::schedules::ScheduleName;

/// Work queue of commands.
pub const COMMANDS: &str = "KTRDR_COMMANDS";
/// Cancel requests: the durable flag.
pub const CONTROL: &str = "KTRDR_CONTROL";
/// Stream of life-cycle events.
pub const EVENTS: &str = "KTRDR_EVENTS";
/// Progress, the newest 512 records of each step.
pub const PROGRESS: &str = "KTRDR_PROGRESS";
/// Commands that could not be carried out, with the reason.
pub const DEAD: &str = "KTRDR_DEAD";
/// The instants at which schedules are due: messages that the server keeps until then.
pub const SCHEDULE_TIMERS: &str = "KTRDR_SCHEDULES";

/// Operation records, the only truth about state.
pub const OPERATIONS: &str = "ktrdr_operations";
/// A superset of the operations that have not been concluded.
pub const ACTIVE: &str = "ktrdr_active";
/// Workers that are alive.
pub const WORKERS: &str = "ktrdr_workers";
/// Leases, such as who does the housekeeping.
pub const LEASES: &str = "ktrdr_leases";

/// How long steps have taken.
pub const TIMINGS: &str = "ktrdr_timings";

/// What the processes that ask one provider remember together.
pub const PACING: &str = "ktrdr_pacing";

/// Schedules by their names, the only truth about them.
pub const SCHEDULES: &str = "ktrdr_schedules";

/// Filter of all commands.
pub const ALL_COMMANDS: &str = "ktrdr.cmd.>";
/// Filter of all cancel requests.
pub const ALL_CANCELS: &str = "ktrdr.control.cancel.*";
/// Filter of all events.
pub const ALL_EVENTS: &str = "ktrdr.event.>";
/// Filter of what people have removed and sent away; kept with the events.
pub const ALL_ACTS: &str = "ktrdr.event.act.*";
/// Filter of the events that report a claim.
pub const ALL_STARTS: &str = "ktrdr.event.*.*.*.started";
/// Filter of all progress.
pub const ALL_PROGRESS: &str = "ktrdr.progress.>";
/// Filter of all dead letters.
pub const ALL_DEAD: &str = "ktrdr.dead.>";
/// Filter of everything that the server keeps for schedules.
pub const ALL_SCHEDULES: &str = "ktrdr.schedule.>";
/// Filter of the messages that say which schedules are due.
pub const ALL_DUE: &str = "ktrdr.schedule.due.*";
/// The durable consumer that housekeepers share, of the schedules that are due.
pub const DUE_CONSUMER: &str = "schedules_due";
/// Filter of all signs of life.
pub const ALL_ALIVE: &str = "ktrdr.alive.*";

/// The subject of one command.
pub fn command(service: Service, lane: Lane, op: &OperationId, step: StepNumber) -> String {
    format!("ktrdr.cmd.{service}.{lane}.{op}.{step}")
}

/// All commands of one queue.
pub fn commands_of(service: Service, lane: Lane) -> String {
    commands_of_any(&format!("{service}.{lane}"))
}

/// All commands of a queue that need not exist, named as `<service>.<lane>`.
pub fn commands_of_any(queue: &str) -> String {
    format!("ktrdr.cmd.{queue}.>")
}

/// The queue that the subject of a command names, as `<service>.<lane>`, if nobody can read it
/// because there is no such service or no such lane.
pub fn unknown_queue(subject: &str) -> Option<String> {
    let tokens: Vec<&str> = subject.split('.').skip(2).collect();
    let exists = match tokens.as_slice() {
        [service, lane, _, ..] => {
            service.parse::<Service>().is_ok() && lane.parse::<Lane>().is_ok()
        }
        _ => false,
    };

    let mut names = tokens;
    names.truncate(2);
    (!exists).then(|| names.join("."))
}

/// The durable consumer that workers of a queue share.
pub fn consumer(service: Service, lane: Lane) -> String {
    format!("{service}_{lane}")
}

/// The cancel request of one operation.
pub fn cancel(op: &OperationId) -> String {
    format!("ktrdr.control.cancel.{op}")
}

/// What a person removes or sends away.
pub fn act(deed: Deed) -> String {
    format!("ktrdr.event.act.{}", deed.as_str())
}

/// Asks one worker to take nothing new.
pub fn drain(worker: &WorkerId) -> String {
    format!("ktrdr.control.drain.{worker}")
}

/// Signs of life of one worker.
pub fn alive(worker: &WorkerId) -> String {
    format!("ktrdr.alive.{worker}")
}

/// One event of one step; `what` is [`crate::events::What::as_str`].
pub fn event(service: Service, op: &OperationId, step: StepNumber, what: &str) -> String {
    format!("ktrdr.event.{service}.{op}.{step}.{what}")
}

/// All events of one operation.
pub fn events_of(op: &OperationId) -> String {
    format!("ktrdr.event.*.{op}.>")
}

/// Progress of one step.
pub fn progress(service: Service, op: &OperationId, step: StepNumber) -> String {
    format!("ktrdr.progress.{service}.{op}.{step}")
}

/// Progress of all steps of one operation.
pub fn progress_of(op: &OperationId) -> String {
    format!("ktrdr.progress.*.{op}.*")
}

/// Everything that is published about the steps of one operation, but for its commands.
pub fn all_of(op: &OperationId) -> String {
    format!("ktrdr.*.*.{op}.>")
}

/// Filter of the marks that are put and removed as operations begin and end.
pub fn all_marks() -> String {
    format!("$KV.{ACTIVE}.>")
}

/// Dead letters of one step.
pub fn dead(service: Service, op: &OperationId, step: StepNumber) -> String {
    format!("ktrdr.dead.{service}.{op}.{step}")
}

/// Dead letters of commands whose subject itself cannot be read.
pub fn dead_unreadable(service: Service) -> String {
    format!("ktrdr.dead.{service}.unreadable.0")
}

/// Where the server keeps the next instant of a schedule.
pub fn schedule_timer(name: &ScheduleName) -> String {
    format!("ktrdr.schedule.timer.{name}")
}

/// Where the server says that a schedule is due.
pub fn schedule_due(name: &ScheduleName) -> String {
    format!("ktrdr.schedule.due.{name}")
}

/// The group of a service's own endpoints.
pub fn service_group(service: Service) -> String {
    format!("ktrdr.svc.{service}")
}

/// Name under which a service registers with the services API.
pub fn service_name(service: Service) -> String {
    format!("ktrdr-{service}")
}

/// Key of an operation's record: the day inside the id first, a pure function of it. A child has a
/// token more, which a filter without the children of large families leaves out.
pub fn operation_key(op: &OperationId) -> String {
    let day = op.day();
    if op.is_child() {
        format!("{day}.child.{op}")
    } else {
        format!("{day}.{op}")
    }
}

/// Filter of the records of one day, `yyyymmdd`, but for those of children.
pub fn records_without_children(day: &str) -> String {
    format!("$KV.{OPERATIONS}.{day}.*")
}

/// Key of the durations of steps that are alike.
pub fn timing_key(service: Service, verb: &str, size: &str, device: &str) -> String {
    format!("{service}.{verb}.{size}.{device}")
}

/// Message id of a command: inside the duplicate window the same submission is stored once.
pub fn command_id(op: &OperationId, step: StepNumber, submission: u32) -> String {
    format!("{op}.{step}.{submission}")
}

/// The tokens of a command's subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandAddress {
    /// The service that handles it.
    pub service: Service,
    /// The queue of that service that it is in.
    pub lane: Lane,
    /// The operation it is about.
    pub op: OperationId,
    /// The step it is about.
    pub step: StepNumber,
}

impl CommandAddress {
    /// Reads a subject `ktrdr.cmd.<service>.<lane>.<op>.<n>`.
    pub fn parse(subject: &str) -> Result<Self, InvalidId> {
        let tokens: Vec<&str> = subject.split('.').collect();

        // A wrong token makes an error that says which kind of token was expected.
        match tokens.as_slice() {
            ["ktrdr", "cmd", service, lane, op, step] => Ok(Self {
                service: service.parse()?,
                lane: lane.parse()?,
                op: op.parse()?,
                step: step.parse()?,
            }),
            _ => Err(InvalidId {
                what: "command subject",
                text: subject.to_owned(),
                expected: "ktrdr.cmd.<service>.<lane>.<operation>.<step>",
            }),
        }
    }

    /// The subject again.
    pub fn subject(&self) -> String {
        command(self.service, self.lane, &self.op, self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_subject_reads_back() {
        let subject = "ktrdr.cmd.trainer.gpu.op_train_20260301_142233_9f3a01bc.4";
        let address = CommandAddress::parse(subject).unwrap();
        assert_eq!(
            (address.service, address.lane, address.step.get()),
            (Service::Trainer, Lane::Gpu, 4)
        );
        assert_eq!(address.subject(), subject);
        assert_eq!(
            operation_key(&address.op),
            "20260301.op_train_20260301_142233_9f3a01bc"
        );

        let child = address.op.child("train", 0).unwrap();
        assert_eq!(
            operation_key(&child),
            "20260301.child.op_train_20260301_142233_ff3a01bd"
        );
    }

    #[test]
    fn a_command_of_a_service_that_does_not_exist_is_in_no_queue() {
        let queue = |subject| unknown_queue(subject);

        assert_eq!(
            queue("ktrdr.cmd.baker.default.op.1").unwrap(),
            "baker.default"
        );
        assert_eq!(
            queue("ktrdr.cmd.trainer.night.op.1").unwrap(),
            "trainer.night"
        );
        assert_eq!(queue("ktrdr.cmd.trainer.gpu").unwrap(), "trainer.gpu");
        // What else is wrong with it, the service says.
        assert_eq!(queue("ktrdr.cmd.trainer.gpu.nonsense"), None);
    }

    #[test]
    fn a_subject_with_an_unknown_token_names_it() {
        let error =
            CommandAddress::parse("ktrdr.cmd.baker.default.op_train_20260301_142233_9f3a01bc.4")
                .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`baker` is not a valid service: \
             expected fetcher, validator, processor, trainer, registry, family or dummy"
        );
    }
}
