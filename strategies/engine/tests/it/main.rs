//! All integration tests of this crate in one program, so that the crate is linked once.

#[cfg(test)]
mod block_kernels_page;
#[cfg(test)]
mod broken;
#[cfg(test)]
mod catalog;
#[cfg(test)]
mod config_cases;
#[cfg(test)]
mod costs;
#[cfg(test)]
mod data_sets;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod edited_text;
#[cfg(test)]
mod exact_ties;
#[cfg(test)]
mod features_golden;
#[cfg(test)]
mod forward_returns;
#[cfg(test)]
mod golden_data;
#[cfg(test)]
mod golden_indicators;
#[cfg(test)]
mod golden_labels;
#[cfg(test)]
mod golden_memberships;
#[cfg(test)]
mod good_strategy;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod indicator_definitions;
#[cfg(test)]
mod indicators_page;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod purge;
#[cfg(test)]
mod random_walk;
#[cfg(test)]
mod recurrent;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod rule_base;
#[cfg(test)]
mod sample_bars;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod strategies_page;
#[cfg(test)]
mod streaming;
#[cfg(test)]
mod threads;
#[cfg(test)]
mod training_settings;
#[cfg(test)]
mod validate;
