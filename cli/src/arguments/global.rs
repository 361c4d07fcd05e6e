//! Flags that every command has, and the settings that they stand for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::parse_key_and_value;

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Print JSON lines on standard output, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print results only: no progress, no remarks
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Log to standard error; repeat for more detail
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// NATS server [env: KTRDR_NATS_URL]
    #[arg(long, short, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// NATS credentials file [env: KTRDR_CREDS]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) creds: Option<PathBuf>,
    /// Set any setting, as in --set store.url=s3://bucket/prefix; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = parse_key_and_value)]
    pub(crate) set: Vec<(String, String)>,
    /// Settings file, instead of ktrdr.toml and of the system that runs here
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) color: Color,
    /// Print ASCII characters only
    #[arg(long, global = true)]
    pub(crate) ascii: bool,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Colours always, also in a pipe
    Always,
    /// No colours, even on a terminal
    Never,
}

impl GlobalArgs {
    /// The flags that are settings, as pairs of key and text; those of `--set` last, so that they
    /// win.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        if let Some(url) = &self.server {
            pairs.push(("bus.url".to_owned(), url.clone()));
        }
        if let Some(path) = &self.creds {
            pairs.push(("bus.credentials".to_owned(), path.display().to_string()));
        }

        pairs.extend(self.set.iter().cloned());
        pairs
    }
}
