//! Where a strategy is found: as a file, in the folder that `KTRDR_STRATEGIES` names, or in the
//! catalogue of the checkout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemas::codes;
use schemas::spelling::nearest_name;
use strategies::{Findings, Overrides, Resolved, Split, Strategy};

use crate::console::{Exit, Failure};
use crate::context::Context;

/// A folder of strategies that is searched before the catalogue.
pub(crate) const VARIABLE: &str = "KTRDR_STRATEGIES";
/// Where the strategies of a checkout are.
const CATALOGUE: &str = "strategies/catalog";

/// A strategy that was found, checked and resolved without overrides.
pub(crate) struct LoadedStrategy {
    /// File that holds the strategy.
    pub(crate) path: PathBuf,
    /// The strategy as it is written.
    pub(crate) strategy: Strategy,
    /// The strategy with every default and reference filled in.
    pub(crate) resolved: Resolved,
}

/// Finds and checks the strategy that `name` means.
///
/// # Errors
/// There is none, or it has errors.
pub(crate) fn load_strategy(name: &str, context: &Context) -> Result<LoadedStrategy, Failure> {
    let (path, text) = find_strategy(name, context)?;
    let (strategy, resolved) = parse_and_resolve(&text)?;
    Ok(LoadedStrategy {
        path,
        strategy,
        resolved,
    })
}

/// Every check of a strategy: grammar, references, parameters, and the settings that a training
/// would use.
///
/// # Errors
/// Every finding, if one of them is an error.
pub(crate) fn parse_and_resolve(text: &str) -> Result<(Strategy, Resolved), Findings> {
    let strategy = Strategy::parse(text)?;
    let resolved = strategy.resolve(&Overrides::default())?;
    Ok((strategy, resolved))
}

/// The strategy that `name` means, as [`find_in`] finds it from where the command was typed.
///
/// # Errors
/// As those of [`find_in`].
pub(crate) fn find_strategy(name: &str, context: &Context) -> Result<(PathBuf, String), Failure> {
    find_in(name, &context.working_directory, strategies_folder(context))
}

/// Every strategy that can be called by its name: the name and its path, sorted; the first folder
/// wins.
pub(crate) fn list_strategies(context: &Context) -> Vec<(String, PathBuf)> {
    let mut paths = BTreeMap::new();
    for folder in folders_to_search(&context.working_directory, strategies_folder(context)) {
        for name in names_in(&folder) {
            let path = folder.join(format!("{name}.yaml"));
            paths.entry(name).or_insert(path);
        }
    }
    paths.into_iter().collect()
}

fn strategies_folder(context: &Context) -> Option<&str> {
    context.environment.get(VARIABLE).map(String::as_str)
}

/// The path and the text of the strategy called `name`, which is a path, or the name of a file in a
/// folder of strategies.
///
/// # Errors
/// It is nowhere (the error names every place that was tried), or it cannot be read as text.
pub(crate) fn find_in(
    name: &str,
    working_directory: &Path,
    folder: Option<&str>,
) -> Result<(PathBuf, String), Failure> {
    let folders = folders_to_search(working_directory, folder);
    let mut places = vec![working_directory.join(name)];
    // A path is not looked up as a name: it would be found where nobody expects it.
    let is_path = name.contains('/') || name.ends_with(".yaml") || name.ends_with(".yml");
    if !is_path {
        places.extend(
            folders
                .iter()
                .map(|folder| folder.join(format!("{name}.yaml"))),
        );
    }

    let Some(path) = places.iter().find(|place| place.is_file()) else {
        return Err(no_strategy(name, &places, &folders));
    };
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((path.clone(), text)),
        Err(error) => Err(unreadable_strategy(path, &error)),
    }
}

fn unreadable_strategy(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("cannot read the strategy {}", path.display());
    Failure::new(Exit::Failed, codes::STRATEGY_UNREADABLE, message)
        .with_cause(error)
        .with_hint("a strategy is a YAML file in UTF-8 that this user may read")
}

/// The failure with the strategy that it is about before its message.
pub(crate) fn in_file(path: &Path, failure: Failure) -> Failure {
    let message = format!("{}: {}", path.display(), failure.message);
    Failure { message, ..failure }
}

