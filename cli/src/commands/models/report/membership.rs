//! The fuzzy sets of a model as curves: those of the strategy, and of a neuro-fuzzy network where
//! training has moved them.

use networks::tsk::RuleReport;
use schemas::manifests::{Architecture, FuzzyInput, MemberPlace, Network, OpenSide, TskShape};
use strategies::fuzzy::Membership;
use strategies::{FeatureKind, Resolved};

use super::super::open_model::OpenModel;
use super::figures::Figure;
use super::markup::{Markup, Table};
use super::numbers::{axis_number, axis_percent};
use super::picture::{Alternative, DrawError, Look};
use super::plot::{Axis, Line, Plot, Point};

/// Points of a curve.
const CURVE_POINTS: u32 = 120;
/// Most sets that are drawn.
pub(super) const SETS_MAX: usize = 12;
const SIZE: [u32; 2] = [960, 480];

/// The members of one fuzzy set.
pub(super) struct DrawnSet {
    pub(super) name: String,
    pub(super) members: Vec<DrawnMember>,
}

/// A member with its degrees.
pub(super) struct DrawnMember {
    name: String,
    curve: Curve,
    /// Where it lay before training, for members that learn.
    before: Option<Curve>,
}

/// How the degree depends on the value.
#[derive(Clone, Copy)]
enum Curve {
    /// As a strategy has it.
    Function(Membership),
    /// As a network has it.
    Gaussian {
        place: MemberPlace,
        open: Option<OpenSide>,
    },
}

impl Curve {
    fn degree(self, x: f64) -> f64 {
        match self {
            Self::Function(function) => function.degree(x),
            Self::Gaussian { place, open } => {
                let distance = x - place.centre;
                let is_open = match open {
                    Some(OpenSide::Below) => distance <= 0.0,
                    Some(OpenSide::Above) => distance >= 0.0,
                    None => false,
                };
                if is_open {
                    return 1.0;
                }
                let widths = distance / place.width.max(f64::MIN_POSITIVE);
                (-0.5 * widths * widths).exp()
            }
        }
    }

    /// Values between which something happens.
    fn reach(self) -> Vec<f64> {
        let around = |centre: f64, width: f64| vec![centre - width, centre + width];

        let values = match self {
            Self::Gaussian { place, .. } => around(place.centre, 2.5 * place.width),
            Self::Function(Membership::Gaussian { mean, deviation }) => {
                around(mean, 3.0 * deviation)
            }
            Self::Function(Membership::Bell { width, centre, .. }) => around(centre, 3.0 * width),
            Self::Function(Membership::Sigmoid { slope, centre }) => {
                around(centre, 6.0 / slope.abs())
            }
            Self::Function(Membership::Singleton { at }) => around(at, at.abs().max(1.0) * 0.1),
            Self::Function(other) => other.type_and_parameters().1,
        };
        values
            .into_iter()
            .filter(|value| value.is_finite())
            .collect()
    }
}

/// The sets that a model reads, each once.
pub(super) fn sets_of(model: &OpenModel) -> Vec<DrawnSet> {
    match &model.network.architecture {
        Architecture::Tsk(shape) => learnt_sets(shape, &model.forward().learnt_members()),
        _ => strategy_sets(&model.resolved),
    }
}

/// The sets as the strategy has them, which training does not change.
fn strategy_sets(resolved: &Resolved) -> Vec<DrawnSet> {
    let mut sets: Vec<DrawnSet> = Vec::new();
    for feature in &resolved.features {
        let FeatureKind::Membership { set, function, .. } = &feature.kind else {
            continue;
        };
        // Timeframes and lags repeat the members.
        let prefix = format!("{}_{set}_", feature.timeframe);
        if feature.lag > 0 {
            continue;
        }
        let name = feature.name.strip_prefix(&prefix).unwrap_or(&feature.name);
        let member = DrawnMember {
            name: name.to_owned(),
            curve: Curve::Function(*function),
            before: None,
        };

        match sets.iter_mut().find(|drawn| drawn.name == *set) {
            None => sets.push(DrawnSet {
                name: set.clone(),
                members: vec![member],
            }),
            Some(drawn) if drawn.members.iter().all(|it| it.name != member.name) => {
                drawn.members.push(member);
            }
            Some(_) => {}
        }
    }
    sets
}

/// The members of a neuro-fuzzy network, before training and after it.
fn learnt_sets(shape: &TskShape, places: &[MemberPlace]) -> Vec<DrawnSet> {
    let mut places = places.iter();
    let inputs = shape.base.inputs.iter();
    inputs.map(|input| learnt_set(input, &mut places)).collect()
}

fn learnt_set<'a>(
    input: &FuzzyInput,
    places: &mut impl Iterator<Item = &'a MemberPlace>,
) -> DrawnSet {
    let mut members = Vec::with_capacity(input.members.len());

    for (member, place) in input.members.iter().zip(places) {
        let curve_at = |place: MemberPlace| Curve::Gaussian {
            place,
            open: member.open,
        };
        // One that holds for every value has no place.
        if let Some(start) = member.start {
            members.push(DrawnMember {
                name: member.name.clone(),
                curve: curve_at(*place),
                before: Some(curve_at(start)),
            });
        }
    }
    DrawnSet {
        name: input.name.clone(),
        members,
    }
}

