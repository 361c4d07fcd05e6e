//! The compose file and the manifests of Kubernetes, held to the code: programs, settings, streams,
//! consumers and times that they name exist, and each pod is as closed as the page says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use bus::Profile;
use bus::topology::{Topology, TopologyOptions};
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::Value;
use system_tests::Keys;

use crate::reader::{checkout, programs};

const SERVICES: [&str; 6] = [
    "fetcher",
    "validator",
    "processor",
    "registry",
    "family",
    "trainer",
];

/// The version that the tags of images must have.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The documents of a YAML file of `infra`.
pub fn read_yaml(name: &str) -> Vec<Value> {
    let path = checkout().join("infra").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let documents = Yaml::load_from_str(&text).unwrap();
    documents.into_iter().map(json_of).collect()
}

fn json_of(yaml: Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => value.into(),
        Yaml::Value(Scalar::Integer(value)) => value.into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        Yaml::Value(Scalar::String(value)) => value.into(),
        Yaml::Sequence(items) => items.into_iter().map(json_of).collect(),
        Yaml::Mapping(entries) => entries
            .into_iter()
            .map(|(key, value)| (key.as_str().unwrap().to_owned(), json_of(value)))
            .collect(),
        other => panic!("this is not plain YAML: {other:?}"),
    }
}

/// Every document of the manifests of Kubernetes.
pub fn manifests() -> Vec<Value> {
    let folder = checkout().join("infra/kubernetes");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();

    let read = |name: &String| read_yaml(&format!("kubernetes/{name}"));
    names.iter().flat_map(read).collect()
}

fn of_kind(kind: &str) -> Vec<Value> {
    let mut documents = manifests();
    documents.retain(|document| document["kind"] == kind);
    documents
}

/// The pods that the manifests start, by the name of what starts them.
fn pods() -> BTreeMap<String, Value> {
    let mut pods = BTreeMap::new();
    for document in manifests() {
        let template = &document["spec"]["template"];
        if template.is_object() {
            let name = document["metadata"]["name"].as_str().unwrap();
            pods.insert(name.to_owned(), template.clone());
        }
    }
    pods
}

/// A setting file that the manifests mount.
pub fn mounted(map: &str, file: &str) -> String {
    let maps = of_kind("ConfigMap");
    let named = maps.iter().find(|one| one["metadata"]["name"] == map);
    named.unwrap()["data"][file].as_str().unwrap().to_owned()
}

fn words(list: &Value) -> Vec<String> {
    let items = list.as_array().unwrap().iter();
    items
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

/// The services of the compose file with the defaults that they share.
fn compose() -> BTreeMap<String, Value> {
    let document = read_yaml("compose.yaml").remove(0);
    let shared = document["x-program"].as_object().unwrap();
    let mut services = BTreeMap::new();

    for (name, service) in document["services"].as_object().unwrap() {
        let mut merged = service.as_object().unwrap().clone();
        if merged.remove("<<").is_some() {
            for (key, value) in shared {
                merged.entry(key).or_insert_with(|| value.clone());
            }
        }
        services.insert(name.clone(), Value::Object(merged));
    }
    services
}

/// The command lines that containers of both kinds start, probes included.
fn command_lines() -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    for pod in pods().values() {
        let container = &pod["spec"]["containers"][0];
        lines.push(words(&container["args"]));
        for probe in ["startupProbe", "readinessProbe"] {
            let command = &container[probe]["exec"]["command"];
            if command.is_array() {
                lines.push(words(command));
            }
        }
    }

    for service in compose().values() {
        let image = service["image"].as_str().unwrap();
        if image.starts_with("ktrdr") && service["command"].is_array() {
            lines.push(words(&service["command"]));
        }
        let test = &service["healthcheck"]["test"];
        if image.starts_with("ktrdr") && test.is_array() {
            lines.push(words(test).split_off(1));
        }
    }
    lines
}

