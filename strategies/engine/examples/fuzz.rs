//! Throws damaged texts at a parser for a number of seconds:
//! `cargo run -p strategies --example fuzz -- yaml 600 1`.
//!
//! The arguments are the parser (`yaml` or `expressions`), seconds and a seed. Every text must give
//! a value or findings with places; a crash is the finding. The mutations work on characters and on
//! lines of what is legal, and splice in words of the grammar, so that most texts pass the reader
//! and reach the later stages. It prints how far the texts came, and the seed of a failing one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a program for developers, which may fail loudly"
)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use strategies::indicators::Value;
use strategies::{Expression, ExpressionError, Overrides, STARTER, Strategy, column_names};

/// Words that mean something somewhere in the grammar, or to YAML.
const WORDS: &[&str] = &[
    "all",
    "lags: [1, 2]",
    ".inf",
    "-.inf",
    ".nan",
    "1e309",
    "-1",
    "0",
    "9223372036854775808",
    "null",
    "~",
    "true",
    "{}",
    "[]",
    "&a",
    "*a",
    "!!int",
    "---",
    "\"",
    "'",
    "#",
    ": ",
    "- ",
    "?",
    "|",
    ">",
    "\t",
    "\u{feff}",
    "é",
    "type",
    "rsi",
    "macd",
    "zigzag",
    "regime",
    "context",
    "cusum_multiplier: 1",
    "triangular",
    "trapezoidal",
    "sigmoid",
    "minmax",
    "multi_timeframe",
    "1h",
    "4h",
    "2020-01-01",
];

/// Expressions to damage.
const EXPRESSIONS: &[&str] = &[
    "rsi(period=14)",
    "bbands(period=20, multiplier=2.5, source=hl2)",
    "macd",
    "atr(smoothing=\"sma\")",
    "ema(adjust=true)",
];

/// Words that mean something in an expression, or nearly do.
const EXPRESSION_WORDS: &[&str] = &[
    "rsi",
    "BBANDS",
    "vwap",
    "zigzag",
    "(",
    ")",
    "()",
    ",",
    "=",
    "==",
    "\"",
    "'",
    ".",
    ".upper",
    " ",
    "\t",
    "\n",
    "#",
    "-1",
    "0",
    "1e309",
    "9223372036854775808",
    "2.5",
    "nan",
    "inf",
    "true",
    "null",
    "period=",
    "source=volume",
    "ma_type=sma",
    "é",
    "\u{feff}",
    "\0",
    "\u{202e}",
];

/// xorshift64*: enough randomness for this.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % limit.max(1)
    }
}

fn damage(text: &str, words: &[&str], random: &mut Random) -> String {
    let mut text: Vec<char> = text.chars().collect();

    for _ in 0..=random.below(4) {
        let at = random.below(text.len() + 1);
        match random.below(5) {
            0 => drop(text.drain(at..(at + random.below(12)).min(text.len()))),
            1 => {
                let word: Vec<char> = words[random.below(words.len())].chars().collect();
                text.splice(at..at, word);
            }
            2 if at < text.len() => {
                text[at] =
                    char::from_u32(u32::try_from(random.below(0x250)).unwrap()).unwrap_or('x')
            }
            3 => {
                let part = text[at..(at + random.below(60)).min(text.len())].to_vec();
                let to = random.below(text.len() + 1);
                text.splice(to..to, part);
            }
            _ => {
                let mut lines: Vec<String> = text
                    .iter()
                    .collect::<String>()
                    .lines()
                    .map(str::to_owned)
                    .collect();
                if lines.len() > 1 {
                    let one = random.below(lines.len());
                    let other = random.below(lines.len());
                    lines.swap(one, other);
                }
                text = lines.join("\n").chars().collect();
            }
        }
    }

    text.into_iter().collect()
}

