//! What can go wrong with a provider, and what people are advised to do about it.

use std::borrow::Cow;

use jiff::Timestamp;
use market::{Instrument, InstrumentError, Timeframe, WrongHours};
use schemas::codes::{self, Advice, Code};
use schemas::spelling::nearest_name;
use store::StoreError;
use store::files::FileError;

use crate::ib::error::{IbError, IbFailure};
use crate::remote_error::{Failure, RemoteError};

/// Letters of a name that a search for names like it is made with.
const SEARCHED_LETTERS: usize = 3;

/// What kind of failure it is, whichever provider it comes from. Decides what the work does next;
/// words of messages decide nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The provider is not reached, or its answers break off.
    Connection,
    /// It was reached and did not answer in time.
    Timeout,
    /// It wants fewer requests.
    Pacing,
    /// It does not answer this user, this address or this instrument.
    Permission,
    /// It does not have the instrument.
    UnknownSymbol,
    /// It has the instrument, and no bars of it.
    NoData,
    /// What it says cannot be read.
    Protocol,
    /// The request can never be met: a name, a class or a timeframe that it does not have, or a
    /// setting that is wrong.
    Request,
}

impl FailureClass {
    /// The word for programs, such as `unknown_symbol`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Pacing => "pacing",
            Self::Permission => "permission",
            Self::UnknownSymbol => "unknown_symbol",
            Self::NoData => "no_data",
            Self::Protocol => "protocol",
            Self::Request => "request",
        }
    }
}

/// A provider that cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// No provider of that name.
    #[error("there is no provider `{name}`; there are: {}", .names.join(", "))]
    Unconfigured {
        /// What was asked for.
        name: String,
        /// The providers that there are.
        names: Vec<&'static str>,
    },
    /// A provider on the network failed.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A TWS or a Gateway failed.
    #[error(transparent)]
    Ib(#[from] IbError),
    /// The provider does not know the instrument in that timeframe.
    #[error("no file for {instrument} {timeframe} in `{place}`; it holds: {available}")]
    Unknown {
        /// The instrument of the request.
        instrument: Instrument,
        /// The timeframe of the request.
        timeframe: Timeframe,
        /// Folder or URL.
        place: String,
        /// The series that are there, as text.
        available: String,
    },
    /// The name of a file can mean the series, and another one as well.
    #[error("the name of {file} does not say which bars it holds")]
    Unclear {
        /// Folder and name of the file.
        file: String,
        /// The name that it must have to hold the bars of the request.
        clear_name: String,
        /// What its symbol can mean.
        #[source]
        source: InstrumentError,
    },
    /// What has the name of the file is none.
    #[error("`{file}` is {kind}, not a regular file")]
    OddEntry {
        /// Folder and name of the entry.
        file: String,
        /// What it is, such as `a named pipe`.
        kind: &'static str,
    },
    /// The folder cannot be read.
    #[error("cannot read bar files from `{place}`")]
    Place {
        /// Folder or URL.
        place: String,
        /// The failure of the store that reads the folder.
        #[source]
        source: StoreError,
    },
    /// A file is not what it should be.
    #[error(transparent)]
    File(#[from] FileError),
    /// Bars that trade when their instrument does not.
    #[error("the bars in `{place}` are of something else")]
    Hours {
        /// Folder or URL.
        place: String,
        /// The hours that do not fit.
        #[source]
        source: Box<WrongHours>,
    },
    /// The work was stopped with the process.
    #[error("reading `{file}` was stopped")]
    Stopped {
        /// Name of the file.
        file: String,
    },
}

impl ProviderError {
    /// What kind of failure it is.
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Remote(error) => error.class(),
            Self::Ib(error) => error.class(),
            Self::Place { .. } | Self::Stopped { .. } => FailureClass::Connection,
            Self::Unknown { .. } => FailureClass::UnknownSymbol,
            Self::Unconfigured { .. } | Self::Unclear { .. } => FailureClass::Request,
            Self::File(_) | Self::Hours { .. } | Self::OddEntry { .. } => FailureClass::Protocol,
        }
    }

    /// True if asking again may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Remote(error) => error.is_transient(),
            Self::Ib(error) => error.is_transient(),
            Self::Place { source, .. } => source.is_transient(),
            Self::Stopped { .. } => true,
            _ => false,
        }
    }

    /// When it may be asked again, where it wants fewer requests and says so.
    pub const fn asks_to_wait_until(&self) -> Option<Timestamp> {
        match self {
            Self::Remote(RemoteError {
                failure: Failure::Pacing { until },
                ..
            })
            | Self::Ib(IbError {
                failure: IbFailure::Pacing { until },
                ..
            }) => Some(*until),
            _ => None,
        }
    }
}

impl Advice for ProviderError {
    fn code(&self) -> Code {
        match self {
            Self::Unconfigured { .. } => codes::PROVIDER_UNCONFIGURED,
            Self::Remote(error) => error.code(),
            Self::Ib(error) => error.code(),
            Self::Unknown { .. } | Self::Unclear { .. } => codes::PROVIDER_UNKNOWN_INSTRUMENT,
            Self::Place { .. } => codes::PROVIDER_UNREACHABLE,
            Self::File(_) | Self::OddEntry { .. } => codes::DATA_INVALID_FILE,
            Self::Hours { .. } => codes::DATA_WRONG_HOURS,
            Self::Stopped { .. } => codes::SYS_STOPPED,
        }
    }

