//! `ktrdr data symbols`: what texts are taken for, and why.

use clap::Args;
use market::{Explanation, Instrument, InstrumentError};
use serde_json::{Value, json};

use crate::console::{Exit, Failure, Output};
use crate::context::Context;

const HEADS: [&str; 6] = ["TEXT", "IS", "ID", "KEY", "CALENDAR", "READ AS"];

/// `ktrdr data symbols`.
#[derive(Clone, Debug, Args)]
pub(super) struct SymbolsArgs {
    /// Symbols as people and vendors write them, as in EURUSD BTC-USD ES=F stk:ES
    #[arg(required = true, value_name = "TEXT")]
    texts: Vec<String>,
}

/// Explains each text: exit code 1 if one of them does not name exactly one instrument.
///
/// # Errors
/// None so far; the signature is that of every command.
pub(super) fn run(args: &SymbolsArgs, context: &Context) -> Result<Exit, Failure> {
    let explained: Vec<(&String, Explanation)> = args
        .texts
        .iter()
        .map(|text| (text, Instrument::explain(text)))
        .collect();

    let mut rows = Vec::new();
    for (text, explanation) in &explained {
        context.output.json(&explanation_json(text, explanation));
        rows.extend(explanation_rows(text, explanation));
    }
    context.output.table(&HEADS, &rows);

    // A text that names nothing hides no other: the hints follow the whole table.
    let refused: Vec<&InstrumentError> = explained
        .iter()
        .filter_map(|(_, explanation)| explanation.result.as_ref().err())
        .collect();
    show_hints(&refused, &context.output);
    Ok(if refused.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// What is wrong with the texts that name no instrument, and what to do about it.
fn show_hints(refused: &[&InstrumentError], output: &Output) {
    for error in refused {
        output.note(&format!("{error}; {}", error.hint()));
    }
}

/// What the text can mean: one instrument, several, or none.
fn instruments_of(explanation: &Explanation) -> Vec<Instrument> {
    match &explanation.result {
        Ok(instrument) => vec![instrument.clone()],
        Err(error) => error.candidates(),
    }
}

/// The rule by which a text was read, in words.
fn rule_of(explanation: &Explanation) -> String {
    match explanation.spelling {
        Some(spelling) if spelling.vendors.is_empty() => spelling.form.to_owned(),
        Some(spelling) => format!("{} ({})", spelling.form, spelling.vendors),
        None => "no form that is known".to_owned(),
    }
}

/// The rows of a text: one for each instrument that it can mean.
fn explanation_rows(text: &str, explanation: &Explanation) -> Vec<Vec<String>> {
    let rule = rule_of(explanation);
    let instruments = instruments_of(explanation);
    if instruments.is_empty() {
        let blank = "-".to_owned();
        let row = [
            text.to_owned(),
            "nothing".to_owned(),
            blank.clone(),
            blank.clone(),
            blank,
            rule,
        ];
        return vec![row.to_vec()];
    }

    // Candidates of a refused text carry a question mark: none of them was chosen.
    let doubt = if explanation.result.is_ok() { "" } else { " ?" };
    let rows = instruments.iter().map(|instrument| {
        vec![
            text.to_owned(),
            format!("{}{doubt}", instrument.class().noun()),
            instrument.id(),
            instrument.token(),
            instrument.calendar_name().to_owned(),
            rule.clone(),
        ]
    });
    rows.collect()
}

/// A text as programs read it.
fn explanation_json(text: &str, explanation: &Explanation) -> Value {
    let instruments: Vec<Value> = instruments_of(explanation)
        .iter()
        .map(|instrument| {
            json!({
                "id": instrument.id(),
                "class": instrument.class().as_str(),
                "symbol": instrument.symbol(),
                "key": instrument.token(),
                "calendar": instrument.calendar_name(),
            })
        })
        .collect();

    // An ambiguous text has no instrument, even if all that it can be are listed.
    let error = explanation.result.as_ref().err();
    json!({
        "type": "symbol",
        "text": text,
        "instrument": explanation.result.as_ref().ok().map(Instrument::id),
        "can_be": instruments,
        "form": explanation.spelling.map(|spelling| spelling.form),
        "vendors": explanation.spelling.map(|spelling| spelling.vendors),
        "meaning": explanation.spelling.map(|spelling| spelling.meaning),
        "error": error.map(ToString::to_string),
        "hint": error.map(InstrumentError::hint),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_explained_by_what_it_can_mean() {
        let texts = [
            "EURUSD",
            "BTCUSDT",
            "ES",
            "VOD.L",
            "AAPL240119C00190000",
            "?",
        ];
        let rows = texts.map(|text| explanation_rows(text, &Instrument::explain(text)));
        let lines: Vec<String> = rows.concat().iter().map(|row| row.join(" | ")).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn programs_get_every_candidate_with_its_calendar() {
        let explained = explanation_json("BTCUSD", &Instrument::explain("BTCUSD"));
        assert_eq!(explained["instrument"], Value::Null);
        assert_eq!(explained["can_be"][0]["id"], "crypto:BTC.USD");
        assert_eq!(explained["can_be"][1]["id"], "perp:BTC.USD");
        assert_eq!(explained["can_be"][1]["calendar"], "always");
    }
}
