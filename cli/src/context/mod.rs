//! Where a command works: server, clocks and store, from flags, `KTRDR_*` variables, the running
//! local system, the settings file, and defaults, in this order.

mod command_store;
mod context_file;
mod credentials;
mod folder_id;
mod moved_system;
mod person;
mod private_files;
mod system_folder;
mod tenants;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use bus::identity::{Identity, Role, Tenant};
use bus::{Bus, BusError, Profile};
use runtime::settings::{
    self, ClientSettings, DEFAULT_FILE, LoadedSettings, Origin, ServiceSettings, SystemSettings,
};
use schemas::codes;
use schemas::ids::Service;
use schemas::operation::OperationRecord;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use context_file::{ContextFile, DEFAULT_DIR, FILE_NAME, ServicesPlace, VARIABLE};
pub(crate) use credentials::{KeyError, KeyFolder, LOCAL_KEYS, SERVER_FILE, StoredKey};
pub(crate) use folder_id::FolderId;
pub(crate) use private_files::{
    append_to_private_file, create_private_folder, make_folder_private, replace_private_file,
};
pub(crate) use system_folder::{
    SystemHolder, folders_above, has_open, holder_of, lock_of, open_existing_lock, open_lock,
};
pub(crate) use tenants::TenantFolder;

use context_file::FilePlace;

use crate::arguments::GlobalArgs;
use crate::console::{Exit, Failure, Output, start_logging};

/// People do not wait long for a server that is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Describes a completed operation as lines of name and text; none for a kind without words of its
/// own.
pub(crate) type DescribeResult = fn(&OperationRecord) -> Option<Vec<(String, String)>>;

/// What every command gets.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where and how the command writes.
    pub(crate) output: Output,
    /// The folder that the command was typed in.
    pub(crate) working_directory: PathBuf,
    /// The environment, as it was at the start.
    pub(crate) environment: BTreeMap<String, String>,
    /// Describes results, whichever command started the operation.
    pub(crate) describe_result: DescribeResult,
    global: GlobalArgs,
    setup: OnceLock<Setup>,
}

/// The settings, and the local system that gave their defaults.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Every setting with its origin.
    pub(crate) settings: LoadedSettings<ClientSettings>,
    /// The local system that runs in this folder or above.
    pub(crate) system: Option<LocalSystem>,
}

/// A running `ktrdr up`.
#[derive(Clone, Debug)]
pub(crate) struct LocalSystem {
    /// The file that announces it.
    pub(crate) path: PathBuf,
    /// Its server, store and clocks.
    pub(crate) file: ContextFile,
}

impl LocalSystem {
    /// The folder in which its services run; an earlier version did not note it, and mostly ran
    /// them in the folder above that of the file.
    pub(crate) fn working_directory(&self) -> Option<&Path> {
        match &self.file.services {
            Some(services) => Some(&services.working_directory),
            None => self.path.parent()?.parent(),
        }
    }

    /// The settings file that its services read.
    fn settings_file(&self) -> Option<PathBuf> {
        let services = self.file.services.as_ref();
        let named = services.and_then(|services| services.settings_file.clone());
        named.or_else(|| settings_file_in(self.working_directory()?))
    }

    /// The settings that it stands for.
    fn settings(&self) -> SystemSettings {
        let mut settings = self.settings_without_key();
        if let Some(keys) = self.keys() {
            let key = keys.file_of(&Identity::of(Role::Person));
            let setting = ("bus.credentials".to_owned(), key.display().to_string());
            settings.values.push(setting);
        }
        settings
    }

    /// The same for a command that works on another server: the key is for its own one.
    fn settings_without_key(&self) -> SystemSettings {
        let values = [
            ("bus.url", &self.file.nats_url),
            ("store.url", &self.file.store_url),
        ];
        SystemSettings {
            path: self.path.clone(),
            values: values
                .map(|(key, text)| (key.to_owned(), text.clone()))
                .into(),
        }
    }

    /// The keys of the system; none of one that an earlier version runs.
    fn keys(&self) -> Option<KeyFolder> {
        self.file.credentials.clone().map(KeyFolder::at)
    }
}

