//! Due times in words: `at 22:00 on Monday to Friday`.

use super::cron::{Cron, Values};

const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Times of day that are listed one by one.
const TIMES_MAX: usize = 6;

/// The times of day and the days of a schedule.
pub(super) fn describe(cron: &Cron) -> String {
    let mut text = times_of(cron);

    let weekdays = join_ranges(cron.weekdays, &|day| name_at(&WEEKDAYS, day));
    let days = join_ranges(cron.days, &|day| day.to_string());
    match (cron.days.is_open, cron.weekdays.is_open) {
        (true, true) => {}
        (true, false) => text.push_str(&format!(" on {weekdays}")),
        (false, true) => text.push_str(&format!(" on day {days} of the month")),
        (false, false) => text.push_str(&format!(" on day {days} of the month or on {weekdays}")),
    }

    if !cron.months.is_open {
        let months = join_ranges(cron.months, &|month| {
            name_at(&MONTHS, month.saturating_sub(1))
        });
        text.push_str(&format!(" in {months}"));
    }
    text
}

fn times_of(cron: &Cron) -> String {
    let hours: Vec<u8> = cron.hours.list().collect();
    let minutes: Vec<u8> = cron.minutes.list().collect();
    let is_every_hour = hours.len() == 24;

    if hours.len() * minutes.len() <= TIMES_MAX {
        let mut times = Vec::with_capacity(TIMES_MAX);
        for hour in &hours {
            times.extend(
                minutes
                    .iter()
                    .map(|minute| format!("{hour:02}:{minute:02}")),
            );
        }
        return format!("at {}", times.join(", "));
    }

    let named_minutes = join_ranges(cron.minutes, &|minute| minute.to_string());
    let minutes = match (minutes.len(), step_of(&minutes, 60)) {
        (60, _) => "every minute".to_owned(),
        (_, Some(step)) => format!("every {step} minutes"),
        _ if is_every_hour => return format!("at minute {named_minutes} of every hour"),
        _ => format!("at minute {named_minutes}"),
    };
    match (is_every_hour, step_of(&hours, 24)) {
        (true, _) => minutes,
        (false, Some(step)) => format!("{minutes} of every {step} hours"),
        (false, None) => {
            let hours = join_ranges(cron.hours, &|hour| hour.to_string());
            format!("{minutes} of hour {hours}")
        }
    }
}

/// The step of values that go from 0 through the whole of a field in equal steps.
fn step_of(values: &[u8], whole: usize) -> Option<u8> {
    let [first, second, ..] = values else {
        return None;
    };
    let step = second - first;

    let mut pairs = values.iter().zip((0..).step_by(usize::from(step)));
    let is_even = pairs.all(|(value, expected)| usize::from(*value) == expected);
    let is_whole = values.len() * usize::from(step) == whole;
    (is_even && is_whole && step > 1).then_some(step)
}

fn name_at(names: &[&str], index: u8) -> String {
    let name = names.get(usize::from(index));
    name.map_or_else(String::new, |name| (*name).to_owned())
}

/// `1 to 5, 7`: neighbours as ranges.
fn join_ranges(values: Values, name: &dyn Fn(u8) -> String) -> String {
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    for value in values.list() {
        match ranges.last_mut() {
            Some(range) if range.1 + 1 == value => range.1 = value,
            _ => ranges.push((value, value)),
        }
    }

    let texts: Vec<String> = ranges
        .iter()
        .map(|(first, last)| match last - first {
            0 => name(*first),
            1 => format!("{}, {}", name(*first), name(*last)),
            _ => format!("{} to {}", name(*first), name(*last)),
        })
        .collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(cron: &str) -> String {
        describe(&cron.parse().unwrap())
    }

    #[test]
    fn due_times_are_said_in_words() {
        assert_eq!(words("0 22 * * 1-5"), "at 22:00 on Monday to Friday");
        assert_eq!(words("30 8,20 * * *"), "at 08:30, 20:30");
        assert_eq!(words("5 * * * *"), "at minute 5 of every hour");

        assert_eq!(words("*/15 * * * *"), "every 15 minutes");
        assert_eq!(words("*/15 */6 * * *"), "every 15 minutes of every 6 hours");
        assert_eq!(words("* * * * sun"), "every minute on Sunday");
        assert_eq!(
            words("0,10 9-17 * * 2,4"),
            "at minute 0, 10 of hour 9 to 17 on Tuesday, Thursday"
        );
        assert_eq!(
            words("0 6 1 1,7 *"),
            "at 06:00 on day 1 of the month in January, July"
        );
        assert_eq!(
            words("0 6 1 * fri"),
            "at 06:00 on day 1 of the month or on Friday"
        );
    }
}
