//! The parts that formulas are made of: windows, averages, extremes. Each takes one value at a
//! time, and some take a block of rows, with the same bits.

mod order;
mod ring;
mod sums;

mod delay;
mod first_seeded;
mod money_flow;
mod patchy_mean;
mod prefix_sums;
mod ramp_sum;
mod rolling_flow;
mod rolling_moments;
mod rolling_pair;
mod rolling_range;
mod rolling_sum;
mod seeded_average;
mod since_maximum;
mod true_range;

pub(crate) use delay::Delay;
pub(crate) use first_seeded::FirstSeeded;
pub(crate) use money_flow::{fill_money_flows, money_flow_multiplier};
pub(crate) use order::{larger_of, smaller_of};
pub(crate) use patchy_mean::PatchyMean;
pub(crate) use prefix_sums::PrefixSums;
pub(crate) use ramp_sum::RampSum;
pub(crate) use rolling_flow::RollingFlow;
pub(crate) use rolling_moments::{MeanAndDeviation, RollingMoments};
pub(crate) use rolling_pair::RollingPair;
pub(crate) use rolling_range::RollingRange;
pub(crate) use rolling_sum::RollingSum;
pub(crate) use seeded_average::SeededAverage;
pub(crate) use since_maximum::SinceMaximum;
pub(crate) use sums::{sum_by, sum_of};
pub(crate) use true_range::{fill_true_ranges, true_range};

#[cfg(test)]
mod tests;
