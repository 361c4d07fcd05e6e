//! Every indicator type, one file each. To add a type, write its file with a `SPEC`, and add it to
//! the two lists below: as a module and in [`SPECS`].

mod ad_line;
mod adx;
mod aroon;
mod atr;
mod bollinger_band_width;
mod bollinger_bands;
mod cci;
mod cmf;
mod dema;
mod distance_from_ma;
mod donchian_channels;
mod ema;
mod fisher_transform;
mod ichimoku;
mod kama;
mod keltner_channels;
mod linear_regression_slope;
mod macd;
mod mfi;
mod momentum;
mod natr;
mod obv;
mod parabolic_sar;
mod roc;
mod rsi;
mod rvi;
mod sma;
mod squeeze_intensity;
mod standard_deviation;
mod stochastic;
mod supertrend;
mod tema;
mod trix;
mod true_range;
mod ultimate_oscillator;
mod volume_ratio;
mod vwap;
mod williams_r;
mod wma;

mod label_only;

use schemas::spelling;

use super::engine::IndicatorSpec;
pub use label_only::{LabelOnlySpec, ZIGZAG_THRESHOLD, find_label_only, label_only};

static SPECS: &[IndicatorSpec] = &[
    ad_line::SPEC,
    adx::SPEC,
    aroon::SPEC,
    atr::SPEC,
    bollinger_band_width::SPEC,
    bollinger_bands::SPEC,
    cci::SPEC,
    cmf::SPEC,
    dema::SPEC,
    distance_from_ma::SPEC,
    donchian_channels::SPEC,
    ema::SPEC,
    fisher_transform::SPEC,
    ichimoku::SPEC,
    kama::SPEC,
    keltner_channels::SPEC,
    linear_regression_slope::SPEC,
    macd::SPEC,
    mfi::SPEC,
    momentum::SPEC,
    natr::SPEC,
    obv::SPEC,
    parabolic_sar::SPEC,
    roc::SPEC,
    rsi::SPEC,
    rvi::SPEC,
    sma::SPEC,
    squeeze_intensity::SPEC,
    standard_deviation::SPEC,
    stochastic::SPEC,
    supertrend::SPEC,
    tema::SPEC,
    trix::SPEC,
    true_range::SPEC,
    ultimate_oscillator::SPEC,
    volume_ratio::SPEC,
    vwap::SPEC,
    williams_r::SPEC,
    wma::SPEC,
];

/// Every indicator type, in alphabetical order of its file.
pub fn specs() -> &'static [IndicatorSpec] {
    SPECS
}

/// The type with that name or alias, without regard to case.
pub fn find(name: &str) -> Option<&'static IndicatorSpec> {
    SPECS
        .iter()
        .find(|spec| has_name(spec.name, spec.aliases, name))
}

/// The name or alias most similar to a misspelt one, if one is similar. Types that can only be
/// labels are among the candidates.
pub fn nearest_name(name: &str) -> Option<&'static str> {
    let indicators = SPECS.iter().map(|spec| (spec.name, spec.aliases));
    let labels = label_only().iter().map(|spec| (spec.name, spec.aliases));
    let names = indicators
        .chain(labels)
        .flat_map(|(name, aliases)| std::iter::once(name).chain(aliases.iter().copied()));

    spelling::nearest_name(name, names)
}

/// True when `candidate` is the name or one of the aliases, in any case.
fn has_name(name: &str, aliases: &[&str], candidate: &str) -> bool {
    std::iter::once(&name)
        .chain(aliases)
        .any(|each| each.eq_ignore_ascii_case(candidate))
}
