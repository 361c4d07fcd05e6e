//! Files of operations for `ktrdr run`: YAML with command lines, all side by side or in stages.

use std::path::Path;

use saphyr::{LoadableYamlNode as _, MarkedYaml, Scalar, YamlData};
use schemas::codes;
use schemas::commands::{CHILDREN_AT_ONCE, OnFailure};

use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::text_files::{read_text, read_text_from};

/// The operations of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OperationFile {
    /// Most operations under way at a time.
    pub(crate) limit: u32,
    /// What a failed operation means for the others.
    pub(crate) on_failure: OnFailure,
    /// The command lines, by stage.
    pub(crate) stages: Vec<Vec<OperationLine>>,
}

/// The command line of one operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OperationLine {
    /// The line of the file on which it begins, from 1.
    pub(crate) number: usize,
    /// Its words, without the name of the program.
    pub(crate) words: Vec<String>,
}

/// Reads the file; `-` is standard input.
///
/// # Errors
/// It cannot be read, or is not a file of operations.
pub(crate) fn read_operation_file(
    file: &Path,
    context: &Context,
) -> Result<OperationFile, Failure> {
    let text = match file.as_os_str() == "-" {
        true => read_text_from(std::io::stdin()),
        false => read_text(&context.working_directory.join(file)),
    };
    let text = text.map_err(|error| {
        Failure::new(
            Exit::Usage,
            codes::OPS_INVALID,
            format!("the file of operations {} cannot be read", file.display()),
        )
        .with_cause(&error)
        .with_hint("name a YAML file with a list of operations, or - for standard input")
    })?;

    parse(&text).map_err(|fault| {
        let message = format!("{} is not a file of operations: {fault}", file.display());
        Failure::new(Exit::Usage, codes::OPS_INVALID, message).with_hint(
            "write `operations:` with a list of command lines below, such as \
             `- data load AAPL --mode full`; `ktrdr run --help` shows one",
        )
    })
}

/// The operations of a text, or what is wrong with it.
fn parse(text: &str) -> Result<OperationFile, String> {
    let documents = MarkedYaml::load_from_str(text).map_err(|error| error.to_string())?;
    let [document] = documents.as_slice() else {
        return Err("it has no or several documents".to_owned());
    };

    let mut file = OperationFile {
        limit: CHILDREN_AT_ONCE,
        on_failure: OnFailure::default(),
        stages: Vec::new(),
    };
    // A list alone is all that most files need.
    if let YamlData::Sequence(operations) = &document.data {
        file.stages = vec![lines_of(operations)?];
        return Ok(file);
    }
    let YamlData::Mapping(entries) = &document.data else {
        return Err("it is neither a list nor a mapping".to_owned());
    };

    for (key, value) in entries {
        read_entry(&mut file, &text_of(key)?, value)?;
    }
    match file.stages.is_empty() {
        true => Err("it names no operation".to_owned()),
        false => Ok(file),
    }
}

fn read_entry(file: &mut OperationFile, key: &str, value: &MarkedYaml<'_>) -> Result<(), String> {
    match (key, &value.data) {
        ("limit", YamlData::Value(Scalar::Integer(limit))) => {
            let limit = u32::try_from(*limit).ok().filter(|limit| *limit > 0);
            file.limit = limit.ok_or("`limit` must be a number above 0")?;
        }
        ("on_failure", YamlData::Value(Scalar::String(word))) => {
            file.on_failure = match word.as_ref() {
                "keep_going" => OnFailure::KeepGoing,
                "fail_fast" => OnFailure::FailFast,
                other => {
                    return Err(format!(
                        "`on_failure` is keep_going or fail_fast, not {other}"
                    ));
                }
            };
        }
        ("operations", YamlData::Sequence(operations)) => file.stages.push(lines_of(operations)?),
        ("stages", YamlData::Sequence(stages)) => {
            for stage in stages {
                let YamlData::Sequence(operations) = &stage.data else {
                    return Err("each of the `stages` must be a list of operations".to_owned());
                };
                file.stages.push(lines_of(operations)?);
            }
        }

        ("limit" | "on_failure" | "operations" | "stages", _) => {
            return Err(format!("`{key}` has a value of the wrong kind"));
        }
        _ => {
            return Err(format!(
                "`{key}` is not one of limit, on_failure, operations, stages"
            ));
        }
    }
    Ok(())
}

