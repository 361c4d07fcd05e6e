//! The specifications of the crate `market`, in one binary.

#[cfg(test)]
mod calendar_dates;
#[cfg(test)]
mod calendar_hours;
#[cfg(test)]
mod calendar_sessions;
#[cfg(test)]
mod calendar_weeks;
#[cfg(test)]
mod error_messages;
#[cfg(test)]
mod gap_classes;
#[cfg(test)]
mod grid_of_any_timeframe;
#[cfg(test)]
mod grid_rules;
#[cfg(test)]
mod hours_check;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod known_from;
#[cfg(test)]
mod leak_hunt;
#[cfg(test)]
mod one_by_one;
#[cfg(test)]
mod resampling;
#[cfg(test)]
mod spellings;
#[cfg(test)]
mod symbols_page;
#[cfg(test)]
mod text_fuzz;
#[cfg(test)]
mod timeframes;
