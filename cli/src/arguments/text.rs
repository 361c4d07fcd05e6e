//! How bars are read from files that do not say it themselves: options of every command that reads
//! such files.

use clap::{Args, ValueEnum};
use store::files::{ColumnNames, FileFormat, Mapping, PRESETS, RepeatedHour};

const ROLES: &str = "the roles are time, date, open, high, low, close, volume and symbol";

/// What a file does not say itself.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TextArgs {
    /// Names of columns, if they are not usual ones, as in close=px_last; for time, date, open,
    /// high, low, close, volume or symbol; numbers from 1 in a file without header
    #[arg(long, value_name = "ROLE=NAME", value_parser = parse_columns)]
    column: Vec<Columns>,
    /// Format of a vendor, where the file does not show it: binance, mt5, histdata, dukascopy,
    /// yfinance, tradingview, ibkr, polygon, databento, stooq, kraken, coinbase, lean or freqtrade
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    format: Option<FileFormat>,
    /// Order of dates that do not start with the year, dmy, mdy or ymd, or a format as in
    /// '%d.%m.%Y %H:%M'
    #[arg(long, value_name = "ORDER")]
    dates: Option<String>,
    /// Sign before the fraction of a number, . or ,
    #[arg(long, value_name = "SIGN", value_parser = parse_decimal)]
    decimal: Option<char>,
    /// Character between the cells of a text; without it the one of , ; | and tab that cuts most
    /// rows alike
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<char>,
    /// The file has no header: columns are taken by their order
    #[arg(long)]
    no_header: bool,
    /// The hour that is meant, where clocks go back and the order of the rows does not show it
    #[arg(long, value_enum)]
    repeated_hour: Option<RepeatedHourArg>,
}

/// Which of two equal local times is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RepeatedHourArg {
    /// The first one, before clocks go back
    Earlier,
    /// The second one, after clocks went back
    Later,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// When the bar opens or closes; with a column of dates, the time of day
    Time,
    /// The day, beside a column of times of day
    Date,
    /// First price of the bar
    Open,
    /// Highest price of the bar
    High,
    /// Lowest price of the bar
    Low,
    /// Last price of the bar
    Close,
    /// Traded volume of each bar
    Volume,
    /// The symbol of each bar
    Symbol,
}

/// The columns of one option.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Columns(Vec<(Role, String)>);

/// `open=Open,close=px_last`: a comma separates columns where a role follows, so that a name may
/// hold one.
fn parse_columns(text: &str) -> Result<Columns, String> {
    let mut columns: Vec<(Role, String)> = Vec::new();
    for part in text.split(',') {
        match (parse_column(part), columns.last_mut()) {
            (Ok(column), _) => columns.push(column),
            (Err(_), Some((_, name))) if !starts_with_role(part) => {
                name.push(',');
                name.push_str(part);
            }
            (Err(error), _) => return Err(error),
        }
    }
    Ok(Columns(columns))
}

/// True for `word=…`, which was meant as a role.
fn starts_with_role(part: &str) -> bool {
    part.split_once('=').is_some()
}

/// `close=px_last`: a role and the name of its column.
fn parse_column(text: &str) -> Result<(Role, String), String> {
    match text.split_once('=') {
        Some((role, name)) if !name.is_empty() => {
            let role = Role::from_str(role.trim(), true).map_err(|_| ROLES)?;
            Ok((role, name.to_owned()))
        }
        _ => Err("expected ROLE=NAME, as in close=px_last".to_owned()),
    }
}

fn parse_format(text: &str) -> Result<FileFormat, String> {
    FileFormat::parse(text).ok_or_else(|| {
        let names = PRESETS.map(|preset| preset.name);
        format!("the formats are {}", names.join(", "))
    })
}

fn parse_decimal(text: &str) -> Result<char, String> {
    match text {
        "." => Ok('.'),
        "," => Ok(','),
        _ => Err("the sign before the fraction is . or ,".to_owned()),
    }
}

impl TextArgs {
    /// The mapping that says these things, and nothing of times.
    pub(crate) fn mapping(&self) -> Mapping {
        Mapping {
            columns: ColumnNames {
                time: self.column_of(Role::Time),
                date: self.column_of(Role::Date),
                open: self.column_of(Role::Open),
                high: self.column_of(Role::High),
                low: self.column_of(Role::Low),
                close: self.column_of(Role::Close),
                volume: self.column_of(Role::Volume),
                symbol: self.column_of(Role::Symbol),
            },
            format: self.format,
            dates: self.dates.clone(),
            decimal: self.decimal,
            delimiter: self.delimiter,
            header: self.no_header.then_some(false),
            repeated_hour: self.repeated_hour.map(|hour| match hour {
                RepeatedHourArg::Earlier => RepeatedHour::Earlier,
                RepeatedHourArg::Later => RepeatedHour::Later,
            }),
            ..Mapping::default()
        }
    }

    /// The column that was named for a role; the last one wins.
    fn column_of(&self, role: Role) -> Option<String> {
        let mut columns = self.column.iter().flat_map(|columns| &columns.0).rev();
        let (_, name) = columns.find(|(each, _)| *each == role)?;
        Some(name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_by_their_role() {
        let columns = parse_columns("close=px last,volume=n").unwrap();
        let close = (Role::Close, "px last".to_owned());
        assert_eq!(columns.0, [close, (Role::Volume, "n".to_owned())]);

        assert_eq!(parse_columns("adj=x").unwrap_err(), ROLES);
        assert!(parse_columns("close").is_err());
        assert!(parse_columns("close=").is_err());
    }

    #[test]
    fn a_name_may_hold_a_comma() {
        let columns = parse_columns("open=('Open', 'AAPL'),close=('Close', 'AAPL')").unwrap();
        let names: Vec<&str> = columns.0.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["('Open', 'AAPL')", "('Close', 'AAPL')"]);
    }
}
