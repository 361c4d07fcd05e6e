//! What an indicator type is: its names, parameters, outputs, formula, warm-up and kernel.
//!
//! Everything a reader, a validator or a documentation page needs to know about a type is in its
//! [`IndicatorSpec`]; parsing, bounds, defaults and warm-up are derived from it and written nowhere
//! else.

use super::parameter_spec::ParameterSpec;
use super::parameters::Parameters;
use super::runner::Engine;

/// One indicator type.
#[derive(Clone, Copy, Debug)]
pub struct IndicatorSpec {
    /// Canonical name, lower case.
    pub name: &'static str,
    /// Other accepted names, lower case.
    pub aliases: &'static [&'static str],
    /// Parameters in documentation order.
    pub parameters: &'static [ParameterSpec],
    /// Output names in column order, the first being the primary one; empty = one unnamed output.
    pub outputs: &'static [&'static str],
    /// True when the formula needs traded volume whatever its parameters are.
    pub needs_volume: bool,
    /// The formula in plain notation, with its seed and what is undefined.
    pub formula: &'static str,
    /// Where the formula comes from.
    pub source: &'static str,
    /// Rows before the first one at which every output is defined.
    pub(crate) warm_up: fn(&Parameters) -> usize,
    /// Makes a computation that has seen no bar.
    pub(crate) start: fn(&Parameters) -> Box<dyn Engine>,
}

impl IndicatorSpec {
    /// Number of columns that the type yields, at least 1.
    pub fn output_count(&self) -> usize {
        self.outputs.len().max(1)
    }

    /// The parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&'static ParameterSpec> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name == name)
    }
}