impl Context {
    /// Reads nothing yet: settings are read by the first part of a command that needs them, so that
    /// a command without a server works whatever the environment and the files hold.
    pub(crate) fn new(
        global: &GlobalArgs,
        output: Output,
        environment: BTreeMap<String, String>,
        working_directory: PathBuf,
        describe_result: DescribeResult,
    ) -> Self {
        let global = global.clone();

        Self {
            output,
            working_directory,
            environment,
            describe_result,
            global,
            setup: OnceLock::new(),
        }
    }

    /// The settings; the first call reads them and starts logging as they say.
    ///
    /// # Errors
    /// A setting or the file that `KTRDR_CONTEXT` names is wrong.
    pub(crate) fn setup(&self) -> Result<&Setup, Failure> {
        if let Some(setup) = self.setup.get() {
            return Ok(setup);
        }

        // The setup is stored last: a wrong filter must fail every call, not only the first.
        let setup = self.read_setup()?;
        self.start_logging(&setup)?;
        Ok(self.setup.get_or_init(|| setup))
    }

    /// Starts logging as the settings say, for a command that works on no system that runs already.
    ///
    /// # Errors
    /// A setting is wrong.
    pub(crate) fn start_logging_without_system(&self) -> Result<(), Failure> {
        let settings = self.read_settings(None)?;
        self.start_logging(&Setup {
            settings,
            system: None,
        })
    }

    fn start_logging(&self, setup: &Setup) -> Result<(), Failure> {
        let log = &setup.settings.value.log;
        let filter_is_set = setup
            .settings
            .entries
            .iter()
            .any(|each| each.key == "log.filter" && each.origin != Origin::Default);
        start_logging(log, filter_is_set, self.global.verbose)?;
        for warning in &setup.settings.warnings {
            self.output.note(&format!("warning: {warning}"));
        }
        Ok(())
    }

    fn read_setup(&self) -> Result<Setup, Failure> {
        // A settings file that was named wins over a system that happens to run here.
        let system = match &self.global.config {
            Some(_) => None,
            None => self.find_local_system()?,
        };

        let settings = self.read_settings(system.as_ref())?;
        Ok(Setup { settings, system })
    }

    fn read_settings(
        &self,
        system: Option<&LocalSystem>,
    ) -> Result<LoadedSettings<ClientSettings>, Failure> {
        let loaded = self.load_settings(system, system.map(LocalSystem::settings))?;

        match system {
            Some(system) if loaded.value.bus.url != system.file.nats_url => {
                self.load_settings(Some(system), Some(system.settings_without_key()))
            }
            _ => Ok(loaded),
        }
    }

    fn load_settings(
        &self,
        system: Option<&LocalSystem>,
        announced: Option<SystemSettings>,
    ) -> Result<LoadedSettings<ClientSettings>, Failure> {
        Ok(settings::load_beside(
            "ktrdr",
            &ClientSettings::default(),
            self.settings_file(system).as_deref(),
            announced.as_ref(),
            &self.environment,
            &self.global.settings(),
        )?)
    }

    /// The settings file that `--config` names, absolute.
    pub(crate) fn named_settings_file(&self) -> Option<PathBuf> {
        let named = self.global.config.as_ref()?;
        Some(self.working_directory.join(named))
    }

    /// The settings file of this command: the one that is named, else `ktrdr.toml` of the working
    /// folder, else the one that the services of the local system read.
    pub(crate) fn settings_file(&self, system: Option<&LocalSystem>) -> Option<PathBuf> {
        self.named_settings_file()
            .or_else(|| settings_file_in(&self.working_directory))
            .or_else(|| system?.settings_file())
    }

    /// The settings file that the services of this command's system read, or those of one that were
    /// started here.
    ///
    /// # Errors
    /// A setting is wrong.
    pub(crate) fn settings_file_of_services(&self) -> Result<Option<PathBuf>, Failure> {
        match &self.setup()?.system {
            Some(system) => Ok(system.settings_file()),
            None => Ok(self.settings_file(None)),
        }
    }

