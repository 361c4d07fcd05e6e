//! Why a file of bars is refused: always the file, and the line where there is one.

use std::borrow::Cow;

use market::Timeframe;
use schemas::codes::{self, Advice, Code};

/// A file that cannot be read as bars.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be opened or read.
    #[error("cannot read `{file}`")]
    Open {
        /// Path or name.
        file: String,
        /// The answer of the file system.
        #[source]
        source: std::io::Error,
    },
    /// Larger than [`FILE_BYTES_MAX`](super::FILE_BYTES_MAX).
    #[error(
        "`{file}` has {size} bytes, at most {} are read",
        super::FILE_BYTES_MAX
    )]
    TooLarge {
        /// Path or name.
        file: String,
        /// Size in bytes.
        size: u64,
    },
    /// The gzip stream is damaged or too large.
    #[error("cannot unpack `{file}`")]
    Unpack {
        /// Path or name.
        file: String,
        /// The answer of the file system.
        #[source]
        source: std::io::Error,
    },
    /// Text of an unknown ending.
    #[error("`{file}` is neither .csv, .txt, .parquet, .feather nor one of them packed")]
    Format {
        /// Path or name.
        file: String,
    },
    /// By its bytes something else than bars.
    #[error("`{file}` is {what}, not a file of bars")]
    Foreign {
        /// Path or name.
        file: String,
        /// What it is, with its article.
        what: &'static str,
        /// The way out.
        advice: &'static str,
    },
    /// A packed file or a folder with more files of bars than one.
    #[error("`{file}` holds {count} files: {names}")]
    Several {
        /// Path or name.
        file: String,
        /// How many they are.
        count: usize,
        /// Their names, the first ones if they are many.
        names: String,
    },
    /// Rows of several symbols, and it is not clear which are meant.
    #[error("`{file}` holds {symbols}; not one of them alone is {asked}")]
    Symbols {
        /// Path or name.
        file: String,
        /// How many, in which column, and the first of them.
        symbols: String,
        /// The symbol that was asked for.
        asked: String,
    },
    /// A folder without files of bars.
    #[error("the folder `{file}` holds no Parquet file")]
    NoParts {
        /// Path of the folder.
        file: String,
    },
    /// A part of a folder has other columns than the first one.
    #[error("`{file}` has other columns than the parts before it: {columns}")]
    Part {
        /// Path of the part.
        file: String,
        /// Its columns in order.
        columns: String,
    },
    /// A column of a type that its role does not have.
    #[error("`{file}`: column `{column}` is {data_type}, which cannot be read as {role}")]
    Type {
        /// Path or name.
        file: String,
        /// Name of the column.
        column: String,
        /// Its type in the words of Arrow.
        data_type: String,
        /// What it should hold: `a time` or `numbers`.
        role: &'static str,
    },
    /// No header, or no row below it.
    #[error("`{file}` holds no bars")]
    Empty {
        /// Path or name.
        file: String,
    },
    /// A required column is absent.
    #[error("`{file}` line {line}: no column for {column}; the columns are: {existing}")]
    Column {
        /// Path or name.
        file: String,
        /// The missing column: its role, and its name where one was given.
        column: String,
        /// Names of the columns that exist.
        existing: String,
        /// Line of the header.
        line: u64,
    },
    /// A column is absent in a file without names.
    #[error("`{file}` line {line}: the file has no header, and no column for {column}")]
    Headerless {
        /// Path or name.
        file: String,
        /// The missing column: its role, and its number where one was given.
        column: String,
        /// First line of the data.
        line: u64,
    },
    /// A cell that can be read in several ways.
    #[error("`{file}` line {line}: {question}")]
    Unclear {
        /// Path or name.
        file: String,
        /// The first such line.
        line: u64,
        /// What is not clear.
        question: String,
        /// The options that answer it.
        options: String,
    },
    /// A row that does not fit the header.
    #[error("`{file}` line {line}: {reason}")]
    Row {
        /// Path or name.
        file: String,
        /// Line, or row of a Parquet file.
        line: u64,
        /// The first deviation.
        reason: String,
    },
    /// A cell that should be a time.
    #[error("`{file}` line {line}: `{text}` is not a time")]
    Time {
        /// Path or name.
        file: String,
        /// Line, or row of a Parquet file.
        line: u64,
        /// Text of the cell.
        text: String,
    },
    /// A time without zone.
    #[error("`{file}` line {line}: the time `{text}` has no zone")]
    Naive {
        /// Path or name.
        file: String,
        /// Line, or row of a Parquet file.
        line: u64,
        /// Text of the cell.
        text: String,
    },
    /// A word behind a time that may mean several clocks.
    #[error("`{file}` line {line}: `{zone}` behind the time is not the name of one clock")]
    ZoneWord {
        /// Path or name.
        file: String,
        /// Line of the file.
        line: u64,
        /// The word behind the time.
        zone: String,
    },
    /// A local time that happens twice, when clocks go back.
    #[error(
        "`{file}` line {line}: the local time `{text}` happens twice, as clocks go back, and the \
         order of the rows does not show which is meant"
    )]
    Repeated {
        /// Path or name.
        file: String,
        /// Line, or row of a Parquet file.
        line: u64,
        /// The time in words.
        text: String,
    },
    /// A local time that never happens, when clocks jump.
    #[error(
        "`{file}` line {line}: the local time `{text}` does not exist in its zone: clocks jump \
         over it"
    )]
    Skipped {
        /// Path or name.
        file: String,
        /// Line, or row of a Parquet file.
        line: u64,
        /// The time in words.
        text: String,
    },
    /// A date where an intraday bar needs a time of day.
    #[error(
        "`{file}` line {line}: `{text}` is no time of a {timeframe} bar: it has no time of day"
    )]
    NoTimeOfDay {
        /// Path or name.
        file: String,
        /// Line, or row of a Parquet file.
        line: u64,
        /// The date in words.
        text: String,
        /// Timeframe that was asked for.
        timeframe: Timeframe,
    },
    /// A time of day where a daily or weekly bar needs a date.
    #[error("`{file}` line {line}: `{text}` is not the date of a {timeframe} bar")]
    Label {
        /// Path or name.
        file: String,
        /// Line, or row of a Parquet file.
        line: u64,
        /// Text of the cell.
        text: String,
        /// Timeframe that was asked for.
        timeframe: Timeframe,
    },
    /// A day of a market that never closes, as a zone west of Greenwich counts it.
    #[error(
        "`{file}` line {line}: the day of `{text}` ends hours after the day in UTC that it would \
         be stored as, and its bar would be known before it is over"
    )]
    LateDay {
        /// Path or name.
        file: String,
        /// Line, or row of a Parquet file.
        line: u64,
        /// Text of the cell.
        text: String,
    },
    /// A cell that should be a number.
    #[error("`{file}` line {line}: {column} `{text}` is not a number")]
    Number {
        /// Path or name.
        file: String,
        /// Line, or row of a Parquet file.
        line: u64,
        /// Name of the column.
        column: String,
        /// Text of the cell.
        text: String,
    },
    /// A zone that the tz database does not have.
    #[error("cannot read `{file}`: `{zone}` is not a time zone")]
    Zone {
        /// Path or name.
        file: String,
        /// The text that was given.
        zone: String,
    },
    /// The bars have another length.
    #[error("`{file}` holds bars of {actual}, not {expected}")]
    Timeframe {
        /// Path or name.
        file: String,
        /// Timeframe that was asked for.
        expected: Timeframe,
        /// Timeframe by the spacing of the rows.
        actual: String,
    },
    /// The bytes begin like Parquet and cannot be read.
    #[error("cannot read `{file}` as Parquet: {reason}")]
    Parquet {
        /// Path or name.
        file: String,
        /// The first deviation.
        reason: String,
    },
    /// The bytes begin like Arrow IPC and cannot be read.
    #[error("cannot read `{file}` as Arrow: {reason}")]
    Arrow {
        /// Path or name.
        file: String,
        /// The first deviation.
        reason: String,
    },
}

