//! Dividends, splits and adjusted closes of texts, read by the plan that the bars are read by.

use market::Timeframe;
use store::files::{ColumnNames, FileActions, Mapping, read};

use crate::files::expected;

/// The columns of actions of a text of daily bars of a share.
fn actions_of(bytes: impl Into<Vec<u8>>) -> FileActions {
    read_actions(bytes.into(), &Mapping::default())
}

fn read_actions(bytes: Vec<u8>, mapping: &Mapping) -> FileActions {
    let expected = expected("AAPL", Timeframe::DAY_1);
    let bars = read("in.csv", bytes.into(), mapping, &expected);
    bars.unwrap().actions
}

const PLAIN: &str = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n\
                     2020-08-27,499,509,495,500,498.5,38888100,0.82,0\n\
                     2020-08-31,127,131,126,129,129,225702700,,4\n";

/// What [`PLAIN`] says; a blank cell is no number.
fn check_plain(actions: &FileActions) {
    assert_eq!(actions.adjusted_close, [498.5, 129.0]);
    assert_eq!(actions.dividends[0], 0.82);
    assert!(actions.dividends[1].is_nan());
    assert_eq!(actions.splits, [0.0, 4.0]);
    assert_eq!(actions.capital_gains, [0.0; 0]);
}

#[test]
fn columns_are_found_by_their_usual_names() {
    check_plain(&actions_of(PLAIN));
    check_plain(&actions_of(PLAIN.replace("Adj Close", "adjusted_close")));
    check_plain(&actions_of(PLAIN.replace("Dividends", "dividend amount")));
    check_plain(&actions_of(PLAIN.replace("Stock Splits", "splitFactor")));
}

#[test]
fn a_file_of_bars_alone_has_no_actions() {
    let text = "Date,Open,High,Low,Close\n2020-08-27,499,509,495,500\n";
    assert!(actions_of(text).is_absent());
}

#[test]
fn every_encoding_gives_the_same_actions() {
    let units = PLAIN.encode_utf16().flat_map(u16::to_le_bytes);
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(units).collect();
    check_plain(&actions_of(utf16));
    check_plain(&actions_of(format!("\u{feff}{PLAIN}")));
}

#[test]
fn cells_in_quotes_and_commas_for_points_are_read() {
    let text = "Date;Open;High;Low;Close;Adj Close;Dividends\n\
                2020-08-27;499,00;509,00;495,00;500,25;\"498,50\";\"0,82\"\n\
                2020-08-28;499,00;509,00;495,00;500,25;500,25;0,00\n";
    let actions = actions_of(text);
    assert_eq!(actions.adjusted_close, [498.5, 500.25]);
    assert_eq!(actions.dividends, [0.82, 0.0]);
}

#[test]
fn a_delimiter_within_quotes_moves_no_cell() {
    let text = "Date,Open,High,Low,Close,Volume,Dividends\n\
                2024-01-02,1,2,0.5,1,\"1,234\",0.5\n\
                2024-01-03,1,2,0.5,1,7,0.25\n";
    assert_eq!(actions_of(text).dividends, [0.5, 0.25]);
}

#[test]
fn an_adjusted_close_that_is_taken_as_the_close_is_no_other_one() {
    let text = "Date,Open,High,Low,Adj Close,Dividends\n2020-08-27,499,509,495,500,0.82\n";
    let columns = ColumnNames {
        close: Some("Adj Close".to_owned()),
        ..ColumnNames::default()
    };
    let mapping = Mapping {
        columns,
        ..Mapping::default()
    };

    let actions = read_actions(text.into(), &mapping);
    assert_eq!(actions.adjusted_close, [0.0; 0]);
    assert_eq!(actions.dividends, [0.82]);
}

#[test]
fn rows_that_are_passed_over_leave_no_action() {
    // A title, the header again, and a remark below the table.
    let text = "Prices of AAPL\n\
                Date,Open,High,Low,Close,Dividends\n\
                2024-01-02,1,2,0.5,1,0.5\n\
                Date,Open,High,Low,Close,Dividends\n\
                2024-01-03,1,2,0.5,1,0.25\n\
                Source: a vendor\n";
    assert_eq!(actions_of(text).dividends, [0.5, 0.25]);
}
