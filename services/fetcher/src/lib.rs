//! The fetcher: brings stored series up to what a provider has, never further than that and never
//! twice.
//!
//! Consumes `fetcher.follow` ([`schemas::commands::FollowBars`], see [`follow`]) and
//! `fetcher.fetch` ([`schemas::commands::FetchBars`]); produces revisions of series
//! (`bars/…` in the store) and a [`schemas::commands::FetchOutcome`]. For each series: read what is
//! stored, take the bars that the calendar expects, ask the provider for what is missing in
//! segments cut at fixed instants, several at a time, commit the answers together with what the
//! provider did not have, checkpoint.
//!
//! | Failure | What happens |
//! |---|---|
//! | killed at any point | the next attempt plans again; only the open requests and the answers of half a minute are asked for twice |
//! | cancelled | stops amid a request or a wait, and commits what has come |
//! | a provider wants a pause | the step waits, says so in its progress, and goes on by itself |
//! | a request fails | it is made three times; then the others go on, and the series ends partial |
//! | a provider fails again and again | a minute of rest, a probe, three times; then the series ends with what has come |
//! | nothing is answered | the step fails; the store is as before |
//! | store away | the step is retried; committed answers stay |
//! | unknown symbol, bad file, bad range | the step fails and names file and line; nothing of that series is stored |
//! | two fetchers of one series | both commits are kept, merged |
//!
//! It deliberately never stores a bar that is not complete, never replaces a stored bar unless
//! asked to refetch, never joins prices of another scale to the stored ones, and never fills a hole
//! with anything but the provider's bars.

mod account_view;
mod asking;
mod asking_rules;
mod attended;
pub mod breaker;
pub mod conformance;
mod description;
mod error;
pub mod exchanges;
pub mod fetch;
pub mod file_provider;
mod finer;
pub mod follow;
mod gap_settings;
mod handler;
pub mod http_account;
pub mod ib;
mod learnt_spans;
pub mod ledger;
mod memos;
mod metered;
pub mod pacer;
pub mod plan;
pub mod provider;
mod provider_error;
mod provider_settings;
pub mod providers;
pub mod remote_error;
pub mod request_budget;
mod seam;
mod segment_loop;
mod segments;
mod shared_clock;
mod staging;
mod stored_state;
pub mod tally;
pub mod waits;

pub use error::FetchError;
pub use gap_settings::{ClassMinimums, GapSettings};
pub use handler::{Fetcher, FetcherSettings};
pub use provider_settings::ProviderSettings;