#[test]
fn containers_start_programs_with_flags_that_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("ktrdr.toml");
    std::fs::write(&settings, mounted("ktrdr-settings", "ktrdr.toml")).unwrap();
    let lines: BTreeSet<Vec<String>> = command_lines().into_iter().collect();
    let mut started = BTreeSet::new();

    for line in &lines {
        let name = &line[0];
        started.insert(name.clone());
        if name == "nats-server" {
            continue;
        }
        // A service shows its settings and ends; a command of ktrdr explains itself.
        let last = if name == "ktrdr" { "--help" } else { "--check" };
        let mut command = Command::new(programs().join(name));
        for word in &line[1..] {
            command.arg(word.replace("/etc/ktrdr/ktrdr.toml", settings.to_str().unwrap()));
        }

        // A trainer on a GPU starts where there is one only; its settings can be shown anywhere.
        let output = command.arg(last).current_dir(folder.path()).output();
        let output = output.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line:?}: {errors}");
    }

    let services = SERVICES.map(|service| format!("ktrdr-{service}"));
    assert!(
        services.iter().all(|name| started.contains(name)),
        "{started:?}"
    );
}

#[test]
fn variables_of_the_compose_file_are_settings() {
    let document = read_yaml("compose.yaml").remove(0);
    let environment = document["x-program"]["environment"].as_object().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(programs().join("ktrdr"));

    command.args(["config", "show", "--origin", "--json"]);
    command.current_dir(folder.path());
    let mut settings = BTreeSet::new();
    for (name, value) in environment {
        command.env(name, value.as_str().unwrap());
        settings.extend(name.starts_with("KTRDR_").then(|| name.clone()));
    }
    let output = command.output().unwrap();

    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("nothing reads this variable"), "{errors}");
    let text = String::from_utf8_lossy(&output.stdout);
    for name in settings {
        assert!(text.contains(&name), "no setting comes from {name}: {text}");
    }
}

#[test]
fn the_settings_of_the_cluster_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("ktrdr.toml");
    std::fs::write(&settings, mounted("ktrdr-settings", "ktrdr.toml")).unwrap();

    let mut check = Command::new(programs().join("ktrdr"));
    check.args(["config", "check", "--config"]).arg(&settings);
    let output = check.current_dir(folder.path()).output().unwrap();

    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}

#[test]
fn the_autoscaler_counts_consumers_that_exist() {
    let topology = Topology::declare(Profile::Prod, TopologyOptions::default());
    let consumers: BTreeSet<(&str, &str)> = topology
        .consumers
        .iter()
        .map(|one| (one.stream, one.config.durable_name.as_deref().unwrap()))
        .collect();
    let pods = pods();
    let scaled = of_kind("ScaledObject");
    assert_eq!(scaled.len(), 2);

    for object in scaled {
        let metadata = &object["spec"]["triggers"][0]["metadata"];
        let stream = metadata["stream"].as_str().unwrap();
        let consumer = metadata["consumer"].as_str().unwrap();
        assert!(consumers.contains(&(stream, consumer)), "{metadata}");

        let target = object["spec"]["scaleTargetRef"]["name"].as_str().unwrap();
        assert!(pods.contains_key(target), "{target}");
        // The autoscaler asks each server by its name, which only a service without an address has.
        let endpoint = metadata["natsServerMonitoringEndpoint"].as_str().unwrap();
        assert!(
            endpoint.starts_with("ktrdr-nats-peers.ktrdr."),
            "{endpoint}"
        );
    }
}

#[test]
fn every_pod_is_closed() {
    let pods = pods();
    assert_eq!(pods.len(), 9, "{:?}", pods.keys());

    for (name, pod) in pods {
        let spec = &pod["spec"];
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
        // Variables of services would look like settings.
        assert_eq!(spec["enableServiceLinks"], false, "{name}");

        let container = &spec["containers"][0];
        let security = &container["securityContext"];
        assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(security["capabilities"]["drop"][0], "ALL", "{name}");
        assert!(container["resources"]["limits"]["memory"].is_string());
        let image = container["image"].as_str().unwrap();
        assert!(image.ends_with(&format!(":{VERSION}")), "{image}");
    }
    for (name, service) in compose() {
        assert_eq!(
            service["cap_drop"][0].as_str().unwrap_or("ALL"),
            "ALL",
            "{name}"
        );
        let image = service["image"].as_str().unwrap();
        let is_ours = image.starts_with("ktrdr");
        assert!(
            !is_ours || image.ends_with(&format!(":{VERSION}")),
            "{image}"
        );
        assert!(!is_ours || service["read_only"] == true, "{name}");
    }
}