    fn find_local_system(&self) -> Result<Option<LocalSystem>, Failure> {
        let system = ContextFile::find(&self.environment, &self.working_directory)
            .map_err(unreadable_context)?;
        let Some((path, file)) = system else {
            return Ok(None);
        };

        // Whoever names a file knows which one; the nearest one may have come here by accident.
        if !self.environment.contains_key(VARIABLE) {
            require_original_place(&path, file.place(&path))?;
        }
        Ok(Some(LocalSystem { path, file }))
    }

    /// The settings without their origins.
    pub(crate) fn settings(&self) -> Result<&ClientSettings, Failure> {
        Ok(&self.setup()?.settings.value)
    }

    /// The settings that a service started here would have; flags of a command are not part of
    /// them.
    ///
    /// # Errors
    /// A setting is wrong.
    pub(crate) fn service_settings<Own>(&self, service: Service) -> Result<Own, Failure>
    where
        Own: Default + Serialize + DeserializeOwned,
    {
        let settings_file = self.settings_file_of_services()?;
        let settings: LoadedSettings<ServiceSettings<Own>> = settings::load(
            service.as_str(),
            &ServiceSettings::default(),
            settings_file.as_deref(),
            &self.environment,
            &[],
        )?;
        Ok(settings.value.service.own)
    }

    /// The folder in which the services of this command's system run.
    ///
    /// # Errors
    /// A setting is wrong.
    pub(crate) fn system_directory(&self) -> Result<PathBuf, Failure> {
        let system = self.setup()?.system.as_ref();
        let folder = system.and_then(LocalSystem::working_directory);
        Ok(folder.unwrap_or(&self.working_directory).to_owned())
    }

    /// The URL of the object store, absolute.
    pub(crate) fn store_url(&self) -> Result<String, Failure> {
        Ok(self.settings()?.store.resolved(&self.working_directory))
    }

    /// The tenant whose key this command uses; none where one system has the server for itself.
    pub(crate) fn tenant(&self) -> Result<Option<Tenant>, Failure> {
        let key = self.settings()?.bus.credentials.as_deref();
        Ok(key.and_then(Tenant::of_key))
    }

    /// Who types, for the record of what this process asks for.
    ///
    /// # Errors
    /// A setting is wrong.
    pub(crate) fn person(&self) -> Result<String, Failure> {
        Ok(person::person(&self.settings()?.bus, &self.environment))
    }

    /// Connects to the server, or fails within seconds; also when the settings name another profile
    /// than the server has.
    pub(crate) async fn bus(&self) -> Result<Bus, Failure> {
        let bus = &self.settings()?.bus;
        self.connect(bus.profile, bus.credentials.clone()).await
    }

    /// Connects whichever profile the server has, for the commands that show or change it.
    pub(crate) async fn bus_of_any_profile(&self) -> Result<Bus, Failure> {
        let credentials = self.settings()?.bus.credentials.clone();
        self.connect(None, credentials).await
    }

    /// Connects with the key that may change streams, which whoever runs a local system has.
    pub(crate) async fn bus_of_infra(&self) -> Result<Bus, Failure> {
        let setup = self.setup()?;
        let credentials = setup.settings.value.bus.credentials.clone();
        let keys = setup.system.as_ref().and_then(LocalSystem::keys);

        let of_system = keys.filter(|keys| {
            let key_of_people = keys.file_of(&Identity::of(Role::Person));
            credentials.as_deref() == Some(key_of_people.as_path())
        });
        let key = of_system.map(|keys| keys.file_of(&Identity::of(Role::Infra)));
        self.connect(None, key.or(credentials)).await
    }

    /// How this process is called in the server's list of connections.
    fn client_name(&self) -> String {
        format!("ktrdr-cli/{}", std::process::id())
    }

