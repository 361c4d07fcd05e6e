//! How much code stands twice: the same runs of tokens in two places.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use proc_macro2::{Group, TokenStream, TokenTree};

use crate::checkout::{Source, assert_none, sources};

/// Tokens of a run that counts as repeated wherever it stands again: some seven lines.
const RUN: usize = 60;
/// Share of a crate's tokens that may stand again, here or in another crate.
const REPEATED_MAX: f64 = 0.05;

/// The tokens of a file in their order, each as a number; documentation is left out.
fn flatten(stream: TokenStream, tokens: &mut Vec<u64>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) if is_documentation(&group) => {}
            TokenTree::Group(group) => {
                tokens.push(hash_of(&format!("{:?}", group.delimiter())));
                flatten(group.stream(), tokens);
                tokens.push(hash_of("end"));
            }
            other => tokens.push(hash_of(&other.to_string())),
        }
    }
}

/// True for what a comment of documentation becomes.
fn is_documentation(group: &Group) -> bool {
    let first = group.stream().into_iter().next();
    first.is_some_and(|first| first.to_string() == "doc")
}

fn hash_of(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Tokens of the production code of each crate, file by file.
fn read_crates() -> BTreeMap<String, Vec<Vec<u64>>> {
    let mut crates: BTreeMap<String, Vec<Vec<u64>>> = BTreeMap::new();

    for source in sources().filter(Source::is_production) {
        let code = source.text.split("#[cfg(test)]\nmod ").next().unwrap();
        let mut tokens = Vec::new();
        flatten(code.parse().unwrap(), &mut tokens);

        let folder = source.path.split("/src/").next().unwrap();
        crates.entry(folder.to_owned()).or_default().push(tokens);
    }
    crates
}

/// Tokens of a file that lie in a run which stands in several places.
fn count_repeated(file: &[u64], places: &HashMap<u64, u32>) -> usize {
    let mut repeated = 0;
    let mut counted_until = 0;

    for (start, run) in file.windows(RUN).enumerate() {
        if places[&hash_of(run)] > 1 {
            repeated += start + RUN - counted_until.max(start);
            counted_until = start + RUN;
        }
    }
    repeated
}

#[test]
fn less_than_a_twentieth_of_a_crate_stands_twice() {
    let crates = read_crates();
    let mut places: HashMap<u64, u32> = HashMap::new();
    let files = crates.values().flatten();
    for run in files.flat_map(|file| file.windows(RUN)) {
        *places.entry(hash_of(run)).or_default() += 1;
    }

    let mut violations = Vec::new();
    for (name, files) in &crates {
        let total: usize = files.iter().map(Vec::len).sum();
        let repeated = files.iter().map(|file| count_repeated(file, &places));
        let share = repeated.sum::<usize>() as f64 / total as f64;
        if share > REPEATED_MAX {
            violations.push(format!("{name}: {:.1} % of {total} tokens", 100.0 * share));
        }
    }
    assert_none(violations, "more than a twentieth of a crate stands twice");
}
