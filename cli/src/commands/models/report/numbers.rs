//! How numbers are written beside axes.

use market::Utc;
use schemas::names::MICROS_PER_DAY;

/// A number with as many digits as tell neighbours on an axis apart.
pub(super) fn axis_number(value: f64) -> String {
    // The grid of an axis misses 0 by a rounding error.
    if value.abs() < 1e-12 {
        return "0".to_owned();
    }
    match value.abs() {
        size if size < 0.001 => format!("{value:.1e}"),
        size if size < 10.0 => format!("{value:.3}"),
        size if size < 1000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A share of 1 in whole percent.
pub(super) fn axis_percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// A number that is a count, such as that of an epoch; nothing between two of them.
pub(super) fn axis_count(value: f64) -> String {
    if (value - value.round()).abs() < 1e-9 {
        format!("{value:.0}")
    } else {
        String::new()
    }
}

/// The day of a number of days since 1970.
pub(super) fn axis_day(days: f64) -> String {
    Utc((days * MICROS_PER_DAY as f64) as i64)
        .date()
        .to_string()
}

/// The number of days since 1970 of an instant.
pub(super) fn days_of(micros: i64) -> f64 {
    micros as f64 / MICROS_PER_DAY as f64
}

/// The number of months since the year 0 of `2024-03`; none for another text.
pub(super) fn months_of(name: &str) -> Option<f64> {
    let (year, month) = name.split_once('-')?;
    let year: u32 = year.parse().ok()?;
    let month: u32 = month.parse().ok()?;
    (1..=12)
        .contains(&month)
        .then(|| f64::from(12 * year + month - 1))
}

/// The month of such a number; nothing between two of them.
pub(super) fn axis_month(months: f64) -> String {
    match axis_count(months).parse::<u32>() {
        Ok(months) => format!("{}-{:02}", months / 12, months % 12 + 1),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_stay_short() {
        let texts = [0.000_031, -0.25, 1.1234, 70.0, 2_650.4].map(axis_number);
        assert_eq!(texts, ["3.1e-5", "-0.250", "1.123", "70.0", "2650"]);
        assert_eq!(axis_number(1e-17), "0");
    }

    #[test]
    fn days_are_counted_from_1970_on() {
        // 2024-01-02T12:00:00Z.
        let days = days_of(1_704_196_800_000_000);
        assert_eq!(days, 19_724.5);
        assert_eq!(axis_day(days), "2024-01-02");
    }

    #[test]
    fn months_follow_each_other_over_the_years() {
        let months = ["2017-12", "2018-01"].map(|name| months_of(name).unwrap());
        assert_eq!(months[1] - months[0], 1.0);
        assert_eq!(months.map(axis_month), ["2017-12", "2018-01"]);
        assert_eq!(months_of("2018-13"), None);
    }

    #[test]
    fn there_is_nothing_between_two_epochs() {
        assert_eq!([2.0, 2.5].map(axis_count), ["2", ""]);
    }
}
