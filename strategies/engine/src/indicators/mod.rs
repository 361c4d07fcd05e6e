//! Indicators: every type the grammar knows, its parameters, and its values over bars.
//!
//! Definitions are the field's standard ones, as TA-Lib computes them, undefined rows included;
//! where a type has a well-known variant a parameter reaches it. To add a type, write its file with
//! a `SPEC` and add a line to [`SPECS`].
//!
//! Rules that hold for all types: the value at row i uses rows up to i only; rows before the
//! warm-up is over are NaN; a missing (NaN or infinite) input makes its row undefined and starts
//! the warm-up again; outputs are finite or NaN.

mod kernel;
mod label_only;
mod parameters;
mod reader;
mod rolling_pair;
mod spec;
mod stream;

mod average;
mod extremes;
mod moments;
mod prefix_sums;
mod window;

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

use std::collections::BTreeMap;
use std::fmt;

use market::{BarSlice, Bars};
use schemas::spelling;
use thiserror::Error;

pub use kernel::Bar;
pub(crate) use kernel::Walk;
pub use label_only::{LabelOnlySpec, ZIGZAG_THRESHOLD, find_label_only, label_only};
use parameters::Parameters;
pub use parameters::{ParameterError, Value};
use reader::Source;
pub use spec::{IndicatorSpec, ParameterKind, ParameterSpec};
pub use stream::{Stream, StreamError, StreamState};

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

/// Every indicator type, by name.
pub fn specs() -> &'static [IndicatorSpec] {
    SPECS
}

/// The type with that name or alias, without regard to case.
pub fn find(name: &str) -> Option<&'static IndicatorSpec> {
    let matches = |known: &&str| known.eq_ignore_ascii_case(name);
    SPECS
        .iter()
        .find(|spec| matches(&spec.name) || spec.aliases.iter().any(matches))
}

/// The known name or alias most similar to a misspelt one, those that may only label included, if
/// one is similar.
pub fn nearest_name(name: &str) -> Option<&'static str> {
    let all = SPECS.iter().map(|spec| (spec.name, spec.aliases));
    let all = all.chain(label_only().iter().map(|spec| (spec.name, spec.aliases)));
    spelling::nearest_name(
        name,
        all.flat_map(|(name, aliases)| std::iter::once(name).chain(aliases.iter().copied())),
    )
}

/// Why an indicator cannot be computed over these bars.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IndicatorError {
    /// The indicator reads volume and no bar has one.
    #[error("{indicator} needs volume and none of the {rows} bars has one")]
    VolumeMissing {
        /// Indicator type.
        indicator: &'static str,
        /// Number of bars.
        rows: usize,
    },
    /// The columns of the bars differ in length.
    #[error("{indicator} was given bars whose columns differ in length")]
    RaggedBars {
        /// Indicator type.
        indicator: &'static str,
    },
}

impl IndicatorError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::VolumeMissing { .. } => {
                "use a provider with volume for this series, or an indicator without it"
            }
            Self::RaggedBars { .. } => "build the bars with one value per column and row",
        }
    }
}

/// One indicator: a type with legal parameters.
#[derive(Clone, Debug)]
pub struct Indicator {
    spec: &'static IndicatorSpec,
    parameters: Parameters,
}

impl Indicator {
    /// Checks the parameters and fills in defaults.
    ///
    /// # Errors
    /// Every unknown parameter, wrong type and value out of bounds.
    pub fn new(
        spec: &'static IndicatorSpec,
        parameters: &BTreeMap<String, Value>,
    ) -> Result<Self, Vec<ParameterError>> {
        Ok(Self {
            spec,
            parameters: Parameters::resolve(spec, parameters)?,
        })
    }

    /// The type.
    pub fn spec(&self) -> &'static IndicatorSpec {
        self.spec
    }

    /// Name and effective value of every parameter, defaults included, in the order of the
    /// specification.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.parameters.iter()
    }

    /// Rows before the first one at which every output is defined, in bars without gaps.
    pub fn warm_up(&self) -> usize {
        (self.spec.warm_up)(&self.parameters)
    }

    /// True when the values are made from traded volume.
    pub fn needs_volume(&self) -> bool {
        self.spec.needs_volume
            || (self.spec.parameter("source").is_some()
                && self.parameters.source() == Source::Volume)
    }

    /// One column per output, in the specification's order, each as long as the bars; NaN =
    /// undefined.
    ///
    /// # Errors
    /// No bar has a volume although the indicator needs it; columns of different lengths.
    pub fn compute(&self, bars: &Bars) -> Result<Vec<Vec<f64>>, IndicatorError> {
        let mut columns = Vec::new();
        self.compute_into(bars, &mut columns)?;
        Ok(columns)
    }

    /// As [`Indicator::compute`], into the memory that `columns` has already; what it held is lost.
    ///
    /// # Errors
    /// Those of [`Indicator::compute`].
    pub fn compute_into(
        &self,
        bars: &Bars,
        columns: &mut Vec<Vec<f64>>,
    ) -> Result<(), IndicatorError> {
        self.check_volume(bars.as_slice())?;
        let mut walk = self.walk(bars.as_slice())?;
        columns.resize_with(self.spec.output_count(), Vec::new);
        columns
            .iter_mut()
            .for_each(|column| column.resize(bars.len(), f64::NAN));
        walk.fill(
            &mut columns
                .iter_mut()
                .map(Vec::as_mut_slice)
                .collect::<Vec<_>>(),
        );
        Ok(())
    }

    /// Refuses bars none of which has a volume where the values are made from it.
    pub(crate) fn check_volume(&self, bars: BarSlice<'_>) -> Result<(), IndicatorError> {
        if !bars.is_empty()
            && self.needs_volume()
            && bars.volume.iter().all(|volume| volume.is_nan())
        {
            return Err(IndicatorError::VolumeMissing {
                indicator: self.spec.name,
                rows: bars.len(),
            });
        }
        Ok(())
    }

    /// The values of [`Indicator::compute`], as many rows at a time as the caller has room for;
    /// undefined without volume.
    ///
    /// # Errors
    /// Columns of different lengths.
    pub(crate) fn walk<'a>(
        &self,
        bars: BarSlice<'a>,
    ) -> Result<Box<dyn Walk + 'a>, IndicatorError> {
        let columns = [bars.open, bars.high, bars.low, bars.close, bars.volume];
        if columns.iter().any(|column| column.len() != bars.len()) {
            return Err(IndicatorError::RaggedBars {
                indicator: self.spec.name,
            });
        }
        Ok((self.spec.start)(&self.parameters).over(bars))
    }
}

impl fmt::Display for Indicator {
    /// Type and effective parameters:
    /// `bollingerbands period=20 multiplier=2.0 source="close" ddof=0`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.spec.name)?;
        self.parameters
            .iter()
            .try_for_each(|(name, value)| match value {
                Value::Integer(value) => write!(formatter, " {name}={value}"),
                Value::Float(value) => write!(formatter, " {name}={value:?}"),
                Value::Boolean(value) => write!(formatter, " {name}={value}"),
                Value::Text(value) => write!(formatter, " {name}={value:?}"),
            })
    }
}

#[cfg(test)]
mod tests;
