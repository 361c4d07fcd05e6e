//! Where a command works: server, clocks and store, from flags, `KTRDR_*` variables, the context
//! that `up` wrote, defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bus::{Bus, BusError};
use runtime::settings::{self, ClientSettings, DEFAULT_FILE, Settled};

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::up::ContextFile;

/// People do not wait long for a server that is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// What every command is given.
#[derive(Clone, Debug)]
pub struct Context {
    /// Settings, and where each came from.
    pub settled: Settled<ClientSettings>,
    /// The running local system that was found, and the file that tells of it.
    pub system: Option<(PathBuf, ContextFile)>,
    /// Standard streams.
    pub output: Output,
    /// The folder the command was typed in.
    pub working_directory: PathBuf,
    /// The environment, as it was at the start.
    pub environment: BTreeMap<String, String>,
}

impl Context {
    /// Settles the settings; reads files, connects to nothing.
    pub fn new(
        global: &GlobalArgs,
        output: Output,
        environment: BTreeMap<String, String>,
        working_directory: PathBuf,
    ) -> Result<Self, Failure> {
        let system = match &global.config {
            Some(_) => None,
            None => ContextFile::find(&environment, &working_directory).map_err(unreadable)?,
        };
        let mut defaults = ClientSettings::default();
        if let Some((_, system)) = &system {
            defaults.bus.url.clone_from(&system.nats_url);
            defaults.bus.profile = system.profile;
            defaults.store.url.clone_from(&system.store_url);
        }
        let own = Some(working_directory.join(DEFAULT_FILE))
            .filter(|path| system.is_none() && path.is_file());
        let file = global.config.clone().or(own);
        let settled = settings::load(
            "ktrdr",
            &defaults,
            file.as_deref(),
            &environment,
            &global.flags(),
        )?;
        Ok(Self {
            settled,
            system,
            output,
            working_directory,
            environment,
        })
    }

    /// The settings.
    pub fn settings(&self) -> &ClientSettings {
        &self.settled.value
    }

    /// The URL of the object store, absolute.
    pub fn store_url(&self) -> String {
        self.settings().store.resolved(&self.working_directory)
    }

    /// Connects, or fails within seconds.
    pub async fn bus(&self) -> Result<Bus, Failure> {
        let name = format!("ktrdr-cli/{}", std::process::id());
        let mut options = self.settings().bus.connect_options(&name, false);
        options.connect_timeout = CONNECT_TIMEOUT;
        Bus::connect(&options)
            .await
            .map_err(|error| match &self.system {
                Some((path, system))
                    if matches!(error, BusError::Connect { .. })
                        && options.url == system.nats_url =>
                {
                    let path = path.display();
                    Failure::from(error).with_hint(format!(
                        "{path} tells of this server: is its `ktrdr up` still running?"
                    ))
                }
                _ => error.into(),
            })
    }
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure {
        causes: vec![error.to_string()],
        ..Failure::new(Exit::Usage, "CONFIG-Context", "cannot read the file that KTRDR_CONTEXT names")
    }
    .with_hint("`ktrdr up` writes it as .ktrdr/context.json; unset KTRDR_CONTEXT to look for it from here upwards")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn url(global: &GlobalArgs, environment: &[(&str, &str)], here: &Path) -> String {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let output = Output::new(global, |_| None);
        Context::new(global, output, environment, here.to_owned())
            .unwrap()
            .settings()
            .bus
            .url
            .clone()
    }

    #[test]
    fn flags_win_over_variables_over_the_running_system_over_the_file_over_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        assert_eq!(
            url(&GlobalArgs::default(), &[], here),
            "nats://127.0.0.1:4222"
        );
        std::fs::write(here.join(DEFAULT_FILE), "[bus]\nurl = \"nats://file:1\"\n").unwrap();
        assert_eq!(url(&GlobalArgs::default(), &[], here), "nats://file:1");

        let system = r#"{"v": 1, "nats_url": "nats://system:1", "store_url": "memory:///", "profile": "test",
            "monitor_url": "", "pid": 1, "started_at": "2026-03-01T00:00:00Z"}"#;
        std::fs::create_dir(here.join(".ktrdr")).unwrap();
        std::fs::write(here.join(".ktrdr/context.json"), system).unwrap();
        assert_eq!(url(&GlobalArgs::default(), &[], here), "nats://system:1");

        let variable = [("KTRDR_NATS_URL", "nats://variable:1")];
        assert_eq!(
            url(&GlobalArgs::default(), &variable, here),
            "nats://variable:1"
        );
        let flags = GlobalArgs {
            server: Some("nats://flag:1".to_owned()),
            ..GlobalArgs::default()
        };
        assert_eq!(url(&flags, &variable, here), "nats://flag:1");
    }
}