    fn hint(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Unconfigured { name, names } => return name_a_provider(name, names).into(),
            Self::Remote(error) => return error.hint(),
            Self::Ib(error) => return error.hint(),
            Self::Unknown {
                instrument,
                timeframe,
                ..
            } => return name_the_file(instrument, *timeframe).into(),
            Self::Unclear { clear_name, .. } => {
                return format!("if it holds the bars that were asked for, call it {clear_name}")
                    .into();
            }
            Self::Place {
                place,
                source: StoreError::Open { .. },
            } => return name_the_place(place).into(),
            Self::Place { source, .. } => return source.hint(),
            Self::OddEntry { .. } => "put a regular file in its place, or remove it",
            Self::File(error) => return file_hint(error),

            // The calendar that never closes fits bars of any hours, so that nobody is stuck here.
            Self::Hours { source, .. } => {
                let hint = source.hint();
                return format!("{hint}; if its hours are not known, add --calendar always").into();
            }
            Self::Stopped { .. } => "run the command again",
        })
    }
}

/// The provider that somebody probably meant.
fn name_a_provider(name: &str, names: &[&'static str]) -> String {
    let nearest = nearest_name(name, names.iter().copied()).unwrap_or("file");
    format!("use --provider {nearest}; `ktrdr provider list` shows what each one has")
}

/// The command that lists what a provider has of names that begin like one.
pub(crate) fn search_command(provider: &str, name: &str) -> String {
    let name = name.rsplit_once(':').map_or(name, |(_, name)| name);
    let signs = name
        .chars()
        .skip_while(|sign| !sign.is_ascii_alphanumeric());
    let letters = signs.clone().take_while(char::is_ascii_alphabetic);

    // `BTC` of `BTCEUR`, `ES` of `ES202312`.
    let mut beginning: String = letters.take(SEARCHED_LETTERS).collect();
    if beginning.is_empty() {
        beginning = signs.take(SEARCHED_LETTERS).collect();
    }
    format!("`ktrdr provider search {beginning} --provider {provider}`")
}

/// Where bars may lie, for somebody who has not said it yet.
fn name_the_place(place: &str) -> String {
    format!(
        "put files such as EURUSD_1h.csv into {place}, or name the folder that has them and start \
         the fetcher again: KTRDR_FETCHER_FILES=FOLDER, or `files` in the section [fetcher] of \
         ktrdr.toml"
    )
}

/// The name under which the provider finds the bars: it says class and symbol, so that no other
/// instrument can be meant.
fn name_the_file(instrument: &Instrument, timeframe: Timeframe) -> String {
    format!(
        "call the file {}_{timeframe}.csv (or .csv.gz, .parquet), or name another folder in \
         `[fetcher] files`",
        instrument.token()
    )
}

/// What to do about a file: the settings of the fetcher stand for the options of a command.
fn file_hint(error: &FileError) -> Cow<'static, str> {
    Cow::Borrowed(match error {
        FileError::Naive { .. } | FileError::Skipped { .. } => {
            "name the zone of the times in the setting `fetcher.files_zone`, for example \
             America/New_York or UTC"
        }
        FileError::ZoneWord { .. } => {
            "say which clock it is in the setting `fetcher.files_zone`, for example \
             America/New_York or Etc/GMT+5"
        }
        FileError::Column { .. } | FileError::NoTimeOfDay { .. } => {
            "name the column in the setting `fetcher.files_columns`, for example \
             close = \"px_last\""
        }
        FileError::Headerless { .. } => {
            "name the format in the setting `fetcher.files_format`, for example binance, or the \
             columns by their numbers in `fetcher.files_columns`"
        }
        FileError::Unclear { .. } => {
            "say which in the setting `fetcher.files_dates` (dmy, mdy, ymd or a format), \
             `fetcher.files_decimal` (. or ,) or `fetcher.files_format`"
        }
        FileError::Time { .. } => {
            "write times as 2020-01-02T14:30:00Z, 2020-01-02 or Unix seconds, or name their format \
             in the setting `fetcher.files_dates`"
        }
        FileError::Repeated { .. } => {
            "say which in the setting `fetcher.files_repeated_hour`, earlier or later"
        }

        // No setting names a symbol: the name of the file is all there is to go by.
        FileError::Symbols { .. } => "write the rows of each symbol to a file of their own",
        FileError::Number { .. } => {
            "write a plain number, leave an unknown cell empty, or name the sign before the \
             fraction in the setting `fetcher.files_decimal`"
        }

        // What is wrong with the file itself has one way out, whoever reads it.
        other => return other.hint(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_answered_with_the_name_it_must_have() {
        let error = ProviderError::Unknown {
            instrument: Instrument::parse("crypto:BTC/USDT").unwrap(),
            timeframe: "1h".parse().unwrap(),
            place: "bars".to_owned(),
            available: "BTCUSDT 1h".to_owned(),
        };

        let hint = error.hint();

        assert!(hint.contains(" crypto-btc-usdt_1h.csv "), "{hint}");
        let named = store::files::parse_name("crypto-btc-usdt_1h.csv").unwrap();
        assert_eq!(named.0, Instrument::parse("crypto:BTC/USDT").unwrap());
    }

    #[test]
    fn a_load_is_not_told_of_flags_that_it_does_not_have() {
        let naive = FileError::Naive {
            file: "x.csv".to_owned(),
            line: 2,
            text: "2024-01-05 10:00".to_owned(),
        };
        let hint = ProviderError::File(naive).hint().into_owned();
        assert!(hint.contains("fetcher.files_zone"), "{hint}");
        assert!(!hint.contains("--zone"), "{hint}");

        let column = FileError::Column {
            file: "x.csv".to_owned(),
            column: "close".to_owned(),
            existing: "a, b".to_owned(),
            line: 1,
        };
        let hint = ProviderError::File(column).hint().into_owned();
        assert!(hint.contains("fetcher.files_columns"), "{hint}");
    }
}
