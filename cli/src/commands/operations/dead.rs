//! `ktrdr ops dead`: commands that could not be carried out, and what may become of them.

use bus::{Bus, BusError, Stored, StoredLetter};
use clap::{Args, Subcommand};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use schemas::codes;
use schemas::errors::shortened;
use schemas::ids::OperationId;
use schemas::messages::{CommandMessage, DeadLetter};
use schemas::operation::{OperationState, Said};
use schemas::subjects::CommandAddress;
use serde_json::json;

use crate::console::durations::instant;
use crate::console::{Exit, Failure, count_of, extended, print_pairs};
use crate::context::Context;

const HEADS: [&str; 7] = [
    "NUMBER",
    "TIME",
    "OPERATION",
    "STATE",
    "STEP",
    "CODE",
    "REASON",
];
/// Records on their way at once.
const REQUESTS_MAX: usize = 16;
/// Characters of a reason in the list; `show` has all of it.
const REASON_CHARS_MAX: usize = 80;

/// `ktrdr ops dead`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct DeadArgs {
    /// The command; list when absent.
    #[command(subcommand)]
    command: Option<DeadCommand>,
}

/// `ktrdr ops dead …`.
#[derive(Debug, Subcommand)]
enum DeadCommand {
    /// List the commands that could not be carried out, oldest first
    List,
    /// Show one with its reason, its command, and how often it was delivered
    Show(OneLetter),
    /// Resume the operations of these letters, or submit them where there is no record, and delete
    /// the letters
    Requeue(Letters),
    /// Delete these letters; their operations stay as they are
    Drop(DroppedLetters),
}

/// The number of one letter.
#[derive(Debug, Args)]
struct OneLetter {
    /// Number of the letter, as `ktrdr ops dead list` shows it
    #[arg(value_name = "NUMBER")]
    number: u64,
}

/// The numbers of some letters, or all.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
struct Letters {
    /// Numbers of the letters, as `ktrdr ops dead list` shows them
    #[arg(value_name = "NUMBER", group = "which")]
    numbers: Vec<u64>,
    /// All letters that there are
    #[arg(long, group = "which")]
    all: bool,
}

/// The letters to delete.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
struct DroppedLetters {
    /// Numbers of the letters, as `ktrdr ops dead list` shows them
    #[arg(value_name = "NUMBER", group = "which")]
    numbers: Vec<u64>,
    /// All letters that there are
    #[arg(long, group = "which")]
    all: bool,
    /// The letters of operations that have completed since, after a resume
    #[arg(long, group = "which")]
    completed: bool,
}

/// A letter, and the state of its operation now.
struct LetterNow {
    stored: StoredLetter,
    /// None where the letter names no operation, or one without a record that can be read.
    state: Option<OperationState>,
}

/// Runs the command.
///
/// # Errors
/// The server cannot be asked, or there is no such letter.
pub(super) async fn run(args: &DeadArgs, context: &Context) -> Result<Exit, Failure> {
    let bus = context.bus().await?;
    match &args.command {
        None | Some(DeadCommand::List) => list(context, &bus).await,
        Some(DeadCommand::Show(args)) => show(args.number, context, &bus).await,
        Some(DeadCommand::Requeue(args)) => requeue(args, context, &bus).await,
        Some(DeadCommand::Drop(args)) => drop_letters(args, context, &bus).await,
    }
}

async fn list(context: &Context, bus: &Bus) -> Result<Exit, Failure> {
    let output = &context.output;
    let letters = read_letters(bus).await?;
    let mut unreadable = bus.dead_letters().numbers().await?;
    unreadable.retain(|number| !letters.iter().any(|each| each.stored.number == *number));
    if letters.is_empty() && unreadable.is_empty() {
        output.note("No dead letters");
        return Ok(Exit::Done);
    }

    let mut rows = Vec::with_capacity(letters.len());
    for each in &letters {
        output.json(&letter_json(each));
        rows.push(letter_row(each));
    }
    for number in unreadable {
        output.json(&json!({"type": "dead_letter", "number": number, "op": null}));
        rows.push(unreadable_row(number));
    }
    output.table_with_remarks(&HEADS, &rows);
    output.note("`ktrdr ops dead show NUMBER` shows one, `requeue NUMBER` tries it again");
    if letters.iter().any(LetterNow::is_over) {
        output.note("`ktrdr ops dead drop --completed` deletes those of completed operations");
    }
    Ok(Exit::Done)
}

/// All letters that can be read, each with what has become of its operation.
async fn read_letters(bus: &Bus) -> Result<Vec<LetterNow>, Failure> {
    let letters = bus.dead_letters().list().await?;
    let letters = stream::iter(letters).map(|stored| with_state(stored, bus));
    letters.buffered(REQUESTS_MAX).try_collect().await
}

