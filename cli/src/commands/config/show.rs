//! `ktrdr config show`: settings with their values and, if asked, their origins.

use clap::Args;
use runtime::settings::Setting;
use schemas::codes;
use schemas::spelling::nearest_name;

use super::services::{ServiceAnswer, ask_services};
use crate::console::{Exit, Failure, extended};
use crate::context::Context;

/// `ktrdr config show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Sections or settings to show, as in `bus` or `bus.url`; without it all
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Show where each value came from: default, file, local system, variable or flag
    #[arg(long)]
    origin: bool,
}

/// Shows the settings. Secrets are hidden, whichever way they were given.
///
/// # Errors
/// A setting of the command line is wrong, or there is none of that name.
pub(super) async fn run(args: &ShowArgs, context: &Context) -> Result<Exit, Failure> {
    let output = &context.output;
    let mut settings = context.setup()?.settings.entries.clone();
    for each in ask_services(context).await? {
        match each.answer {
            ServiceAnswer::Settings(of_service) => settings.extend(of_service),
            ServiceAnswer::Refused(words) => {
                output.note(&format!("{}: {words}", each.service));
            }
            ServiceAnswer::Absent(reason) => {
                output.note(&format!("{}: {reason}", each.service));
            }
        }
    }

    let settings = choose(settings, &args.keys)?;
    let mut rows = Vec::with_capacity(settings.len());
    for setting in &settings {
        output.json(&extended(setting, [("type", "setting".into())]));
        let mut row = vec![setting.key.clone(), setting.value.clone()];
        if args.origin {
            row.push(setting.origin.to_string());
        }
        rows.push(row);
    }
    match args.origin {
        true => output.table(&["SETTING", "VALUE", "ORIGIN"], &rows),
        false => output.table(&["SETTING", "VALUE"], &rows),
    }
    Ok(Exit::Done)
}

/// The settings of these keys and sections; all of them where none is named.
fn choose(settings: Vec<Setting>, keys: &[String]) -> Result<Vec<Setting>, Failure> {
    for key in keys {
        if !settings.iter().any(|setting| is_of(setting, key)) {
            return Err(no_setting(key, &settings));
        }
    }

    let is_chosen =
        |setting: &Setting| keys.is_empty() || keys.iter().any(|key| is_of(setting, key));
    Ok(settings.into_iter().filter(is_chosen).collect())
}

/// Whether a setting has this key, or is in the section of this name.
fn is_of(setting: &Setting, key: &str) -> bool {
    let rest = setting.key.strip_prefix(key);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn no_setting(key: &str, settings: &[Setting]) -> Failure {
    let sections = settings.iter().filter_map(|setting| {
        let (section, _) = setting.key.split_once('.')?;
        Some(section)
    });
    let names = settings.iter().map(|setting| setting.key.as_str());

    let hint = match nearest_name(key, names.chain(sections)) {
        Some(near) => format!("did you mean `ktrdr config show {near}`?"),
        None => "`ktrdr config show` shows all settings".to_owned(),
    };
    let message = format!("there is no setting `{key}`");
    Failure::new(Exit::NotFound, codes::CONFIG_INVALID, message).with_hint(hint)
}
