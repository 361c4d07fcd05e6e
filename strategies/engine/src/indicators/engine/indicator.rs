//! One indicator: a type with legal parameters, computed over whole series of bars.

use std::collections::BTreeMap;
use std::fmt;

use market::{BarSlice, Bars};
use thiserror::Error;

use super::parameters::{ParameterError, Parameters, Value};
use super::reader::Source;
use super::runner::{Engine, Walk};
use super::spec::IndicatorSpec;

/// Why an indicator cannot be computed over these bars.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IndicatorError {
    /// The indicator reads volume and no bar has one.
    #[error("{indicator} needs volume and none of the {rows} bars has one")]
    VolumeMissing {
        /// Type of the indicator.
        indicator: &'static str,
        /// Number of bars.
        rows: usize,
    },
    /// The columns of the bars differ in length.
    #[error("{indicator} was given bars whose columns differ in length")]
    RaggedBars {
        /// Type of the indicator.
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
        let parameters = Parameters::resolve(spec.name, spec.parameters, parameters)?;
        Ok(Self { spec, parameters })
    }

    /// The type of the indicator.
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
        // A type over any source reads volume only where its parameters name it.
        let has_source = self.spec.parameter("source").is_some();
        self.spec.needs_volume || (has_source && self.parameters.source() == Source::Volume)
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

    /// As [`Indicator::compute`], into the memory that `columns` already owns; its values are
    /// overwritten.
    ///
    /// # Errors
    /// Those of [`Indicator::compute`].
    pub fn compute_into(
        &self,
        bars: &Bars,
        columns: &mut Vec<Vec<f64>>,
    ) -> Result<(), IndicatorError> {
        self.check_volume(bars.as_slice())?;
        let walk = self.walk(bars.as_slice())?;

        self.fill_columns(walk, bars.len(), columns);
        Ok(())
    }

    /// As [`Indicator::compute_into`] with the same bits, but step by step even where the type has
    /// a block kernel: what the bench `block_kernels` measures a block kernel against.
    ///
    /// # Errors
    /// Those of [`Indicator::compute`].
    pub fn compute_by_steps(
        &self,
        bars: &Bars,
        columns: &mut Vec<Vec<f64>>,
    ) -> Result<(), IndicatorError> {
        self.check_volume(bars.as_slice())?;
        self.check_lengths(bars.as_slice())?;
        let walk = self.start().over_by_steps(bars.as_slice());

        self.fill_columns(walk, bars.len(), columns);
        Ok(())
    }

    /// True when whole series of the type are computed by a block kernel.
    pub fn has_block_kernel(&self) -> bool {
        self.start().has_blocks()
    }

    /// Refuses bars none of which has a volume where the values are made from it.
    pub(crate) fn check_volume(&self, bars: BarSlice<'_>) -> Result<(), IndicatorError> {
        // Single bars may lack volume; only a series in which none has any is refused.
        let has_volume = bars.volume.iter().any(|volume| !volume.is_nan());

        if !bars.is_empty() && self.needs_volume() && !has_volume {
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
        self.check_lengths(bars)?;
        Ok(self.start().over(bars))
    }

    /// A computation that has seen no bar.
    pub(crate) fn start(&self) -> Box<dyn Engine> {
        (self.spec.start)(&self.parameters)
    }

    fn check_lengths(&self, bars: BarSlice<'_>) -> Result<(), IndicatorError> {
        let columns = [bars.open, bars.high, bars.low, bars.close, bars.volume];
        if columns.iter().any(|column| column.len() != bars.len()) {
            return Err(IndicatorError::RaggedBars {
                indicator: self.spec.name,
            });
        }
        Ok(())
    }

    fn fill_columns(&self, mut walk: Box<dyn Walk + '_>, rows: usize, columns: &mut Vec<Vec<f64>>) {
        // Resizing keeps the memory of earlier calls, which makes a second series cheaper.
        columns.resize_with(self.spec.output_count(), Vec::new);
        for column in &mut *columns {
            column.resize(rows, f64::NAN);
        }

        let mut slices: Vec<_> = columns.iter_mut().map(Vec::as_mut_slice).collect();
        walk.fill(&mut slices);
    }
}

impl fmt::Display for Indicator {
    /// Type and effective parameters:
    /// `bollingerbands period=20 multiplier=2.0 source="close" ddof=0`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.spec.name)?;

        for (name, value) in self.parameters.iter() {
            match value {
                Value::Integer(value) => write!(formatter, " {name}={value}")?,
                // `{:?}` keeps the point of 2.0, so a float does not read like an integer.
                Value::Float(value) => write!(formatter, " {name}={value:?}")?,
                Value::Boolean(value) => write!(formatter, " {name}={value}")?,
                Value::Text(value) => write!(formatter, " {name}={value:?}")?,
            }
        }
        Ok(())
    }
}