/// Where the parts begin, in a few words.
pub(crate) fn describe_split(split: &Split) -> String {
    match split {
        // The dates of shares follow from bars that need not be there yet.
        Split::Fractions {
            train,
            validation,
            test,
        } => format!(
            "{:.0} % train, {:.0} % validation, {:.0} % test",
            train * 1e2,
            validation * 1e2,
            test * 1e2
        ),

        Split::Dates {
            validation_start,
            test_start,
        } => format!("validation from {validation_start}, test from {test_start}"),
    }
}

/// The folders that names are looked up in: the one that was named, then the catalogue of the
/// nearest checkout.
fn folders_to_search(working_directory: &Path, folder: Option<&str>) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(folder) = folder.filter(|folder| !folder.is_empty()) {
        folders.push(working_directory.join(folder));
    }

    // Without a checkout, the place where a catalogue would be is still named in the error.
    let nearest = working_directory
        .ancestors()
        .map(|ancestor| ancestor.join(CATALOGUE))
        .find(|catalogue| catalogue.is_dir());
    folders.push(nearest.unwrap_or_else(|| working_directory.join(CATALOGUE)));
    folders
}

fn no_strategy(name: &str, places: &[PathBuf], folders: &[PathBuf]) -> Failure {
    let names: Vec<String> = folders.iter().flat_map(|folder| names_in(folder)).collect();
    let stem = name.trim_end_matches(".yaml").trim_end_matches(".yml");

    // Where no folder holds a strategy, a list of names would not help.
    let hint = match nearest_name(stem, names.iter().map(String::as_str)) {
        Some(nearest) => {
            format!("did you mean `{nearest}`? `ktrdr strategies list` shows every name")
        }
        None if names.is_empty() => {
            format!("give the path of a .yaml file, or set {VARIABLE} to a folder of them")
        }
        None => {
            "give the path of a .yaml file, or a name that `ktrdr strategies list` shows".to_owned()
        }
    };

    let message = format!("there is no strategy `{name}`");
    let mut failure =
        Failure::new(Exit::NotFound, codes::STRATEGY_NOT_FOUND, message).with_hint(hint);
    for place in places {
        failure.causes.push(format!("tried {}", place.display()));
    }
    failure
}

/// Names of the strategies in a folder, sorted; none if it cannot be listed.
fn names_in(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let stem = file.to_str().and_then(|name| name.strip_suffix(".yaml"));
        names.extend(stem.map(str::to_owned));
    }
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_found_from_a_folder_below_the_checkout() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");

        let (path, text) = find_in("eurusd_rsi_macd", &here, None).unwrap();

        assert!(path.ends_with("strategies/catalog/eurusd_rsi_macd.yaml"));
        assert!(text.contains("name: eurusd_rsi_macd"));
    }

    #[test]
    fn a_file_wins_over_the_variable_and_that_over_the_catalogue() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        for (place, text) in [
            ("mine/x.yaml", "variable"),
            ("strategies/catalog/x.yaml", "catalogue"),
            ("x", "file"),
        ] {
            std::fs::create_dir_all(here.join(place).parent().unwrap()).unwrap();
            std::fs::write(here.join(place), text).unwrap();
        }
        let text_for = |variable| find_in("x", here, variable).unwrap().1;

        assert_eq!(text_for(Some("mine")), "file");

        std::fs::remove_file(here.join("x")).unwrap();
        assert_eq!(text_for(Some("mine")), "variable");
        assert_eq!(text_for(None), "catalogue");
        // An empty variable counts as unset.
        assert_eq!(text_for(Some("")), "catalogue");
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_nearest_one() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let hint_for = |name| find_in(name, here, None).unwrap_err().hint;

        assert!(hint_for("eurusd_rsi_macdd").starts_with("did you mean `eurusd_rsi_macd`?"));
        assert!(hint_for("us_equity_trend.yaml").starts_with("did you mean `us_equities_trend`?"));
        assert_eq!(
            hint_for("nothing"),
            "give the path of a .yaml file, or a name that `ktrdr strategies list` shows"
        );
    }

    #[test]
    fn a_path_is_not_looked_up_as_a_name() {
        let failure = find_in("some/x.yaml", Path::new("/nowhere"), None).unwrap_err();

        assert_eq!(failure.exit, Exit::NotFound);
        assert_eq!(failure.causes, ["tried /nowhere/some/x.yaml"]);
    }
}