/// How far a text came, after checking what must hold for it.
fn judge_strategy(text: &str) -> String {
    match Strategy::parse(text) {
        Ok(strategy) => match strategy.resolve(&Overrides::default()) {
            Ok(resolved) => {
                assert_eq!(resolved.feature_columns().len(), resolved.features.len());
                assert!(
                    resolved
                        .network(resolved.feature_columns())
                        .parameter_count()
                        > 0
                );
                "resolved".to_owned()
            }
            Err(_) => "refused when resolved".to_owned(),
        },
        Err(findings) => {
            assert!(findings.has_errors());

            // To YAML a carriage return ends a line, also without a line feed after it.
            let lines = text
                .replace("\r\n", "\n")
                .replace('\r', "\n")
                .lines()
                .count()
                + 1;
            assert!(
                findings
                    .iter()
                    .all(|finding| (1..=lines).contains(&finding.line)),
                "{findings}"
            );

            findings
                .iter()
                .next()
                .map_or_else(String::new, |first| first.rule.to_owned())
        }
    }
}

/// What an expression came to, after checking what must hold for it: written out in full it is read
/// as the same indicator, and a refusal points into the text.
fn judge_expression(text: &str) -> String {
    match Expression::parse(text) {
        Ok(expression) => {
            let indicator = &expression.indicator;
            let parameters: Vec<String> = indicator
                .parameters()
                .map(|(name, written)| format!("{name} = {}", write_value(written)))
                .collect();
            let again = format!("{}({})", indicator.spec().name, parameters.join(", "));

            assert_eq!(
                Expression::parse(&again).unwrap().indicator.to_string(),
                indicator.to_string()
            );
            let columns = column_names(std::slice::from_ref(&expression)).unwrap();
            assert_eq!(columns[0].len(), indicator.spec().output_count());
            indicator.spec().name.to_owned()
        }
        Err(error) => {
            let (kind, column) = match &error {
                ExpressionError::Syntax { column, .. } => ("refused: syntax", *column),
                ExpressionError::UnknownType { column, .. } => ("refused: unknown type", *column),
                ExpressionError::LabelOnly { column, .. } => ("refused: label only", *column),
                ExpressionError::Repeated { column, .. } => ("refused: repeated", *column),
                ExpressionError::Parameter { column, .. } => ("refused: parameter", *column),
                ExpressionError::Twice { .. } => panic!("one expression is not two"),
            };

            assert!((1..=text.chars().count() + 1).contains(&column), "{error}");
            assert!(!error.hint().is_empty());
            kind.to_owned()
        }
    }
}

/// A value as an expression spells it.
fn write_value(value: &Value) -> String {
    match value {
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Boolean(value) => value.to_string(),
        Value::Text(value) => format!("{value:?}"),
    }
}

struct Parser {
    /// Texts to damage.
    legal: &'static [&'static str],
    /// Spliced into them.
    words: &'static [&'static str],
    /// What a text came to; panics where something is wrong with the parser.
    judge: fn(&str) -> String,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parser = match arguments.first().map(String::as_str) {
        Some("yaml") => Parser {
            legal: &[STARTER],
            words: WORDS,
            judge: judge_strategy,
        },
        Some("expressions") => Parser {
            legal: EXPRESSIONS,
            words: EXPRESSION_WORDS,
            judge: judge_expression,
        },
        _ => {
            eprintln!("which parser: `yaml` or `expressions`, then seconds (10) and a seed (1)");
            std::process::exit(2);
        }
    };
    let span = Duration::from_secs(read_number(&arguments, 1, 10));
    let seed = read_number(&arguments, 2, 1);

    let start = Instant::now();
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    let mut round = 0_u64;
    while start.elapsed() < span {
        for _ in 0..100 {
            round += 1;
            // Each round has its own generator, so that seed and round alone give a failing text.
            let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (round << 1) | 1);
            let text = damage(
                parser.legal[random.below(parser.legal.len())],
                parser.words,
                &mut random,
            );
            let Ok(outcome) = catch_unwind(AssertUnwindSafe(|| (parser.judge)(&text))) else {
                eprintln!("seed {seed}, round {round} crashes:\n{text}");
                std::process::exit(1);
            };
            *outcomes.entry(outcome).or_default() += 1;
        }
    }

    println!("{round} texts in {:?}, none crashed", start.elapsed());
    for (outcome, count) in outcomes {
        println!("{count:>10}  {outcome}");
    }
}

fn read_number(arguments: &[String], index: usize, default: u64) -> u64 {
    arguments
        .get(index)
        .map_or(default, |text| text.parse().unwrap())
}