    async fn connect(
        &self,
        profile: Option<Profile>,
        credentials: Option<PathBuf>,
    ) -> Result<Bus, Failure> {
        let setup = self.setup()?;
        let mut options = setup
            .settings
            .value
            .bus
            .connect_options(&self.client_name(), false);
        options.connect_timeout = CONNECT_TIMEOUT;
        options.profile = profile;
        options.credentials = credentials;

        Bus::connect(&options).await.map_err(|error| {
            // Only the server that the context file names can have ended with its `ktrdr up`.
            let is_unreachable = matches!(error, BusError::Connect { .. });
            let failure = Failure::from(error);
            match &setup.system {
                Some(system) if is_unreachable && options.url == system.file.nats_url => failure
                    .with_hint(format!(
                        "{} names this server, but its `ktrdr up` has ended or was killed: `ktrdr \
                         up` starts it again, `ktrdr down` ends what was left running",
                        system.path.display()
                    )),
                _ => failure,
            }
        })
    }
}

/// `ktrdr.toml` of a folder, if there is one.
fn settings_file_in(folder: &Path) -> Option<PathBuf> {
    let path = folder.join(DEFAULT_FILE);
    path.is_file().then_some(path)
}

fn unreadable_context(error: std::io::Error) -> Failure {
    Failure {
        causes: vec![error.to_string()],
        ..Failure::new(
            Exit::Usage,
            codes::CONFIG_CONTEXT,
            "cannot read the file that KTRDR_CONTEXT names",
        )
    }
    .with_hint(
        "`ktrdr up` writes it as .ktrdr/context.json; unset KTRDR_CONTEXT to look for it from here \
         upwards",
    )
}

/// Refuses a context file that came here with its folder: its system works on another one.
fn require_original_place(path: &Path, place: FilePlace) -> Result<(), Failure> {
    let path = path.display();

    match place {
        FilePlace::Original => Ok(()),
        FilePlace::Moved { from } => {
            let message = format!(
                "{path} was moved from {} while its system ran",
                from.display()
            );
            Err(Failure::new(Exit::Refused, codes::CONFIG_MOVED, message)
                .with_hint("`ktrdr down` stops it, then `ktrdr up` starts it from here"))
        }
        FilePlace::Copied { from } => {
            let message = format!(
                "{path} is a copy: it announces the system of {}",
                from.display()
            );
            Err(Failure::new(Exit::Refused, codes::CONFIG_MOVED, message).with_hint(
                "`ktrdr down` removes the copy, `ktrdr up` starts a system of this folder; for the \
                 other system work in its folder",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::TableStyle;

    fn context(global: &GlobalArgs, variables: &[(&str, &str)], here: &Path) -> Context {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let output = Output::new(global, TableStyle::Table, &BTreeMap::new());
        Context::new(global, output, environment, here.to_owned(), |_| None)
    }

    fn url(global: &GlobalArgs, variables: &[(&str, &str)], here: &Path) -> String {
        let context = context(global, variables, here);
        context.read_setup().unwrap().settings.value.bus.url
    }

    #[test]
    fn a_nearer_source_of_a_setting_wins() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let no_flags = GlobalArgs::default();
        assert_eq!(url(&no_flags, &[], here), "nats://127.0.0.1:4222");

        // A file wins over the defaults.
        std::fs::write(here.join(DEFAULT_FILE), "[bus]\nurl = \"nats://file:1\"\n").unwrap();
        assert_eq!(url(&no_flags, &[], here), "nats://file:1");

        // The running system wins over the file.
        let system = r#"{"v": 1, "nats_url": "nats://system:1", "store_url": "memory:///",
            "profile": "test", "monitor_url": "", "pid": 1, "started_at": "2026-03-01T00:00:00Z"}"#;
        std::fs::create_dir(here.join(".ktrdr")).unwrap();
        std::fs::write(here.join(".ktrdr/context.json"), system).unwrap();
        assert_eq!(url(&no_flags, &[], here), "nats://system:1");

        // A variable wins over the system, and a flag over the variable.
        let variable = [("KTRDR_NATS_URL", "nats://variable:1")];
        assert_eq!(url(&no_flags, &variable, here), "nats://variable:1");
        let flags = GlobalArgs {
            server: Some("nats://flag:1".to_owned()),
            ..GlobalArgs::default()
        };
        assert_eq!(url(&flags, &variable, here), "nats://flag:1");
    }
}
