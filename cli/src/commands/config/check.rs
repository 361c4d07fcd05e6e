//! `ktrdr config check`: whether the command line and every service take their settings.

use serde_json::json;

use super::services::{ServiceAnswer, ask_services};
use crate::console::{Exit, Failure, Tone, count_of};
use crate::context::Context;

/// Checks the settings; the exit code is 2 if a service refuses them.
///
/// # Errors
/// The command line itself refuses them.
pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let setup = context.setup()?;
    match context.settings_file(setup.system.as_ref()) {
        Some(file) => output.note(&format!("file {}", file.display())),
        None => output.note("no settings file"),
    }
    report(
        context,
        "ktrdr",
        Tone::Good,
        &count_of(setup.settings.entries.len(), "setting"),
    );

    let mut exit = Exit::Done;
    for each in ask_services(context).await? {
        let name = each.service.as_str();
        match each.answer {
            ServiceAnswer::Settings(settings) => {
                let text = count_of(settings.len(), "setting");
                report(context, name, Tone::Good, &text);
            }
            ServiceAnswer::Absent(reason) => report(context, name, Tone::Odd, &reason),
            ServiceAnswer::Refused(words) => {
                report(context, name, Tone::Bad, &words);
                exit = Exit::Usage;
            }
        }
    }
    Ok(exit)
}

fn report(context: &Context, name: &str, tone: Tone, text: &str) {
    let output = &context.output;
    let word = match tone {
        Tone::Good => "ok  ",
        Tone::Bad => "BAD ",
        Tone::Odd | Tone::Dim => "note",
    };

    output.json(&json!({"type": "config", "name": name, "verdict": word.trim(), "text": text}));
    let word = output.style.paint(tone, word);
    output.line(&format!("{word}  {name:<12} {text}"));
}
