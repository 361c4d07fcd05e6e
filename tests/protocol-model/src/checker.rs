//! A search through every state that a machine can reach, breadth first, so that the shortest way
//! to a mistake is the one that is shown.
//!
//! Two kinds of mistakes are found: a move or a state that breaks a rule, and a state from which
//! no quiet one can be reached without faults. The second is what "nothing is stuck" means, and
//! what libraries that follow single paths cannot decide where paths join or run in circles.

use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Display};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::time::{Duration, Instant};

/// What is searched.
pub trait Machine {
    /// One state of the whole.
    type State: Copy + Eq + Hash;
    /// What a move is called in a counterexample.
    type Label: Copy + Display;

    /// The state in which everything begins.
    fn start(&self) -> Self::State;
    /// Everything that can happen next.
    fn moves(&self, from: &Self::State) -> Vec<Move<Self::State, Self::Label>>;
    /// The rule that the state breaks, if it breaks one.
    fn broken_rule(&self, state: &Self::State) -> Option<&'static str>;
    /// True for a state in which nothing is left to do.
    fn is_quiet(&self, state: &Self::State) -> bool;
}

/// Something that can happen.
pub struct Move<State, Label> {
    /// What it is called.
    pub label: Label,
    /// The state after it.
    pub to: State,
    /// True for a fault, and for what people do: nothing may depend on it.
    pub is_chance: bool,
    /// The rule that it breaks, if it breaks one.
    pub breaks: Option<&'static str>,
}

/// The rule of every machine: a quiet state can be reached without any fault.
pub const NEVER_STUCK: &str = "from every state a quiet one is reached without further faults";

/// What a search met.
#[derive(Debug)]
pub struct Report {
    /// Different states that were reached.
    pub states: usize,
    /// Moves between them.
    pub moves: usize,
    /// Moves of the longest of all shortest ways.
    pub depth: usize,
    /// States in which nothing is left to do.
    pub quiet: usize,
    /// How long the search took.
    pub took: Duration,
    /// The shortest way to a mistake; none if there is no mistake.
    pub counterexample: Option<Counterexample>,
}

/// The shortest way to a mistake.
#[derive(Debug)]
pub struct Counterexample {
    /// The rule that is broken at its end.
    pub rule: &'static str,
    /// What happens, in order.
    pub way: Vec<String>,
}

impl Display for Counterexample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "broken: {}", self.rule)?;
        for (index, label) in self.way.iter().enumerate() {
            writeln!(formatter, "{:>3}. {label}", index + 1)?;
        }
        Ok(())
    }
}

/// A state by its number: how it was first reached.
struct Reached<Label> {
    from: u32,
    by: Option<Label>,
    depth: u32,
}

/// Searches all states of the machine, or until a rule is broken.
///
/// States are distinguished by 64 bits of a hash: among ten million states the odds that two share
/// one are 1 to 370 000.
///
/// # Panics
/// More than `states_max` states: the machine has no bound, or a larger one than was thought.
pub fn search<M: Machine>(machine: &M, states_max: usize) -> Report {
    let mut search = Search::new(machine);
    let broken = search.run(states_max);

    let broken = broken.or_else(|| search.find_stuck().map(|index| (index, NEVER_STUCK)));
    let counterexample = broken.map(|broken| Counterexample {
        rule: broken.1,
        way: search.way_to(broken.0),
    });
    Report {
        states: search.reached.len(),
        moves: search.moves,
        depth: search.reached.last().map_or(0, |last| last.depth as usize),
        quiet: search.quiet.len(),
        took: search.started.elapsed(),
        counterexample,
    }
}

struct Search<'m, M: Machine> {
    machine: &'m M,
    hasher: BuildHasherDefault<DefaultHasher>,
    numbers: HashMap<u64, u32>,
    reached: Vec<Reached<M::Label>>,
    waiting: VecDeque<(u32, M::State)>,
    /// Moves that are no chance, from and to.
    sure: Vec<(u32, u32)>,
    quiet: Vec<u32>,
    moves: usize,
    started: Instant,
}

impl<'m, M: Machine> Search<'m, M> {
    fn new(machine: &'m M) -> Self {
        Self {
            machine,
            hasher: BuildHasherDefault::default(),
            numbers: HashMap::new(),
            reached: Vec::new(),
            waiting: VecDeque::new(),
            sure: Vec::new(),
            quiet: Vec::new(),
            moves: 0,
            started: Instant::now(),
        }
    }

