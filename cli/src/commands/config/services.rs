//! The settings of services, as each service itself reads them.

use std::process::Output;

use futures::future::join_all;
use runtime::settings::Setting;
use schemas::ids::Service;

use crate::console::Failure;
use crate::context::Context;
use crate::up::{NOT_BUILT, binaries_folder, binary, config_flag};

/// What a service says about its settings.
pub(super) enum ServiceAnswer {
    /// Each setting of its own section.
    Settings(Vec<Setting>),
    /// It refuses them: its words.
    Refused(String),
    /// It cannot be asked, and why.
    Absent(String),
}

/// A service with its answer.
pub(super) struct AnsweredService {
    pub(super) service: Service,
    pub(super) answer: ServiceAnswer,
}

/// Asks every service, as if the local system, or this folder, were to start it now.
///
/// # Errors
/// The settings of the command line are wrong.
pub(super) async fn ask_services(context: &Context) -> Result<Vec<AnsweredService>, Failure> {
    let setup = context.setup()?;
    let file = context.settings_file_of_services()?;
    let folder = context.system_directory()?;
    let binaries = binaries_folder(&context.environment);

    let mut variables: Vec<(&str, &str)> = Vec::new();
    if let Some(system) = &setup.system {
        variables.push(("KTRDR_BUS_URL", &system.file.nats_url));
        variables.push(("KTRDR_STORE_URL", &system.file.store_url));
    }
    let asked_services = Service::ALL.iter().map(|service| {
        let mut command = tokio::process::Command::new(binary(&binaries, *service));
        command
            .args(["--check", "--json"])
            .args(config_flag(file.as_deref()))
            .envs(variables.clone())
            .current_dir(&folder);
        ask(*service, command)
    });
    Ok(join_all(asked_services).await)
}

async fn ask(service: Service, mut command: tokio::process::Command) -> AnsweredService {
    let answer = match command.output().await {
        Ok(output) => read_answer(service, &output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            ServiceAnswer::Absent(NOT_BUILT.to_owned())
        }
        Err(error) => ServiceAnswer::Absent(error.to_string()),
    };
    AnsweredService { service, answer }
}

fn read_answer(service: Service, output: &Output) -> ServiceAnswer {
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return ServiceAnswer::Refused(words);
    }

    let text = String::from_utf8_lossy(&output.stdout);
    let own_section = format!("{service}.");
    let settings = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Setting>(line).ok())
        .filter(|setting| setting.key.starts_with(&own_section));
    ServiceAnswer::Settings(settings.collect())
}