async fn with_state(stored: StoredLetter, bus: &Bus) -> Result<LetterNow, Failure> {
    let record = match operation_of(&stored.letter) {
        Some(op) => bus.operations().get(&op).await,
        None => Ok(None),
    };

    let state = match record {
        Ok(record) => record.map(|stored| stored.record.state),
        // It may be the very reason of the letter.
        Err(BusError::UnreadableRecord { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(LetterNow { stored, state })
}

impl LetterNow {
    /// True for a letter whose operation was resumed, and has completed.
    fn is_over(&self) -> bool {
        self.state == Some(OperationState::Completed)
    }
}

fn letter_json(each: &LetterNow) -> serde_json::Value {
    let letter = &each.stored.letter;
    let fields = [
        ("type", json!("dead_letter")),
        ("number", json!(each.stored.number)),
        ("op", json!(operation_of(letter))),
        ("state", json!(each.state)),
    ];
    extended(letter, fields)
}

fn letter_row(each: &LetterNow) -> Vec<String> {
    let letter = &each.stored.letter;
    let address = CommandAddress::parse(&letter.subject).ok();
    let missing = || "-".to_owned();

    vec![
        each.stored.number.to_string(),
        instant(letter.at),
        operation_of(letter).map_or_else(missing, |op| op.to_string()),
        each.state.map_or_else(missing, |state| state.to_string()),
        address.map_or_else(missing, |address| {
            format!("{} {}", address.step, address.service)
        }),
        letter.error.code.clone(),
        shortened(&letter.error.message, REASON_CHARS_MAX),
    ]
}

fn unreadable_row(number: u64) -> Vec<String> {
    let missing = || "-".to_owned();
    vec![
        number.to_string(),
        missing(),
        missing(),
        missing(),
        missing(),
        missing(),
        format!("cannot be read; `ktrdr ops dead drop {number}` deletes it"),
    ]
}

/// The operation that the subject of the command names.
fn operation_of(letter: &DeadLetter) -> Option<OperationId> {
    CommandAddress::parse(&letter.subject)
        .ok()
        .map(|address| address.op)
}

async fn show(number: u64, context: &Context, bus: &Bus) -> Result<Exit, Failure> {
    let output = &context.output;
    let each = with_state(find(number, bus).await?, bus).await?;
    let letter = &each.stored.letter;
    output.json(&letter_json(&each));

    let command = if letter.command.is_null() {
        format!("unreadable, it begins with {}", letter.payload_hex)
    } else {
        letter.command.to_string()
    };
    let mut facts = vec![
        ("number", number.to_string()),
        ("time", instant(letter.at)),
        ("subject", letter.subject.clone()),
        ("state", state_text(&each)),
        ("reason", letter.error.to_string()),
        ("delivered", count_of(times(letter.deliveries), "time")),
        ("command", command),
    ];
    if !letter.error.hint.is_empty() {
        facts.push(("hint", letter.error.hint.clone()));
    }
    let pairs: Vec<(String, String)> = facts
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect();
    print_pairs(output, &pairs);
    Ok(Exit::Done)
}

/// The state of the operation that the letter names.
fn state_text(each: &LetterNow) -> String {
    let state = each.state.map(|state| format!("the operation is {state}"));
    state.unwrap_or_else(|| "there is no operation that can be read".to_owned())
}

fn times(deliveries: u64) -> usize {
    usize::try_from(deliveries).unwrap_or(usize::MAX)
}

async fn find(number: u64, bus: &Bus) -> Result<StoredLetter, Failure> {
    match bus.dead_letters().get(number).await {
        Ok(Some(stored)) => Ok(stored),
        Ok(None) => Err(no_letter(number)),
        Err(error @ BusError::Codec(_)) => Err(unreadable(number, error)),
        Err(error) => Err(error.into()),
    }
}

fn no_letter(number: u64) -> Failure {
    let message = format!("there is no dead letter {number}");
    Failure::new(Exit::NotFound, codes::OPS_NOT_FOUND, message)
        .with_hint("`ktrdr ops dead list` shows the letters that exist")
}

fn unreadable(number: u64, error: BusError) -> Failure {
    let cause = Failure::from(error);
    Failure {
        causes: [vec![cause.message], cause.causes].concat(),
        message: format!("the dead letter {number} cannot be read"),
        hint: format!("`ktrdr ops dead drop {number}` deletes it"),
        ..cause
    }
}

/// What was done with a letter.
struct Handled {
    /// The operation that it names; none where that cannot be read.
    op: Option<OperationId>,
    /// In one word: `resumed`, `submitted` or `deleted`.
    done: &'static str,
}

impl Handled {
    fn text(&self, number: u64) -> String {
        match &self.op {
            Some(op) => format!("letter {number}: {} {op}", self.done),
            None => format!("letter {number}: {}", self.done),
        }
    }

    fn json(&self, number: u64) -> serde_json::Value {
        json!({
            "type": "result",
            "number": number,
            "op": self.op,
            "done": self.done,
            "exit": 0,
        })
    }
}

/// Does `act` with each letter; the exit code is that of the worst failure.
async fn each_letter(
    numbers: Vec<u64>,
    context: &Context,
    act: impl AsyncFn(u64) -> Result<Handled, Failure>,
) -> Result<Exit, Failure> {
    let output = &context.output;
    let mut exit = Exit::Done;

    for number in numbers {
        match act(number).await {
            Ok(handled) => {
                output.json(&handled.json(number));
                output.line(&handled.text(number));
            }
            Err(failure) => {
                output.failure(&failure);
                exit = exit.worse(failure.exit);
            }
        }
    }
    Ok(exit)
}

async fn requeue(args: &Letters, context: &Context, bus: &Bus) -> Result<Exit, Failure> {
    let person = context.person()?;
    let numbers = match args.all {
        true => bus.dead_letters().numbers().await?,
        false => args.numbers.clone(),
    };

    each_letter(numbers, context, async |number| {
        let stored = find(number, bus).await?;
        let handled = requeue_one(&stored, &person, bus).await?;
        // Only now: a letter whose operation is not on its queue must not be lost.
        bus.dead_letters().delete(number).await?;
        Ok(handled)
    })
    .await
}

async fn requeue_one(stored: &StoredLetter, person: &str, bus: &Bus) -> Result<Handled, Failure> {
    let number = stored.number;
    let Some(op) = operation_of(&stored.letter) else {
        return Err(cannot_requeue(number, "its subject names no operation"));
    };

    let Some(Stored { record, .. }) = bus.operations().get(&op).await? else {
        return submit(stored, &op, bus).await;
    };
    match record.state {
        OperationState::Failed | OperationState::Cancelled => {
            let said = Said {
                by: Some(person.to_owned()),
                reason: Some(format!("dead letter {number} requeued")),
            };
            bus.operations().resume_as(&op, &said).await?;
            Ok(Handled {
                op: Some(op),
                done: "resumed",
            })
        }
        state => {
            let reason = format!("operation {op} is {state}");
            Err(cannot_requeue(number, &reason).about(&op))
        }
    }
}

/// Submits the operation that the command carries: nothing of it was recorded.
async fn submit(stored: &StoredLetter, op: &OperationId, bus: &Bus) -> Result<Handled, Failure> {
    let number = stored.number;
    let command = serde_json::from_value::<CommandMessage>(stored.letter.command.clone());
    let operation = command.ok().and_then(|command| command.operation);
    let Some(operation) = operation else {
        let reason = format!("there is no record of {op}, and the command does not carry it");
        return Err(cannot_requeue(number, &reason));
    };

    bus.operations()
        .submit_after_rejection(op, &operation)
        .await?;
    Ok(Handled {
        op: Some(op.clone()),
        done: "submitted",
    })
}

fn cannot_requeue(number: u64, reason: &str) -> Failure {
    let message = format!("letter {number} cannot be requeued: {reason}");
    Failure::new(Exit::Refused, codes::OPS_NOT_RESUMABLE, message)
        .with_hint(format!("`ktrdr ops dead drop {number}` deletes it"))
}

async fn drop_letters(
    args: &DroppedLetters,
    context: &Context,
    bus: &Bus,
) -> Result<Exit, Failure> {
    let numbers = match (args.all, args.completed) {
        (true, _) => bus.dead_letters().numbers().await?,
        (false, true) => numbers_of_completed(context, bus).await?,
        (false, false) => args.numbers.clone(),
    };
    each_letter(numbers, context, async |number| drop_one(number, bus).await).await
}

/// The letters whose operations have completed since.
async fn numbers_of_completed(context: &Context, bus: &Bus) -> Result<Vec<u64>, Failure> {
    let letters = read_letters(bus).await?;
    let over = letters.iter().filter(|each| each.is_over());
    let numbers: Vec<u64> = over.map(|each| each.stored.number).collect();

    if numbers.is_empty() {
        let note = "No dead letter is of an operation that has completed";
        context.output.note(note);
    }
    Ok(numbers)
}

/// Deletes a letter; also one that cannot be read.
async fn drop_one(number: u64, bus: &Bus) -> Result<Handled, Failure> {
    let op = match bus.dead_letters().get(number).await {
        Ok(Some(stored)) => operation_of(&stored.letter),
        Ok(None) => return Err(no_letter(number)),
        Err(BusError::Codec(_)) => None,
        Err(error) => return Err(error.into()),
    };

    bus.dead_letters().delete(number).await?;
    Ok(Handled {
        op,
        done: "deleted",
    })
}