#[test]
fn budgets_and_volumes_name_what_exists() {
    let pods = pods();
    let labels: BTreeSet<&str> = pods
        .values()
        .map(|pod| pod["metadata"]["labels"]["app"].as_str().unwrap())
        .collect();

    for budget in of_kind("PodDisruptionBudget") {
        let label = &budget["spec"]["selector"]["matchLabels"]["app"];
        assert!(labels.contains(label.as_str().unwrap()), "{label}");
    }
    for (name, pod) in &pods {
        let volumes = pod["spec"]["volumes"].as_array().unwrap();
        let names: BTreeSet<&str> = volumes
            .iter()
            .map(|volume| volume["name"].as_str().unwrap())
            .collect();
        let mounts = &pod["spec"]["containers"][0]["volumeMounts"];
        for mount in mounts.as_array().unwrap() {
            let volume = mount["name"].as_str().unwrap();
            // That of the server is claimed for each pod.
            let is_claimed = name == "ktrdr-nats" && volume == "data";
            assert!(is_claimed || names.contains(volume), "{name}: {volume}");
        }
    }
}

#[test]
fn whoever_ends_a_service_waits_for_longer_than_it_drains() {
    let output = Command::new(programs().join("ktrdr-trainer"))
        .arg("--check")
        .current_dir(tempfile::tempdir().unwrap().path())
        .output()
        .unwrap();
    let settings = String::from_utf8(output.stdout).unwrap();
    let line = settings
        .lines()
        .find(|line| line.starts_with("trainer.drain_timeout"));
    // Three times as long: the last object of a step may be large.
    assert!(line.unwrap().contains("= 20s "), "{settings}");

    for (name, pod) in pods() {
        let seconds = pod["spec"]["terminationGracePeriodSeconds"].as_u64();
        assert!(name == "ktrdr-topology" || seconds >= Some(60), "{name}");
    }
    for service in SERVICES {
        assert_eq!(compose()[service]["stop_grace_period"], "60s", "{service}");
    }
    for unit in ["ktrdr@.service", "ktrdr-trainer@.service"] {
        let path = checkout().join("infra/systemd").join(unit);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("\nTimeoutStopSec=60\n"), "{unit}");
    }
}

#[test]
fn the_server_accepts_its_settings_of_the_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let permissions = checkout().join("infra/nats/permissions.conf");
    std::fs::copy(permissions, folder.path().join("permissions.conf")).unwrap();
    let settings = folder.path().join("server.conf");
    std::fs::write(&settings, mounted("ktrdr-nats", "server.conf")).unwrap();

    let mut server = Command::new(nats_server());
    server.args(["-t", "--config"]).arg(&settings);
    server.envs(Keys::make(folder.path()).variables());
    let output = server.env("POD_NAME", "ktrdr-nats-0").output().unwrap();

    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(
        errors.contains("test succeeded") || errors.contains("is valid"),
        "{errors}"
    );
}

/// The server that the set-up fetched, else that of the host.
pub fn nats_server() -> std::path::PathBuf {
    let fetched = checkout().join(".deps/nats/bin/nats-server");
    if fetched.is_file() {
        return fetched;
    }
    Path::new("nats-server").to_owned()
}

#[test]
fn dependencies_and_secrets_of_the_compose_file_exist() {
    let document = read_yaml("compose.yaml").remove(0);
    let services = compose();
    let secrets = document["secrets"].as_object().unwrap();

    for (name, service) in &services {
        if let Some(needed) = service["depends_on"].as_object() {
            for other in needed.keys() {
                assert!(services.contains_key(other), "{name} needs {other}");
            }
        }
        for secret in service["secrets"].as_array().into_iter().flatten() {
            let source = secret["source"].as_str().unwrap();
            assert!(secrets.contains_key(source), "{name}: {source}");
            assert_eq!(secret["target"], "bus.credentials");
        }
    }
    // As `ktrdr infra credentials` names them.
    for (role, secret) in secrets {
        let file = secret["file"].as_str().unwrap();
        assert!(file.ends_with(&format!("/{role}.nk")), "{file}");
    }

    let environment = &document["x-program"]["environment"];
    assert_eq!(
        environment["KTRDR_BUS_CREDENTIALS"],
        "/run/secrets/bus.credentials"
    );
}
