//! Everything between a command and the person or program in front of it: what is written where,
//! how a command ends, and what Ctrl+C means.

mod confirm;
pub(crate) mod durations;
mod exit;
mod failures;
mod interrupts;
mod layout;
mod logs;
mod output;
pub(crate) mod standard_output;
mod table_file;
mod table_style;
mod terminal_echo;
mod training_words;
mod words;

pub(crate) use confirm::{can_ask, confirm};
pub(crate) use exit::Exit;
pub(crate) use failures::Failure;
pub(crate) use interrupts::{Interrupt, Interrupts};
pub(crate) use logs::start_logging;
pub(crate) use output::{Output, Style, Tone, extended, pair_lines, print_pairs};
pub(crate) use table_file::{remarks_beside, require_other_file, write_table};
pub(crate) use table_style::TableStyle;
pub(crate) use terminal_echo::ControlEchoOff;
pub(crate) use training_words::{describe_ending, describe_settings};
pub(crate) use words::{
    count_of, gibibytes, join_with_commas, now, path_json, percent_of, place_of_lines,
    time_or_blank,
};
