//! Settings as they were loaded: where each value came from, and what was wrong.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use schemas::codes::{self, Advice, Code};
use serde::{Deserialize, Serialize};

/// What a running local system says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemSettings {
    /// The file that announces the system.
    pub path: PathBuf,
    /// Keys and values, as flags have them.
    pub values: Vec<(String, String)>,
}

/// The layer that a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Built into the program.
    Default,
    /// The settings file at this path.
    File(PathBuf),
    /// The local system that the context file at this path announces.
    System(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// A flag of the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.pad("default"),
            Self::File(path) | Self::System(path) => write!(formatter, "{}", path.display()),
            Self::Environment(name) => formatter.pad(name),
            Self::Flag => formatter.pad("command line"),
        }
    }
}

/// One value, and the layer that it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Section and name, as in `bus.url`.
    pub key: String,
    /// Text for people: secrets are hidden.
    pub value: String,
    /// The layer that won.
    pub origin: Origin,
}

/// Settings, and where each value came from.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedSettings<T> {
    /// The settings themselves.
    pub value: T,
    /// One entry per key, in alphabetical order.
    pub entries: Vec<Setting>,
    /// Mistakes that do not keep the program from running: variables that nothing reads.
    pub warnings: Vec<Mistake>,
}

impl<T> fmt::Display for LoadedSettings<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .entries
            .iter()
            .map(|setting| setting.key.len())
            .max()
            .unwrap_or(0);

        for Setting { key, value, origin } in &self.entries {
            writeln!(formatter, "{key:width$} = {value}  ({origin})")?;
        }
        Ok(())
    }
}

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The layer that has it.
    pub origin: Origin,
    /// A sentence that names the key.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.origin, self.problem)
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Path of the settings file.
        path: PathBuf,
        /// The failure of the file system.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not valid TOML", path.display())]
    Parse {
        /// Path of the settings file.
        path: PathBuf,
        /// Line and reason.
        source: Box<config::ConfigError>,
    },
    /// The built-in defaults do not fit their own type: a defect of the program.
    #[error("the defaults of {service} cannot be loaded: {reason}")]
    Defaults {
        /// The program whose defaults they are.
        service: String,
        /// The field that does not fit.
        reason: String,
    },
    /// All mistakes of all layers, at once.
    #[error("{}", list_mistakes(mistakes))]
    Mistakes {
        /// At least one.
        mistakes: Vec<Mistake>,
    },
}

fn list_mistakes(mistakes: &[Mistake]) -> String {
    let head = match mistakes.len() {
        1 => "1 setting is wrong".to_owned(),
        count => format!("{count} settings are wrong"),
    };

    mistakes
        .iter()
        .fold(head, |text, mistake| format!("{text}\n  {mistake}"))
}

impl Advice for SettingsError {
    fn code(&self) -> Code {
        codes::CONFIG_INVALID
    }

    fn hint(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Read { .. } => "check the path given with --config",
            Self::Parse { .. } => {
                "correct the line; sections are [bus], [store], [log] and one per service"
            }
            Self::Defaults { .. } => "report this as a defect",
            Self::Mistakes { .. } => {
                "correct them, then look at the result with `ktrdr config check`"
            }
        })
    }
}
