//! Where the parts of the rows begin: `data_split` by shares, or `split` by dates.

use super::super::dates;
use crate::fields::Fields;
use crate::finding::{Finding, rounded};
use crate::strategy::Split;

/// How far the shares of `data_split` may be from a sum of 1, for rounding.
const SHARE_TOLERANCE: f64 = 1e-9;

/// `data_split` (shares) or `split` (dates); shares of 70, 15 and 15 % without either.
pub(super) fn read_split(fields: &Fields<'_>) -> Option<Split> {
    let shares = fields.section("data_split");
    let dates = fields.section("split");
    if shares.is_some() && dates.is_some() {
        fields.add_error(
            "split",
            "split.twice",
            "give either `data_split` (shares) or `split` (dates)",
        );
    }

    // Both are read although only one may stay: otherwise the faults of the other would come up
    // only in the next run.
    let split_by_shares = shares.map(read_shares);
    let split_by_dates = dates.map(read_dates);
    split_by_dates
        .or(split_by_shares)
        .unwrap_or(Some(Split::Fractions {
            train: 0.7,
            validation: 0.15,
            test: 0.15,
        }))
}

fn read_dates(section: Fields<'_>) -> Option<Split> {
    section.required("validation_start");
    section.required("test_start");
    let validation_start = dates::read_instant(&section, "validation_start");
    let test_start = dates::read_instant(&section, "test_start");

    // Equal dates would leave the validation part empty.
    let is_reversed = validation_start
        .zip(test_start)
        .is_some_and(|(validation, test)| test <= validation);
    if is_reversed {
        let message = "test_start is not after validation_start";
        section.add_error("test_start", "date.order", message);
    }
    section.finish(&[]);

    Some(Split::Dates {
        validation_start: validation_start?,
        test_start: test_start?,
    })
}

fn read_shares(section: Fields<'_>) -> Option<Split> {
    section.required("train");
    section.required("validation");
    let train = read_share(&section, "train");
    let validation = read_share(&section, "validation");
    let written_test = read_share(&section, "test");
    let has_test = section.has("test");
    let path = section.path.clone();
    let line = section.line;
    let sink = section.sink;
    section.finish(&[]);

    // Without a share of its own the test part gets what is left.
    let train = train?;
    let validation = validation?;
    let test = if has_test {
        written_test?
    } else {
        1.0 - train - validation
    };

    let sum = train + validation + test;
    let message = if (sum - 1.0).abs() > SHARE_TOLERANCE {
        Some(format!(
            "train, validation and test must sum to 1; they sum to {}",
            rounded(sum)
        ))
    } else if test <= 0.0 {
        Some(format!(
            "train and validation leave nothing for the test part: they sum to {}",
            rounded(train + validation)
        ))
    } else {
        None
    };
    if let Some(message) = message {
        sink.push(Finding::error(path, line, "split.sum", message));
    }
    Some(Split::Fractions {
        train,
        validation,
        test,
    })
}

fn read_share(section: &Fields<'_>, key: &'static str) -> Option<f64> {
    section.number(key, "a share above 0 and below 1", |value| {
        value > 0.0 && value < 1.0
    })
}