impl DrawnSet {
    /// The curves of its members.
    ///
    /// # Errors
    /// They cannot be drawn.
    pub(super) fn figure(&self) -> Result<Markup, DrawError> {
        let mut plot = self.plot();
        let names: Vec<&str> = self
            .members
            .iter()
            .map(|member| member.name.as_str())
            .collect();
        let title = format!("Degrees of {}", self.name);
        let alternative = Alternative {
            id: format!("set-{}", self.name),
            title,
            description: format!(
                "The members {}, over the values of the indicator.",
                names.join(", ")
            ),
        };

        // The legend has the members as they are now.
        let picture = plot.draw(&alternative)?;
        plot.lines.retain(|line| !line.name.is_empty());
        let is_learnt = self.members.iter().any(|member| member.before.is_some());
        let caption = if is_learnt {
            "Thin lines: before training."
        } else {
            ""
        };
        let figure = Figure {
            heading: self.name.clone(),
            picture,
            legend: plot.legend(),
            caption: caption.to_owned(),
            numbers: Some(self.table()),
        };
        Ok(figure.html("small"))
    }

    /// Its members over the values where something happens, those before training without a name.
    fn plot(&self) -> Plot {
        let befores = self.members.iter().filter_map(|member| member.before);
        let befores: Vec<Curve> = befores.collect();
        let curves = self.members.iter().map(|member| member.curve);
        let reach = curves.chain(befores.iter().copied()).flat_map(Curve::reach);
        let x = Axis::around("", reach, axis_number);

        let mut lines = Vec::with_capacity(2 * self.members.len());
        for before in befores {
            lines.push(line_of(before, "", Look::Rival, &x));
        }
        for (number, member) in self.members.iter().enumerate() {
            let look = Look::of_line(number);
            lines.push(line_of(member.curve, &member.name, look, &x));
        }
        Plot {
            size: SIZE,
            x,
            y: Axis::between("degree", 0.0, 1.05, axis_percent),
            lines,
            marks: Vec::new(),
        }
    }

    fn table(&self) -> Table {
        let caption = format!("Members of {}", self.name);
        let mut table = Table::new(&caption, &["Member", "Shape"]);
        for member in &self.members {
            let mut text = member.curve.words();
            if let Some(before) = member.before {
                text = format!("{text}; before training {}", before.words());
            }
            table.push(&member.name, [Markup::words(&text)]);
        }
        table
    }
}

impl Curve {
    /// `triangular 0, 30, 40`, or where the degree is 1 and how wide it is.
    fn words(self) -> String {
        match self {
            Self::Function(function) => {
                let (name, numbers) = function.type_and_parameters();
                let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
                format!("{name} {}", numbers.join(", "))
            }
            Self::Gaussian { place, .. } => {
                let centre = axis_number(place.centre);
                format!("centre {centre}, width {}", axis_number(place.width))
            }
        }
    }
}

fn line_of(curve: Curve, name: &str, look: Look, x: &Axis) -> Line {
    let step = (x.high - x.low) / f64::from(CURVE_POINTS);
    let points = (0..=CURVE_POINTS).map(|number| {
        let x = step.mul_add(f64::from(number), x.low);
        let y = curve.degree(x);
        Point { x, y }
    });
    Line {
        name: name.to_owned(),
        look,
        points: points.collect(),
        with_dots: false,
    }
}

/// Most rules that are listed.
const RULES_MAX: usize = 40;

/// The rules as sentences, strongest first.
pub(super) fn rules_list(network: &Network, report: &RuleReport) -> Option<Markup> {
    let Architecture::Tsk(shape) = &network.architecture else {
        return None;
    };
    let mut rules: Vec<_> = report.rules.iter().collect();
    rules.sort_by(|one, other| other.support.total_cmp(&one.support));

    let sentences = rules.iter().take(RULES_MAX);
    let items = sentences
        .map(|rule| Markup::line("li", &rule.sentence(&shape.base, &network.output)))
        .collect();
    let mut text = format!(
        "{} rules over {} rows of the training part, those that fire most first.",
        rules.len(),
        report.rows
    );
    if rules.len() > RULES_MAX {
        text.push_str(&format!(" The first {RULES_MAX} are listed."));
    }
    Some(Markup::all([
        Markup::line("p", &text),
        Markup::element("ol", items),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_learns_is_a_bell_with_an_open_side() {
        let curve = Curve::Gaussian {
            place: MemberPlace {
                centre: 30.0,
                width: 10.0,
            },
            open: Some(OpenSide::Below),
        };

        // One width above the centre: e^(−½).
        assert_eq!([-5.0, 30.0].map(|x| curve.degree(x)), [1.0, 1.0]);
        assert!((curve.degree(40.0) - 0.606_530_66).abs() < 1e-8);
        assert_eq!(curve.reach(), [5.0, 55.0]);
    }

    #[test]
    fn an_open_shoulder_does_not_reach_for_ever() {
        let numbers = [f64::NEG_INFINITY, f64::NEG_INFINITY, -10.0, 0.0];
        let function = Membership::new("trapezoidal", &numbers).unwrap();
        assert_eq!(Curve::Function(function).reach(), [-10.0, 0.0]);
    }
}
