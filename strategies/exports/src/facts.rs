//! What a reader of an exported network must know besides the network.

use networks::Model;
use schemas::manifests::{Architecture, OutputKind};

/// Where an exported network comes from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// `NAME@VERSION`.
    pub model: &'a str,
    /// The hash of its artifact.
    pub artifact: &'a str,
    /// The hash of the text of its strategy.
    pub strategy_sha256: &'a str,
    /// The probability that a decision needs, where the training has chosen it.
    pub threshold: Option<f64>,
}

impl Facts<'_> {
    /// All facts by name: the origin, the columns in order, the classes in order,
    /// the rows of a window, the temperature.
    pub(crate) fn listed(&self, model: &Model) -> Vec<(&'static str, String)> {
        let network = model.network();
        let columns = network.features.iter().map(|column| column.name.as_str());
        let mut facts = vec![
            ("model", self.model.to_owned()),
            ("artifact", self.artifact.to_owned()),
            ("strategy_sha256", self.strategy_sha256.to_owned()),
            ("features", columns.collect::<Vec<&str>>().join(",")),
        ];

        if let OutputKind::Classes { names } = &network.output {
            facts.push(("classes", names.join(",")));
        }
        if let Architecture::Lstm(shape) | Architecture::Gru(shape) = &network.architecture {
            facts.push(("sequence_length", shape.sequence_length.to_string()));
        }
        let temperature = model.temperature();
        facts.extend(temperature.map(|temperature| ("temperature", temperature.to_string())));
        let threshold = self.threshold;
        facts.extend(threshold.map(|threshold| ("confidence_threshold", threshold.to_string())));
        facts
    }
}
