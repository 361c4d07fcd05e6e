//! Specifications of the settings: which layer wins, what is refused and how it is said.
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use runtime::settings::LaneSetting;
use runtime::settings::{
    self, ClientSettings, LoadedSettings, NoSettings, Origin, Profile, ServiceSettings,
    SettingsError,
};
use schemas::codes::Advice;
use schemas::ids::Lane;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct TrainerSettings {
    threads: u32,
    device: Option<String>,
    api_token: Option<String>,
}

type Loaded = Result<LoadedSettings<ServiceSettings<TrainerSettings>>, SettingsError>;

fn defaults() -> ServiceSettings<TrainerSettings> {
    let mut defaults = ServiceSettings::<TrainerSettings>::default();
    defaults.service.own.threads = 1;
    defaults
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn load(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ktrdr.toml");
    std::fs::write(&path, file).unwrap();
    let flags: Vec<(String, String)> = map(flags).into_iter().collect();
    settings::load("trainer", &defaults(), Some(&path), &map(env), &flags)
}

/// The error and its hint as a person sees them, the temporary folder left out.
fn message(error: &SettingsError) -> String {
    let text = format!("error: {error}\nhint: {}", error.hint());
    let lines = text
        .lines()
        .map(|line| match (line.find("/tmp"), line.find("ktrdr.toml")) {
            (Some(start), Some(end)) => format!("{}{}", &line[..start], &line[end..]),
            _ => line.to_owned(),
        });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn flags_win_over_variables_over_the_file_over_the_defaults() {
    let file = "\
[bus]
url = 'nats://file:1'
profile = 'prod'
[trainer]
threads = 2
slots = 3
drain_timeout = '5s'
";
    let env = [
        ("KTRDR_BUS_URL", "nats://env:2"),
        ("KTRDR_TRAINER_THREADS", "4"),
        ("HOME", "/root"),
    ];

    let loaded = load(file, &env, &[("threads", "8")]).unwrap();

    assert_eq!(loaded.value.bus.url, "nats://env:2");
    assert_eq!(loaded.value.bus.profile, Some(Profile::Prod));
    assert_eq!(loaded.value.service.own.threads, 8);
    assert_eq!(loaded.value.service.slots.get(), 3);
    assert_eq!(loaded.value.service.drain_timeout, Duration::from_secs(5));
}

#[test]
fn a_variable_without_a_value_counts_as_not_set() {
    let env = [("KTRDR_STORE", ""), ("KTRDR_BUS_URL", "  ")];

    let loaded = load("[bus]\nurl = 'nats://file:1'\n", &env, &[]).unwrap();

    assert_eq!(loaded.value.store.url, ".ktrdr/objects");
    assert_eq!(loaded.value.bus.url, "nats://file:1");
}

#[test]
fn each_value_remembers_the_layer_that_won() {
    let file = "[bus]\nurl = 'nats://file:1'\nprofile = 'prod'\n";
    let env = [("KTRDR_BUS_URL", "nats://env:2")];

    let loaded = load(file, &env, &[("threads", "8")]).unwrap();

    let origins: BTreeMap<&str, &Origin> = loaded
        .entries
        .iter()
        .map(|setting| (setting.key.as_str(), &setting.origin))
        .collect();
    let variable = Origin::Environment("KTRDR_BUS_URL".to_owned());
    assert_eq!(origins["trainer.threads"], &Origin::Flag);
    assert_eq!(origins["bus.url"], &variable);
    assert!(matches!(origins["bus.profile"], Origin::File(_)));
    assert_eq!(origins["store.url"], &Origin::Default);
}

#[test]
fn variables_set_lists_options_and_short_names() {
    let env = [
        ("KTRDR_TRAINER_LANES", "gpu, default"),
        ("KTRDR_TRAINER_DEVICE", "0"),
        ("KTRDR_PROFILE", "test"),
    ];

    let loaded = load("", &env, &[]).unwrap();

    let lanes = LaneSetting::These(vec![Lane::Gpu, Lane::Default]);
    assert_eq!(loaded.value.service.lanes, lanes);
    assert_eq!(loaded.value.service.own.device.as_deref(), Some("0"));
    assert_eq!(loaded.value.bus.profile, Some(Profile::Test));
}

#[test]
fn all_mistakes_are_reported_at_once_with_the_nearest_name() {
    let error = load(
        "[bus]\nulr = 'nats://a:1'\n[trainer]\nslots = 0\n",
        &[("KTRDR_TRAINER_THREADS", "four")],
        &[("bus.profile", "fast"), ("threds", "4")],
    )
    .unwrap_err();

    insta::assert_snapshot!(message(&error), @r#"
    error: 5 settings are wrong
      ktrdr.toml: there is no setting `bus.ulr`; did you mean `bus.url`?
      command line: there is no setting `threds`; did you mean `threads`?
      ktrdr.toml: trainer.slots: invalid value: integer `0`, expected a nonzero u16
      KTRDR_TRAINER_THREADS: trainer.threads: invalid type: string "four", expected u32
      command line: bus.profile: unknown variant `fast`, expected one of `test`, `dev`, `prod`
    hint: correct them, then look at the result with `ktrdr config check`
    "#);
}

#[test]
fn unknown_variables_are_warned_of_with_the_nearest_name() {
    let env = [
        ("KTRDR_BIN", "/opt/ktrdr/bin"),
        ("KTRDR_TRAINER_THREDS", "4"),
        ("KTRDR_ZZZ", "1"),
    ];

    let loaded = load("", &env, &[]).unwrap();

    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"), @r"
    KTRDR_BIN: nothing reads this variable; did you mean `KTRDR_BIN_DIR`?
    KTRDR_TRAINER_THREDS: nothing reads this variable; did you mean `KTRDR_TRAINER_THREADS`?
    KTRDR_ZZZ: nothing reads this variable
    ");
    assert_eq!(loaded.value, defaults());
}

#[test]
fn settings_are_shown_with_their_origin_without_secrets() {
    let env = [
        ("KTRDR_TRAINER_API_TOKEN", "abc"),
        ("KTRDR_NATS_URL", "nats://ann:s3cret@bus:4222"),
    ];

    let loaded = load("", &env, &[("log.format", "json")]).unwrap();

    insta::assert_snapshot!(loaded.to_string(), @"
    bus.credentials         = (none)  (default)
    bus.profile             = (none)  (default)
    bus.tls_ca              = (none)  (default)
    bus.tls_cert            = (none)  (default)
    bus.tls_key             = (none)  (default)
    bus.url                 = nats://…@bus:4222  (KTRDR_NATS_URL)
    log.filter              = info,async_nats=warn  (default)
    log.format              = json  (command line)
    store.url               = .ktrdr/objects  (default)
    trainer.api_token       = (hidden)  (KTRDR_TRAINER_API_TOKEN)
    trainer.device          = (none)  (default)
    trainer.drain_timeout   = 20s  (default)
    trainer.lanes           = all  (default)
    trainer.metrics_address = (none)  (default)
    trainer.retry.base      = 1s  (default)
    trainer.retry.cap       = 1m  (default)
    trainer.retry.limit     = 3  (default)
    trainer.slots           = 1  (default)
    trainer.threads         = 1  (default)
    ");
}

#[test]
fn settings_of_other_services_are_left_to_them() {
    let file = "[fetcher]\nanything = 1\n[registry]\nlanes = []\n";
    let env = [("KTRDR_FETCHER_HOST", "x"), ("KTRDR_CONTEXT", "y")];

    let loaded = load(file, &env, &[]).unwrap();

    assert_eq!(loaded.warnings, []);
}

#[test]
fn a_file_that_is_not_toml_names_the_line() {
    let error = load("[bus]\nurl = nats\n", &[], &[]).unwrap_err();

    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(matches!(error, SettingsError::Parse { .. }));
    assert!(source.contains("line 2"), "{source}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let result = settings::load(
        "trainer",
        &defaults(),
        Some(Path::new("/nowhere/ktrdr.toml")),
        &map(&[]),
        &[],
    );

    assert_eq!(
        result.unwrap_err().to_string(),
        "cannot read /nowhere/ktrdr.toml"
    );
}

#[test]
fn a_service_without_settings_of_its_own_loads() {
    let defaults = ServiceSettings::<NoSettings>::default();

    let loaded = settings::load("dummy", &defaults, None, &BTreeMap::new(), &[]).unwrap();

    assert_eq!(loaded.value, defaults);
}

#[test]
fn the_settings_of_the_command_line_load() {
    let defaults = ClientSettings::default();

    let loaded = settings::load("cli", &defaults, None, &BTreeMap::new(), &[]).unwrap();

    assert_eq!(loaded.value, defaults);
}

#[test]
fn a_plain_folder_is_a_store_below_the_working_directory() {
    for (setting, url) in [
        ("./data/store", "file:///home/ann/data/store"),
        ("/var/store", "file:///var/store"),
        ("s3://bucket/prefix", "s3://bucket/prefix"),
        ("bus:registry", "bus:registry"),
        ("./bus:registry", "file:///home/ann/bus:registry"),
    ] {
        let store = settings::StoreSettings {
            url: setting.to_owned(),
        };
        assert_eq!(store.resolved(Path::new("/home/ann")), url);
    }
}
