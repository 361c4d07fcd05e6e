//! From a network without rules to one with rules that a training part calls for, and, once it has
//! learnt, to one without those that hardly fire.

use schemas::manifests::{
    Architecture, FeatureColumn, Firing, FuzzyInput, FuzzyMember, MemberPlace, Network, RuleSource,
    TskShape,
};
use serde::{Deserialize, Serialize};

use super::order::WIDTH_MIN;
use super::pruning::drop_members;
use super::start::range_of;
use super::{Growth, LearntRule, Start, Tsk, prune};

/// Most members of an input that are grown: low, middle and high.
const GROWN_MEMBERS_MAX: usize = 3;
/// Width of grown members in units of the scaled input with [`Firing::Mean`], as HTSK starts.
const GROWN_WIDTH: f32 = 1.0;
/// Width of a member that holds for every value, in units of the scaled input.
const BOUNDLESS_WIDTH: f32 = 50.0;

/// What the rules of a network say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleReport {
    /// Version of this layout.
    pub v: u16,
    /// Rows of the training part, over which support and degrees are means.
    pub rows: usize,
    /// Rules in the order of the rule base.
    pub rules: Vec<LearntRule>,
}

impl RuleReport {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;
}

/// `network` with the rules that its rows of the training part call for; `inputs` are these rows,
/// `[rows, features]`. A network without rules stays as it is. Equal arguments give equal rules.
pub fn build_rules(network: &Network, inputs: &[f32], seed: u64) -> Network {
    let mut built = network.clone();
    if let Architecture::Tsk(shape) = &mut built.architecture {
        match shape.from {
            RuleSource::Sets => select_rules(shape, network, inputs),
            RuleSource::Data => grow_rules(shape, network, inputs, seed),
        }
    }
    built
}

/// Rules over the members that the strategy has.
fn select_rules(shape: &mut TskShape, network: &Network, inputs: &[f32]) {
    for (column, input) in shape.base.inputs.iter_mut().enumerate() {
        let (low, high) = range_of(inputs, network.features.len(), column);
        input.low = low;
        input.high = high;
    }

    let places = places_of(shape, network);
    let start = Start {
        base: shape.base.clone(),
        centres: places.iter().map(|place| place.centre as f32).collect(),
        widths: places.iter().map(|place| place.width as f32).collect(),
    };
    shape.base = start.select_rules(inputs, shape.rules_max).base;
    // A member that no rule asks for would learn nothing.
    drop_members(&mut shape.base);
}

/// Rules around clusters of the rows.
fn grow_rules(shape: &mut TskShape, network: &Network, inputs: &[f32], seed: u64) {
    let names: Vec<String> = shape
        .base
        .inputs
        .iter()
        .map(|input| input.name.clone())
        .collect();
    let growth = Growth {
        rules: shape.rules_max,
        members: GROWN_MEMBERS_MAX,
        width: (shape.base.firing == Firing::Mean).then_some(GROWN_WIDTH),
        firing: shape.base.firing,
        seed,
    };
    let start = Start::grow(inputs, &names, growth);
    shape.base = start.base;

    // In units of the indicator, as a strategy would have put them.
    let mut places = start.centres.iter().zip(&start.widths);
    for (input, column) in shape.base.inputs.iter_mut().zip(&network.features) {
        for (member, (centre, width)) in input.members.iter_mut().zip(places.by_ref()) {
            let place = MemberPlace {
                centre: f64::from(*centre),
                width: f64::from(*width),
            };
            member.start = Some(place.unscaled_by(column));
        }
    }
}

/// Where each member lies before training, in units of the scaled inputs.
fn places_of(shape: &TskShape, network: &Network) -> Vec<MemberPlace> {
    let mut places = Vec::with_capacity(shape.base.member_count());
    for (input, column) in shape.base.inputs.iter().zip(&network.features) {
        let members = input.members.iter();
        places.extend(members.map(|member| place_of(member, input, column)));
    }
    places
}

/// The place of one member. One without bounds has the middle of the data for its centre; one
/// without a width gets the least that a member may have.
fn place_of(member: &FuzzyMember, input: &FuzzyInput, column: &FeatureColumn) -> MemberPlace {
    let place = member.start.map(|start| start.scaled_by(column));
    match place.filter(|it| it.centre.is_finite() && it.width.is_finite()) {
        Some(place) => MemberPlace {
            width: place.width.max(f64::from(WIDTH_MIN)),
            ..place
        },
        None => MemberPlace {
            centre: f64::from(f32::midpoint(input.low, input.high)),
            width: f64::from(BOUNDLESS_WIDTH),
        },
    }
}

/// The first parameters of `network` in file order, before training: the centres of all members,
/// then their widths. None for a network without rules.
pub fn initial_members(network: &Network) -> Vec<f32> {
    let Architecture::Tsk(shape) = &network.architecture else {
        return Vec::new();
    };
    let places = places_of(shape, network);
    let centres = places.iter().map(|place| place.centre as f32);
    let widths = places.iter().map(|place| place.width as f32);
    centres.chain(widths).collect()
}

/// The network and its parameters without the rules whose support over the rows of `inputs`, the
/// training part, is below its threshold. `None` if all stay.
pub fn prune_network(
    network: &Network,
    parameters: &[f32],
    inputs: &[f32],
) -> Option<(Network, Vec<f32>)> {
    let Architecture::Tsk(shape) = &network.architecture else {
        return None;
    };
    let outputs = network.output.width();
    let learnt = Tsk::new(&shape.base, outputs).learnt_rules(&shape.base, parameters, inputs);
    let supports: Vec<f64> = learnt.iter().map(|rule| rule.support).collect();
    let pruned = prune(&shape.base, outputs, &supports, shape.prune_below)?;

    let parameters = pruned.pick(parameters);
    let shape = TskShape {
        pruned_rules: shape.base.rules.len() - pruned.base.rules.len(),
        base: pruned.base,
        ..shape.clone()
    };
    let network = Network {
        architecture: Architecture::Tsk(shape),
        ..network.clone()
    };
    Some((network, parameters))
}

/// What the rules of `network` say over the rows of `inputs`, the training part; `None` for a
/// network without rules.
pub fn report_rules(network: &Network, parameters: &[f32], inputs: &[f32]) -> Option<RuleReport> {
    let Architecture::Tsk(shape) = &network.architecture else {
        return None;
    };
    let mut learner = Tsk::new(&shape.base, network.output.width());
    Some(RuleReport {
        v: RuleReport::VERSION,
        rows: inputs.len() / network.features.len().max(1),
        rules: learner.learnt_rules(&shape.base, parameters, inputs),
    })
}
