//! `ktrdr tap`: progress, events and whatever else passes on the bus, decoded, as it comes.

use std::str::FromStr;

use bus::TappedMessage;
use clap::Args;
use futures::StreamExt as _;
use jiff::Timestamp;
use schemas::codec;
use schemas::events::Event;
use schemas::progress::ProgressRecord;
use schemas::subjects;
use serde_json::{Value, json};

use crate::arguments::OperationArg;
use crate::console::{Exit, Failure, Interrupts, Output};
use crate::context::Context;
use crate::inputs::operations::find_operation;
use crate::watch::{event_text, progress_text};

/// `ktrdr tap`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TapArgs {
    /// An operation, or subjects with `*` for a token and `>` for the rest, as in ktrdr.event.>
    #[arg(value_name = "OP|PATTERN")]
    target: TapTarget,
    /// End after this many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// What is listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TapTarget {
    /// Everything about one operation.
    Operation(OperationArg),
    /// All subjects of a pattern.
    Pattern(String),
}

impl FromStr for TapTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains(['.', '*', '>']) {
            return text.parse().map(Self::Operation);
        }

        // The server would end the connection for an invalid subject.
        let is_token = |token: &str| !token.is_empty() && !token.contains(char::is_whitespace);
        let rest_is_last = text.find('>').is_none_or(|at| at + 1 == text.len());
        if text.split('.').all(is_token) && rest_is_last {
            Ok(Self::Pattern(text.to_owned()))
        } else {
            Err(format!(
                "expected tokens between dots, as in {}",
                subjects::ALL_EVENTS
            ))
        }
    }
}

/// Prints one line per message until Ctrl+C.
///
/// # Errors
/// There is no such operation, or the server cannot be asked.
pub(crate) async fn run(args: &TapArgs, context: &Context) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let bus = context.bus().await?;
    let pattern = match &args.target {
        TapTarget::Pattern(pattern) => pattern.clone(),
        TapTarget::Operation(arg) => subjects::all_of(&find_operation(&bus, arg).await?),
    };

    let mut messages = bus.connection().tap(&pattern).await?;
    context
        .output
        .note(&format!("Listening to {pattern}; Ctrl+C ends it"));
    let mut remaining = args.count;
    while remaining != Some(0) {
        tokio::select! {
            biased;
            interrupt = interrupts.next() => return Ok(interrupt.exit_of_look()),
            message = messages.next() => match message {
                Some(message) => print_message(&context.output, &message),
                None => return Ok(Exit::Done),
            },
        }
        remaining = remaining.map(|remaining| remaining - 1);
    }
    Ok(Exit::Done)
}

fn print_message(output: &Output, message: &TappedMessage) {
    if output.json {
        output.json(&json!({
            "type": "message",
            "subject": message.subject,
            "message": value_of(message),
        }));
    } else {
        output.line(&line_of(message));
    }
}

/// The payload as JSON; text where it is neither JSON nor MessagePack, nothing where it is empty.
fn value_of(message: &TappedMessage) -> Value {
    if message.payload.is_empty() {
        return Value::Null;
    }
    codec::to_json(&message.payload)
        .unwrap_or_else(|_| String::from_utf8_lossy(&message.payload).into())
}

/// The message in words where its subject says what it is, else the subject with the payload.
fn line_of(message: &TappedMessage) -> String {
    let kind = message.subject.split('.').nth(1).unwrap_or_default();
    let payload = &message.payload;

    let text = match kind {
        "progress" => codec::decode::<ProgressRecord>(payload)
            .ok()
            .map(|progress| format!("{}  {}", progress.op, progress_text(&progress))),
        "event" => codec::decode::<Event>(payload)
            .ok()
            .map(|event| format!("{}  {}", event.op, event_text(&event))),
        _ => None,
    };
    text.unwrap_or_else(|| {
        let time = Timestamp::now().strftime("%H:%M:%S");
        format!("{}  {time}  {}", message.subject, value_of(message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_operation_or_a_pattern() {
        assert_eq!("last".parse(), Ok(TapTarget::Operation(OperationArg::Last)));
        for pattern in ["ktrdr.event.>", "ktrdr.*.trainer.*.4", ">"] {
            assert_eq!(
                pattern.parse(),
                Ok(TapTarget::Pattern(pattern.to_owned())),
                "{pattern}"
            );
        }
        for text in ["ktrdr..x", "ktrdr.>.x", "a b.c", "nonsense"] {
            assert!(text.parse::<TapTarget>().is_err(), "{text}");
        }
    }
}
