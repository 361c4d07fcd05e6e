//! Where a strategy is found: as a file, by its name in the working folder, in the folder that
//! `KTRDR_STRATEGIES` names, in the catalogue of a checkout, or in the one inside the program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemas::codes;
use schemas::spelling::nearest_name;
use strategies::{CATALOGUE, Findings, Overrides, Resolved, Split, Strategy};

use crate::console::{Exit, Failure};
use crate::context::Context;
use crate::inputs::text_files::read_text;

/// A folder of strategies that is searched before the catalogue.
const VARIABLE: &str = "KTRDR_STRATEGIES";
/// Where the strategies of a checkout are.
const CHECKOUT_FOLDER: &str = "strategies/catalog";
/// The folder that the strategies inside the program seem to be in.
const PROGRAM_FOLDER: &str = "built-in";

/// A strategy that can be called by its name.
pub(crate) struct NamedStrategy {
    /// The name to call it by.
    pub(crate) name: String,
    /// The file that holds it.
    pub(crate) path: PathBuf,
    /// The text; empty for a file that cannot be read.
    pub(crate) text: String,
}

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

/// Every strategy that can be called by its name, sorted; the first place wins. Of the working
/// folder only those files are listed that are strategies: other YAML files lie there, too.
pub(crate) fn list_strategies(context: &Context) -> Vec<NamedStrategy> {
    let here = &context.working_directory;
    let mut named = BTreeMap::new();
    for name in names_in(here) {
        let strategy = read_named(name, here);
        if Strategy::parse(&strategy.text).is_ok() {
            named.insert(strategy.name.clone(), strategy);
        }
    }

    for folder in folders_to_search(here, strategies_folder(context)) {
        for name in names_in(&folder) {
            let strategy = named.entry(name.clone());
            strategy.or_insert_with(|| read_named(name, &folder));
        }
    }
    for (name, text) in CATALOGUE {
        let strategy = named.entry((*name).to_owned());
        strategy.or_insert_with(|| built_in(name, text));
    }
    named.into_values().collect()
}

fn read_named(name: String, folder: &Path) -> NamedStrategy {
    let path = folder.join(format!("{name}.yaml"));
    NamedStrategy {
        text: read_text(&path).unwrap_or_default(),
        name,
        path,
    }
}

fn built_in(name: &str, text: &str) -> NamedStrategy {
    NamedStrategy {
        name: name.to_owned(),
        path: Path::new(PROGRAM_FOLDER).join(format!("{name}.yaml")),
        text: text.to_owned(),
    }
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
        let named = format!("{name}.yaml");
        places.push(working_directory.join(&named));
        places.extend(folders.iter().map(|folder| folder.join(&named)));
    }

    let Some(path) = places.iter().find(|place| place.is_file()) else {
        return match CATALOGUE.iter().find(|(each, _)| *each == name) {
            Some((_, text)) => Ok((built_in(name, text).path, (*text).to_owned())),
            None => Err(no_strategy(name, &places, &folders)),
        };
    };
    match read_text(path) {
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
/// nearest checkout, if there is one.
fn folders_to_search(working_directory: &Path, folder: Option<&str>) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(folder) = folder.filter(|folder| !folder.is_empty()) {
        folders.push(working_directory.join(folder));
    }

    let nearest = working_directory
        .ancestors()
        .map(|ancestor| ancestor.join(CHECKOUT_FOLDER))
        .find(|catalogue| catalogue.is_dir());
    folders.extend(nearest);
    folders
}

fn no_strategy(name: &str, places: &[PathBuf], folders: &[PathBuf]) -> Failure {
    let mut names: Vec<String> = folders.iter().flat_map(|folder| names_in(folder)).collect();
    names.extend(CATALOGUE.iter().map(|(name, _)| (*name).to_owned()));
    let stem = name.trim_end_matches(".yaml").trim_end_matches(".yml");

    let hint = match nearest_name(stem, names.iter().map(String::as_str)) {
        Some(nearest) => {
            format!("did you mean `{nearest}`? `ktrdr strategies list` shows every name")
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

        std::fs::write(here.join("x.yaml"), "name here").unwrap();
        std::fs::remove_file(here.join("x")).unwrap();
        assert_eq!(text_for(Some("mine")), "name here");

        std::fs::remove_file(here.join("x.yaml")).unwrap();
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
    fn the_catalogue_is_in_the_program_too() {
        let (path, text) = find_in("eurusd_rsi_macd", Path::new("/nowhere"), None).unwrap();

        assert_eq!(path, Path::new("built-in/eurusd_rsi_macd.yaml"));
        assert!(text.contains("name: eurusd_rsi_macd"));
    }

    #[test]
    fn a_path_is_not_looked_up_as_a_name() {
        let failure = find_in("some/x.yaml", Path::new("/nowhere"), None).unwrap_err();

        assert_eq!(failure.exit, Exit::NotFound);
        assert_eq!(failure.causes, ["tried /nowhere/some/x.yaml"]);
    }
}
