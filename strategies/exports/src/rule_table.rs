//! The rules of a neuro-fuzzy network as a table: a line a rule, with all that a prediction takes,
//! in units of the columns.

use networks::Model;
use networks::tsk::RuleReport;
use schemas::manifests::{
    Architecture, Firing, MemberPlace, Network, OpenSide, OutputKind, RuleBase,
};

use crate::ExportError;
use crate::scaling::Scaling;
use crate::tensors::{Tensors, values};

/// CSV with a line a rule: `rule` (from 1), `sentence`, `support`, `divisor`, then of each input
/// `NAME.member`, `NAME.centre`, `NAME.width` and `NAME.open` (empty where the rule leaves it out),
/// then of each output `NAME.constant` and its factor for each column, `NAME.COLUMN`.
///
/// For a row x of columns, a rule's exponent is −Σ d² / (2·width²) / divisor over its members, with
/// d = x − centre, or 0 on the open side; its share is e^exponent / Σ e^exponent over the rules. An
/// output is Σ over the rules of share · (constant + Σ factor · x): softmax of them gives the
/// probabilities, a temperature is in them already; that of a regression is the forward return.
///
/// # Errors
/// The network has no rules.
pub fn rule_table(model: &Model, report: &RuleReport) -> Result<String, ExportError> {
    let network = model.network();
    let Architecture::Tsk(shape) = &network.architecture else {
        return Err(ExportError::Unsupported {
            network: network.architecture.name(),
            format: "a table of rules",
        });
    };

    let table = RuleTable {
        base: &shape.base,
        network,
        places: model.learnt_members(),
        outputs: Consequents::of(model),
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = table.write(report, &mut writer);
    written.map_err(|error| std::io::Error::other(error.to_string()))?;
    let bytes = writer.into_inner();
    let bytes = bytes.map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

struct RuleTable<'a> {
    base: &'a RuleBase,
    network: &'a Network,
    /// Where each member lies, in units of its column, members in file order.
    places: Vec<MemberPlace>,
    outputs: Consequents,
}

impl RuleTable<'_> {
    fn write(
        &self,
        report: &RuleReport,
        writer: &mut csv::Writer<Vec<u8>>,
    ) -> Result<(), csv::Error> {
        writer.write_record(self.heads())?;
        for (number, members) in self.base.rules.iter().enumerate() {
            let learnt = report.rules.get(number);
            let sentence = learnt.map(|rule| rule.sentence(self.base, &self.network.output));
            let support = learnt.map(|rule| rule.support.to_string());
            let divisor = match self.base.firing {
                Firing::Mean => members.iter().flatten().count().max(1),
                Firing::Product => 1,
            };

            let mut record = vec![
                (number + 1).to_string(),
                sentence.unwrap_or_default(),
                support.unwrap_or_default(),
                divisor.to_string(),
            ];
            self.add_members(members, &mut record);
            record.extend(self.outputs.of_rule(number));
            writer.write_record(record)?;
        }
        writer.flush()?;
        Ok(())
    }

    fn heads(&self) -> Vec<String> {
        let fixed = ["rule", "sentence", "support", "divisor"];
        let mut heads: Vec<String> = fixed.iter().map(|head| (*head).to_owned()).collect();
        for column in &self.network.features {
            let parts = ["member", "centre", "width", "open"];
            heads.extend(parts.iter().map(|part| format!("{}.{part}", column.name)));
        }

        let outputs = match &self.network.output {
            OutputKind::Classes { names } => names.clone(),
            OutputKind::Regression => vec!["forward_return".to_owned()],
        };
        for output in outputs {
            heads.push(format!("{output}.constant"));
            let columns = self.network.features.iter();
            heads.extend(columns.map(|column| format!("{output}.{}", column.name)));
        }
        heads
    }

    /// Four cells of each input.
    fn add_members(&self, members: &[Option<usize>], record: &mut Vec<String>) {
        let inputs = self.base.inputs.iter().zip(self.base.first_members());
        for (member, (input, first)) in members.iter().zip(inputs) {
            let described = member.and_then(|member| input.members.get(member));
            let place = member.and_then(|member| self.places.get(first + member));
            let open = match described.and_then(|member| member.open) {
                Some(OpenSide::Below) => "below",
                Some(OpenSide::Above) => "above",
                None => "",
            };

            record.push(described.map_or_else(String::new, |member| member.name.clone()));
            record.push(place.map_or_else(String::new, |place| place.centre.to_string()));
            record.push(place.map_or_else(String::new, |place| place.width.to_string()));
            record.push(open.to_owned());
        }
    }
}

/// The linear functions of all rules, of unscaled columns and with the temperature in them.
struct Consequents {
    /// `[rules][outputs]` constants and factors, as one run of cells.
    cells: Vec<f64>,
    /// Cells of a rule.
    width: usize,
}

impl Consequents {
    fn of(model: &Model) -> Self {
        let network = model.network();
        let tensors: Tensors<'_> = model.tensors().collect();
        let weights = values(&tensors, "consequents.weight");
        let constants = values(&tensors, "consequents.bias");
        let scaling = Scaling::of(network);
        let inputs = network.features.len();
        let temperature = model.temperature().unwrap_or(1.0);

        // w · (x − offset) · factor + b = (w · factor) · x + (b − Σ w · factor · offset)
        let mut cells = Vec::with_capacity(weights.len() + constants.len());
        for (weights, constant) in weights.chunks(inputs.max(1)).zip(constants) {
            let factors = weights.iter().zip(&scaling.factors);
            let factors: Vec<f64> = factors.map(|(w, factor)| f64::from(*w) * factor).collect();
            let moved = factors.iter().zip(&scaling.offsets);
            let moved: f64 = moved.map(|(factor, offset)| factor * offset).sum();

            cells.push((f64::from(constant) - moved) / temperature);
            cells.extend(factors.iter().map(|factor| factor / temperature));
        }
        Self {
            cells,
            width: network.output.width() * (inputs + 1),
        }
    }

    fn of_rule(&self, number: usize) -> impl Iterator<Item = String> {
        let first = number * self.width;
        let cells = self.cells.get(first..first + self.width);
        cells.unwrap_or_default().iter().map(f64::to_string)
    }
}