impl FileError {
    /// The hint for a time that cannot be read or placed, `None` for every other error.
    fn hint_on_time(&self) -> Option<&'static str> {
        let hint = match self {
            Self::Time { .. } => {
                "write times as 2020-01-02T14:30:00Z, 2020-01-02 or Unix seconds, or name their \
                 format, for example --dates '%d.%m.%Y %H:%M'"
            }
            Self::Naive { .. } => {
                "name the zone of the times, for example --zone America/New_York or --zone UTC"
            }
            Self::ZoneWord { .. } => {
                "say which clock it is, for example --zone America/New_York or --zone Etc/GMT+5"
            }
            Self::Repeated { .. } => {
                "say which with --repeated-hour earlier or later, or write the time with its \
                 offset from UTC, as in 2020-11-01T01:30:00-05:00"
            }

            // A time that no clock of the zone shows was written by the clock of another place.
            Self::Skipped { .. } => {
                "the times are those of another zone: name it, for example --zone UTC"
            }

            Self::Label { .. } => {
                "write the date alone, or name the zone in which the time is midnight or the \
                 start of a session"
            }
            Self::NoTimeOfDay { .. } => {
                "ask for daily bars, or name the column of the time of day, for example --column \
                 date=Day,time=Clock"
            }
            Self::LateDay { .. } => {
                "import the intraday bars of this market instead: its days are those of UTC; if \
                 these dates are days of UTC, leave the zone out"
            }
            _ => return None,
        };
        Some(hint)
    }

    /// The hint for a file as a whole, for its columns and numbers, or for a request that does not
    /// fit it.
    fn hint_on_file(&self) -> &'static str {
        match self {
            Self::Open { .. } => "check the path, and that this user may read it",
            Self::TooLarge { .. } => "make several files of it, such as one a year",
            Self::Unpack { .. } => "the file is damaged: fetch it again from where it came",
            Self::Format { .. } => "give the file the ending of what it is, such as .csv",
            Self::Foreign { advice, .. } => advice,
            Self::Several { .. } => "unpack it, and give one of the files",
            Self::Symbols { .. } => "ask for one of them, as the file spells it, with --symbol",
            Self::NoParts { .. } => "give a file of bars, or a folder of .parquet files",
            Self::Part { .. } => "write the parts with equal columns, or give one of them",
            Self::Empty { .. } => "a file of bars needs at least one row with a time and prices",
            Self::Parquet { .. } | Self::Arrow { .. } => {
                "the file is damaged or of a form that is not known: write or fetch it again"
            }

            Self::Column { .. } => {
                "name the column in the mapping, for example --column close=px_last"
            }
            Self::Headerless { .. } => {
                "name columns by their numbers, for example --column time=1,open=2,high=3,low=4,\
                 close=5, or the format, for example --format binance"
            }
            Self::Type { role, .. } if *role == "a time" => {
                "write the column as a timestamp, or name another one with --column time=NAME"
            }
            Self::Type { .. } => {
                "write the column as float64, or name another one, as in --column close=NAME"
            }
            Self::Row { .. } => "correct the row, or name the delimiter",
            Self::Number { .. } => {
                "write a plain number, leave an unknown cell empty, or name the sign before the \
                 fraction, for example --decimal ,"
            }

            // The request does not fit the file.
            Self::Zone { .. } => "use a name of the tz database such as Europe/Berlin",
            Self::Timeframe { .. } => "ask for the timeframe of the file, or choose another file",
            _ => "",
        }
    }
}

impl Advice for FileError {
    fn code(&self) -> Code {
        codes::DATA_INVALID_FILE
    }

    fn hint(&self) -> Cow<'static, str> {
        // Only the rules that were unsure know which options would have made them sure.
        if let Self::Unclear { options, .. } = self {
            return Cow::Owned(options.clone());
        }

        Cow::Borrowed(self.hint_on_time().unwrap_or_else(|| self.hint_on_file()))
    }
}