/// The command lines of a list; all that are wrong are named.
fn lines_of(operations: &[MarkedYaml<'_>]) -> Result<Vec<OperationLine>, String> {
    let mut lines = Vec::with_capacity(operations.len());
    let mut faults = Vec::new();
    for operation in operations {
        match line_of(operation) {
            Ok(line) => lines.push(line),
            Err(fault) => faults.push(fault),
        }
    }

    match (faults.is_empty(), lines.is_empty()) {
        (false, _) => Err(faults.join("; ")),
        (true, true) => Err("a list of operations is empty".to_owned()),
        (true, false) => Ok(lines),
    }
}

fn line_of(operation: &MarkedYaml<'_>) -> Result<OperationLine, String> {
    let number = operation.span.start.line();
    match words_of(operation) {
        Ok(words) => Ok(OperationLine { number, words }),
        Err(fault) => Err(format!("line {number}: {fault}")),
    }
}

/// The words of one operation: a command line, or a mapping whose first key is the command and
/// whose other keys are its options.
fn words_of(operation: &MarkedYaml<'_>) -> Result<Vec<String>, String> {
    let YamlData::Mapping(entries) = &operation.data else {
        let line = text_of(operation)?;
        let words = shlex::split(&line).ok_or_else(|| format!("`{line}` has an open quote"))?;
        let is_program = words.first().is_some_and(|word| word == "ktrdr");
        return Ok(words.into_iter().skip(usize::from(is_program)).collect());
    };

    let mut words = Vec::new();
    for (index, (key, value)) in entries.iter().enumerate() {
        let key = text_of(key)?;
        match index {
            0 => {
                words.extend(key.split_whitespace().map(str::to_owned));
                words.extend(texts_of(value)?);
            }
            _ => add_option(&mut words, &key, value)?,
        }
    }
    Ok(words)
}

/// `seed: 7` is `--seed 7`, `gpu: true` is `--gpu`, and a list repeats its option.
fn add_option(words: &mut Vec<String>, key: &str, value: &MarkedYaml<'_>) -> Result<(), String> {
    let option = format!("--{}", key.replace('_', "-"));
    match &value.data {
        YamlData::Value(Scalar::Boolean(true)) => words.push(option),
        YamlData::Value(Scalar::Boolean(false)) => {}
        _ => {
            for text in texts_of(value)? {
                words.extend([option.clone(), text]);
            }
        }
    }
    Ok(())
}

fn texts_of(value: &MarkedYaml<'_>) -> Result<Vec<String>, String> {
    match &value.data {
        YamlData::Value(Scalar::Null) => Ok(Vec::new()),
        YamlData::Sequence(values) => values.iter().map(text_of).collect(),
        _ => Ok(vec![text_of(value)?]),
    }
}

fn text_of(value: &MarkedYaml<'_>) -> Result<String, String> {
    match &value.data {
        YamlData::Value(Scalar::String(text)) => Ok(text.to_string()),
        YamlData::Value(Scalar::Integer(number)) => Ok(number.to_string()),
        YamlData::Value(Scalar::FloatingPoint(number)) => Ok(number.to_string()),
        YamlData::Value(Scalar::Boolean(flag)) => Ok(flag.to_string()),
        _ => Err("a text or a number is expected where there is something else".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stages as command lines.
    fn lines(text: &str) -> Vec<Vec<String>> {
        let stages = parse(text).unwrap().stages;
        let line = |line: &OperationLine| line.words.join(" ");
        stages
            .iter()
            .map(|stage| stage.iter().map(line).collect())
            .collect()
    }

    #[test]
    fn a_list_of_command_lines_is_one_stage() {
        let text = "- ktrdr data load 'AAPL' --mode full\n- train rsi --seed 7\n";
        assert_eq!(
            lines(text),
            [["data load AAPL --mode full", "train rsi --seed 7"]]
        );
    }

    #[test]
    fn a_mapping_is_a_command_with_its_options() {
        let text = "stages:\n\
                    - - data load: [AAPL, MSFT]\n    refetch: true\n    timeframe: [1h, 1d]\n\
                    - - train: rsi\n    learning_rate: 0.01\n    gpu: false\n\
                    limit: 2\non_failure: fail_fast\n";

        let file = parse(text).unwrap();

        assert_eq!((file.limit, file.on_failure), (2, OnFailure::FailFast));
        assert_eq!(
            lines(text),
            [
                ["data load AAPL MSFT --refetch --timeframe 1h --timeframe 1d"],
                ["train rsi --learning-rate 0.01"]
            ]
        );
    }

    #[test]
    fn an_operation_has_the_number_of_its_first_line() {
        let text = "limit: 2\nstages:\n  - - dummy start\n    - dummy start: []\n      \
                    seed: 7\n  -\n    # the second stage\n    - train rsi\n";

        let stages = parse(text).unwrap().stages;

        let numbers: Vec<usize> = stages.iter().flatten().map(|line| line.number).collect();
        assert_eq!(numbers, [3, 4, 8]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        let fault = |text: &str| parse(text).unwrap_err();

        assert_eq!(
            fault("limits: 3"),
            "`limits` is not one of limit, on_failure, operations, stages"
        );
        assert_eq!(fault("limit: 3"), "it names no operation");
        assert_eq!(fault("operations: []"), "a list of operations is empty");
        assert_eq!(
            fault("# nightly\n- train 'rsi"),
            "line 2: `train 'rsi` has an open quote"
        );
        assert_eq!(
            fault("- train 'rsi\n- dummy start\n- train \"rsi"),
            "line 1: `train 'rsi` has an open quote; line 3: `train \"rsi` has an open quote"
        );
        assert_eq!(
            fault("on_failure: stop"),
            "`on_failure` is keep_going or fail_fast, not stop"
        );
    }
}