    /// The state and the rule that it breaks, if one does.
    fn run(&mut self, states_max: usize) -> Option<(u32, &'static str)> {
        self.reach(self.machine.start(), 0, None);

        while let Some(next) = self.waiting.pop_front() {
            if let Some(rule) = self.machine.broken_rule(&next.1) {
                return Some((next.0, rule));
            }
            if self.machine.is_quiet(&next.1) {
                self.quiet.push(next.0);
            }

            for step in self.machine.moves(&next.1) {
                self.moves += 1;
                let to = self.reach(step.to, next.0, Some(step.label));
                if let Some(rule) = step.breaks {
                    return Some((to, rule));
                }
                if !step.is_chance {
                    self.sure.push((next.0, to));
                }
            }
            assert!(
                self.reached.len() <= states_max,
                "more than {states_max} states"
            );
        }
        None
    }

    fn reach(&mut self, state: M::State, from: u32, by: Option<M::Label>) -> u32 {
        let next = u32::try_from(self.reached.len()).unwrap_or(u32::MAX);
        let number = *self
            .numbers
            .entry(self.hasher.hash_one(state))
            .or_insert(next);

        if number == next {
            let before = self.reached.get(from as usize);
            let depth = before.map_or(0, |before| before.depth + 1);
            self.reached.push(Reached { from, by, depth });
            self.waiting.push_back((number, state));
        }
        number
    }

    /// The nearest state from which no quiet one is reached without a fault.
    fn find_stuck(&self) -> Option<u32> {
        let mut sure: Vec<(u32, u32)> = self.sure.iter().map(|step| (step.1, step.0)).collect();
        sure.sort_unstable();
        let mut is_safe = vec![false; self.reached.len()];
        let mut open = self.quiet.clone();

        while let Some(state) = open.pop() {
            if std::mem::replace(&mut is_safe[state as usize], true) {
                continue;
            }
            let first = sure.partition_point(|step| step.0 < state);
            let before = sure[first..].iter().take_while(|step| step.0 == state);
            open.extend(before.map(|step| step.1));
        }
        let stuck = is_safe.iter().position(|is_safe| !is_safe)?;
        u32::try_from(stuck).ok()
    }

    fn way_to(&self, state: u32) -> Vec<String> {
        let mut way = Vec::new();
        let mut at = &self.reached[state as usize];

        while let Some(label) = at.by {
            way.push(label.to_string());
            at = &self.reached[at.from as usize];
        }
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two jugs of 3 and 5 litres; `measured` litres must never be in the large one.
    struct Jugs {
        measured: u8,
        has_tap: bool,
    }

    impl Machine for Jugs {
        type State = (u8, u8);
        type Label = &'static str;

        fn start(&self) -> (u8, u8) {
            (0, 0)
        }

        fn moves(&self, from: &(u8, u8)) -> Vec<Move<(u8, u8), &'static str>> {
            let small = from.0;
            let large = from.1;
            let into_large = small.min(5 - large);
            let into_small = large.min(3 - small);
            let ways = [
                ("fill small", (3, large), false),
                ("fill large", (small, 5), false),
                ("empty small", (0, large), !self.has_tap),
                ("empty large", (small, 0), !self.has_tap),
                ("to large", (small - into_large, large + into_large), false),
                ("to small", (small + into_small, large - into_small), false),
            ];

            ways.map(jug_move).into()
        }

        fn broken_rule(&self, state: &(u8, u8)) -> Option<&'static str> {
            (state.1 == self.measured).then_some("measured")
        }

        fn is_quiet(&self, state: &(u8, u8)) -> bool {
            *state == (0, 0)
        }
    }

    fn jug_move(way: (&'static str, (u8, u8), bool)) -> Move<(u8, u8), &'static str> {
        Move {
            label: way.0,
            to: way.1,
            is_chance: way.2,
            breaks: None,
        }
    }

    #[test]
    fn the_shortest_way_to_four_litres_has_six_moves() {
        let jugs = Jugs {
            measured: 4,
            has_tap: true,
        };
        let caught = search(&jugs, 100).counterexample.unwrap();

        let way = [
            "fill large",
            "to small",
            "empty small",
            "to small",
            "fill large",
            "to small",
        ];
        assert_eq!(caught.way, way);
    }

    #[test]
    fn all_sixteen_states_of_the_jugs_are_reached() {
        // One of the two is empty or full at any time: the rim of a grid of 4 x 6.
        let jugs = Jugs {
            measured: 9,
            has_tap: true,
        };
        let report = search(&jugs, 100);

        assert_eq!((report.states, report.quiet), (16, 1));
        assert!(report.counterexample.is_none());
    }

    #[test]
    fn a_state_that_only_chance_leaves_is_stuck() {
        // Nothing ever empties a jug, unless by chance.
        let jugs = Jugs {
            measured: 9,
            has_tap: false,
        };
        let caught = search(&jugs, 100).counterexample.unwrap();

        assert_eq!(caught.rule, NEVER_STUCK);
        assert_eq!(caught.way.len(), 1);
    }

    #[test]
    #[should_panic(expected = "more than 5 states")]
    fn a_machine_beyond_its_bound_is_refused() {
        let jugs = Jugs {
            measured: 9,
            has_tap: true,
        };
        search(&jugs, 5);
    }
}
