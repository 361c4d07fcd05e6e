//! Where a strategy is found: as a file, in the folder that `KTRDR_STRATEGIES` names, or in the
//! catalog of the checkout.

use schemas::codes;
use schemas::spelling::nearest_name;
use std::path::{Path, PathBuf};
use strategies::{Findings, Overrides, Resolved, Split, Strategy};

use crate::console::{Exit, Failure};
use crate::context::Context;

/// A folder of strategies that is searched before the catalog.
pub(crate) const VARIABLE: &str = "KTRDR_STRATEGIES";
/// Where the strategies of a checkout are.
const CATALOG: &str = "strategies/catalog";

/// A strategy that was found, checked and resolved without overrides.
pub(crate) struct LoadedStrategy {
    /// The file it is in.
    pub(crate) path: PathBuf,
    /// As it is written.
    pub(crate) strategy: Strategy,
    /// With every default and reference filled in.
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
    let mut paths = std::collections::BTreeMap::new();
    for folder in folders(&context.working_directory, strategies_folder(context)) {
        for name in names(&folder) {
            let path = folder.join(format!("{name}.yaml"));
            paths.entry(name).or_insert(path);
        }
    }
    paths.into_iter().collect()
}

fn strategies_folder(context: &Context) -> Option<&str> {
    context.environment.get(VARIABLE).map(String::as_str)
}

/// The strategy called `name`, which is a path or the name of a file in a folder of strategies: its
/// path and its text.
///
/// # Errors
/// It is nowhere (the error names every place that was tried), or it cannot be read as text.
pub(crate) fn find_in(
    name: &str,
    working_directory: &Path,
    folder: Option<&str>,
) -> Result<(PathBuf, String), Failure> {
    let folders = folders(working_directory, folder);
    let as_path = working_directory.join(name);
    let is_name = !name.contains('/') && !name.ends_with(".yaml") && !name.ends_with(".yml");
    let named = folders
        .iter()
        .filter(|_| is_name)
        .map(|folder| folder.join(format!("{name}.yaml")));
    let places: Vec<PathBuf> = std::iter::once(as_path).chain(named).collect();
    let Some(path) = places.iter().find(|place| place.is_file()) else {
        return Err(nowhere(name, &places, &folders));
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read the strategy {}", path.display());
        Failure {
            causes: vec![error.to_string()],
            ..Failure::new(Exit::Failed, codes::STRATEGY_UNREADABLE, message)
        }
        .with_hint("a strategy is a YAML file in UTF-8 that this user may read")
    })?;
    Ok((path.clone(), text))
}

/// The failure with the strategy that it is about before its message.
pub(crate) fn in_file(path: &Path, failure: Failure) -> Failure {
    let message = format!("{}: {}", path.display(), failure.message);
    Failure { message, ..failure }
}

/// Where the parts begin, in a few words.
pub(crate) fn describe_split(split: &Split) -> String {
    match split {
        Split::Fractions {
            train,
            validation,
            test,
        } => {
            format!(
                "{:.0} % train, {:.0} % validation, {:.0} % test",
                train * 1e2,
                validation * 1e2,
                test * 1e2
            )
        }
        Split::Dates {
            validation_start,
            test_start,
        } => {
            format!("validation from {validation_start}, test from {test_start}")
        }
    }
}

/// The folders that names are looked up in.
fn folders(working_directory: &Path, folder: Option<&str>) -> Vec<PathBuf> {
    let given = folder
        .filter(|folder| !folder.is_empty())
        .map(|folder| working_directory.join(folder));
    let checkouts = working_directory
        .ancestors()
        .map(|ancestor| ancestor.join(CATALOG));
    let catalog = checkouts
        .clone()
        .find(|catalog| catalog.is_dir())
        .or_else(|| checkouts.clone().next());
    given.into_iter().chain(catalog).collect()
}

fn nowhere(name: &str, places: &[PathBuf], folders: &[PathBuf]) -> Failure {
    let tried = places
        .iter()
        .map(|place| format!("tried {}", place.display()))
        .collect();
    let known: Vec<String> = folders.iter().flat_map(|folder| names(folder)).collect();
    let written = name.trim_end_matches(".yaml").trim_end_matches(".yml");
    let hint = match nearest_name(written, known.iter().map(String::as_str)) {
        Some(nearest) => {
            format!("did you mean `{nearest}`? `ktrdr strategies list` shows every name")
        }
        None if known.is_empty() => {
            format!("give the path of a .yaml file, or set {VARIABLE} to a folder of them")
        }
        None => {
            "give the path of a .yaml file, or a name that `ktrdr strategies list` shows".to_owned()
        }
    };
    Failure {
        causes: tried,
        ..Failure::new(
            Exit::NotFound,
            codes::STRATEGY_NOT_FOUND,
            format!("there is no strategy `{name}`"),
        )
    }
    .with_hint(hint)
}

/// Names of the strategies in a folder, sorted; none if it cannot be listed.
fn names(folder: &Path) -> Vec<String> {
    let listed = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = listed
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_suffix(".yaml")
                .map(str::to_owned)
        })
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_of_the_catalog_is_found_by_its_name_from_a_folder_below_the_checkout() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (path, text) = find_in("eurusd_rsi_macd", &here, None).unwrap();
        assert!(path.ends_with("strategies/catalog/eurusd_rsi_macd.yaml"));
        assert!(text.contains("name: eurusd_rsi_macd"));
    }

    #[test]
    fn a_file_goes_before_the_folder_of_the_variable_and_that_before_the_catalog() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        for (place, text) in [
            ("mine/x.yaml", "variable"),
            ("strategies/catalog/x.yaml", "catalog"),
            ("x", "file"),
        ] {
            std::fs::create_dir_all(here.join(place).parent().unwrap()).unwrap();
            std::fs::write(here.join(place), text).unwrap();
        }
        let found = |variable| find_in("x", here, variable).unwrap().1;
        assert_eq!(found(Some("mine")), "file");
        std::fs::remove_file(here.join("x")).unwrap();
        assert_eq!(found(Some("mine")), "variable");
        assert_eq!(found(None), "catalog");
        // An empty variable counts as unset.
        assert_eq!(found(Some("")), "catalog");
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_nearest_one() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let hint = |name| find_in(name, here, None).unwrap_err().hint;
        assert!(hint("eurusd_rsi_macdd").starts_with("did you mean `eurusd_rsi_macd`?"));
        assert!(hint("us_equity_trend.yaml").starts_with("did you mean `us_equities_trend`?"));
        assert_eq!(
            hint("nothing"),
            "give the path of a .yaml file, or a name that `ktrdr strategies list` shows"
        );
    }

    #[test]
    fn a_path_that_is_not_there_is_not_looked_up_as_a_name() {
        let failure = find_in("some/x.yaml", Path::new("/nowhere"), None).unwrap_err();
        assert_eq!(
            (failure.exit, failure.causes.as_slice()),
            (
                Exit::NotFound,
                &["tried /nowhere/some/x.yaml".to_owned()][..]
            )
        );
    }
}
