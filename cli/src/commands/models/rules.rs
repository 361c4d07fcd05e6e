//! `ktrdr models rules`: what a neuro-fuzzy network has learnt, in the words of its strategy.

use networks::tsk::{LearntRule, RuleReport};
use schemas::codes;
use schemas::manifests::{
    Architecture, FuzzyMember, MemberPlace, ModelManifest, Network, OpenSide, TskShape,
};
use schemas::names::RULES_FILE;
use serde_json::{Value, json};
use store::Artifact;

use super::open_model::open_network;
use super::registry::open_store_to_read;
use crate::console::{Exit, Failure, count_of, print_pairs};
use crate::context::Context;
use crate::inputs::models::{ModelArgs, find_model};

/// Shows the rules of one version, those that fire most first, and where their members lie.
///
/// # Errors
/// There is no such version, it has no rules, or the store cannot be read.
pub(super) async fn run(args: &ModelArgs, context: &Context) -> Result<Exit, Failure> {
    let store = open_store_to_read(context).await?;
    let model = find_model(&store, &args.model).await?;
    let artifact = store.artifacts().read(&model.artifact).await?;
    let network = &artifact.manifest.network;
    let shape = rule_shape(&model, network)?;
    let rules = Rules {
        name: format!("{}@{}", model.name, model.version),
        network,
        shape,
        report: read_report(&model, &artifact)?,
        places: open_network(&model, &artifact)?.learnt_members(),
    };

    for rule in rules.strongest_first() {
        context.output.json(&rules.rule_json(&rule));
    }
    print_pairs(&context.output, &rules.lines());
    context.output.line("");
    rules.show_members(context);
    Ok(Exit::Done)
}

/// The rule base of a network.
///
/// # Errors
/// It has none.
pub(super) fn rule_shape<'a>(
    model: &ModelManifest,
    network: &'a Network,
) -> Result<&'a TskShape, Failure> {
    match &network.architecture {
        Architecture::Tsk(shape) => Ok(shape),
        other => {
            let message = format!(
                "{}@{} has no rules: its network is of type {}",
                model.name,
                model.version,
                other.name()
            );
            Err(
                Failure::new(Exit::NotFound, codes::MODEL_NO_RULES, message).with_hint(
                    "models of `type: tsk` have rules: `ktrdr train eurusd_rules` trains one",
                ),
            )
        }
    }
}

/// The rules as they were measured after the training.
///
/// # Errors
/// The artifact has none that this program reads.
pub(super) fn read_report(
    model: &ModelManifest,
    artifact: &Artifact,
) -> Result<RuleReport, Failure> {
    let bytes = artifact.files.get(RULES_FILE);
    let report = bytes.and_then(|bytes| serde_json::from_slice(bytes).ok());

    report.ok_or_else(|| {
        let message = format!(
            "the artifact {} holds no {RULES_FILE} that this program can read",
            model.artifact
        );
        Failure::new(Exit::Failed, codes::MODEL_INCOMPLETE, message)
            .with_hint("train the model again")
    })
}

/// The rules of one version.
struct Rules<'a> {
    /// `NAME@VERSION`.
    name: String,
    network: &'a Network,
    shape: &'a TskShape,
    report: RuleReport,
    /// Where training has moved each member, in units of its indicator, members in file order.
    places: Vec<MemberPlace>,
}

/// A rule and its number, from 1.
struct NumberedRule<'a> {
    number: usize,
    rule: &'a LearntRule,
}

impl Rules<'_> {
    fn strongest_first(&self) -> Vec<NumberedRule<'_>> {
        let rules = self.report.rules.iter().enumerate();
        let mut numbered = Vec::with_capacity(self.report.rules.len());
        for (index, rule) in rules {
            let number = index + 1;
            numbered.push(NumberedRule { number, rule });
        }

        numbered.sort_by(|one, other| other.rule.support.total_cmp(&one.rule.support));
        numbered
    }

    fn sentence_of(&self, rule: &LearntRule) -> String {
        rule.sentence(&self.shape.base, &self.network.output)
    }

    /// The version, then a rule a line.
    fn lines(&self) -> Vec<(String, String)> {
        let mut summary = format!(
            "{} over {} rows of the training part",
            count_of(self.report.rules.len(), "rule"),
            self.report.rows
        );
        if self.shape.pruned_rules > 0 {
            let pruned = count_of(self.shape.pruned_rules, "rule");
            let percent = 100.0 * self.shape.prune_below;
            summary = format!("{summary}; {pruned} pruned for a support below {percent} %");
        }

        let mut lines = vec![
            ("model".to_owned(), self.name.clone()),
            ("rules".to_owned(), summary),
        ];
        for numbered in self.strongest_first() {
            let name = format!("rule {}", numbered.number);
            lines.push((name, self.sentence_of(numbered.rule)));
        }
        lines
    }

    fn rule_json(&self, numbered: &NumberedRule<'_>) -> Value {
        let rule = numbered.rule;
        json!({
            "type": "rule",
            "model": self.name,
            "rule": numbered.number,
            "sentence": self.sentence_of(rule),
            "support": rule.support,
            "members": self.members_json(rule),
            "scores": rule.scores,
        })
    }

    /// Which member of which input a rule asks for, by their names.
    fn members_json(&self, rule: &LearntRule) -> Vec<Value> {
        let mut members = Vec::with_capacity(rule.members.len());
        for place in &rule.members {
            let input = self.shape.base.inputs.get(place.input);
            let member = input.and_then(|input| input.members.get(place.member));
            members.push(json!({
                "input": input.map(|input| &input.name),
                "member": member.map(|member| &member.name),
                "degree": place.degree,
            }));
        }
        members
    }

    /// Where each member lies now, and where it lay before training.
    fn show_members(&self, context: &Context) {
        let mut rows = Vec::with_capacity(self.places.len());
        let mut places = self.places.iter();
        for input in &self.shape.base.inputs {
            for (member, place) in input.members.iter().zip(places.by_ref()) {
                context.output.json(&json!({
                    "type": "member",
                    "model": self.name,
                    "input": input.name,
                    "member": member.name,
                    "open": member.open,
                    "centre": place.centre,
                    "width": place.width,
                    "before": member.start,
                }));
                rows.push(vec![
                    input.name.clone(),
                    member.name.clone(),
                    full_at(member, Some(*place)),
                    figure(place.width),
                    full_at(member, member.start),
                ]);
            }
        }

        let heads = ["INPUT", "MEMBER", "FULL", "WIDTH", "FULL BEFORE"];
        context.output.table(&heads, &rows);
    }
}

/// Where the degree of a member is 1.
fn full_at(member: &FuzzyMember, place: Option<MemberPlace>) -> String {
    let Some(place) = place else {
        return "everywhere".to_owned();
    };
    let centre = figure(place.centre);
    match member.open {
        Some(OpenSide::Below) => format!("up to {centre}"),
        Some(OpenSide::Above) => format!("from {centre}"),
        None => format!("at {centre}"),
    }
}

/// Four significant digits: members lie at prices as well as at rates.
fn figure(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits_before = value.abs().log10().floor() as i32 + 1;
    let decimals = usize::try_from((4 - digits_before).clamp(0, 12)).unwrap_or(0);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_four_digits_at_any_size() {
        let figures = [0.0, 12.3456, -0.001_234_56, 98_765.4, 1.0].map(figure);
        assert_eq!(figures, ["0", "12.35", "-0.001235", "98765", "1.000"]);
    }
}
