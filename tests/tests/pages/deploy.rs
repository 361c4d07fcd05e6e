//! The page `docs/deploy.md`: its console is typed on the archive of this build, and what its other
//! blocks and its tables name exists.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::process::Command;

use regex::Regex;

use crate::archives::archives;
use crate::comparison::missing_lines;
use crate::console::read_console;
use crate::manifests::manifests;
use crate::reader::checkout;

const PAGE: &str = include_str!("../../../docs/deploy.md");

/// The shell blocks of the page, which no test can type.
fn shell_lines() -> Vec<&'static str> {
    let blocks = PAGE.split("```sh\n").skip(1);
    let texts = blocks.map(|block| block.split("\n```").next().unwrap());
    texts.flat_map(str::lines).collect()
}

#[test]
fn the_console_of_the_page_is_typed_on_a_real_archive() {
    let folder = tempfile::tempdir().unwrap();
    let archive = &archives()[0];
    let sums = archive.parent().unwrap().join("SHA256SUMS");
    for path in [archive, &sums] {
        symlink(path, folder.path().join(path.file_name().unwrap())).unwrap();
    }

    // As in a shell, what was exported holds for the commands after it.
    let mut exports = String::new();
    for typed in read_console(PAGE) {
        let mut shell = Command::new("bash");
        shell
            .args(["-c", &format!("{exports}{} 2>&1", typed.command)])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin");
        let output = shell.output().unwrap();
        let screen = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {screen}", typed.command);

        let missing = missing_lines(&typed.output, &screen, &mut BTreeMap::new());
        assert_eq!(missing, [""; 0], "{screen}");
        if typed.command.starts_with("export ") {
            exports.push_str(&format!("{}\n", typed.command));
        }
    }
}

#[test]
fn what_the_page_installs_and_applies_exists() {
    let files = Regex::new(r"(?:/opt/ktrdr/|\b)(infra/[\w/.-]+|share/[\w/.-]+)").unwrap();
    // Whoever follows the page writes these.
    let written = ["infra/credentials/", "infra/.env"];
    let mut count = 0;

    for place in files.captures_iter(PAGE) {
        let path = place[1].trim_end_matches(['.', '/']);
        let is_written = written.iter().any(|one| place[1].starts_with(one));
        // Made with the archive, and tested with it.
        if is_written || path == "infra/credentials" || path.starts_with("share/") {
            continue;
        }
        count += 1;
        assert!(checkout().join(path).exists(), "{path}");
    }
    assert!(count > 15, "{count}");
}

#[test]
fn every_unit_that_the_page_starts_is_there() {
    let units = Regex::new(r"ktrdr(?:-nats|-trainer@|@)").unwrap();

    for line in shell_lines() {
        if line.starts_with("systemctl enable") {
            for unit in units.find_iter(line) {
                let file = format!("infra/systemd/{}.service", unit.as_str());
                assert!(checkout().join(&file).is_file(), "{file}");
            }
        }
    }
}

#[test]
fn systemd_accepts_the_units_where_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let program = Regex::new(r"(?m)^ExecStart=\S+").unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]);

    // Of the programs it asks only whether they are there.
    for entry in std::fs::read_dir(checkout().join("infra/systemd")).unwrap() {
        let entry = entry.unwrap();
        let unit = std::fs::read_to_string(entry.path()).unwrap();
        let path = folder.path().join(entry.file_name());
        let started = program.replace(&unit, "ExecStart=/bin/true");
        std::fs::write(&path, started.as_ref()).unwrap();
        verify.arg(path);
    }

    if let Ok(output) = verify.output() {
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert!(!errors.contains("Unknown key"), "{errors}");
    }
}

#[test]
fn every_manifest_is_applied_and_every_secret_is_made() {
    let text = shell_lines().join("\n");
    for entry in std::fs::read_dir(checkout().join("infra/kubernetes")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            text.contains(&format!("-f infra/kubernetes/{name}")),
            "{name}"
        );
    }

    let roles = text.split("for role in ").nth(1).unwrap();
    let roles: BTreeSet<&str> = roles.split(';').next().unwrap().split(' ').collect();
    for document in manifests() {
        let volumes = &document["spec"]["template"]["spec"]["volumes"];
        for volume in volumes.as_array().into_iter().flatten() {
            if let Some(secret) = volume["secret"]["secretName"].as_str() {
                let role = secret.strip_prefix("ktrdr-credentials-").unwrap();
                assert!(roles.contains(role), "{secret}");
            }
        }
    }
    assert!(text.contains("create secret generic ktrdr-store "));
    assert!(text.contains("create configmap ktrdr-nats-permissions "));
}

#[test]
fn the_sizes_of_the_page_are_those_of_the_manifests() {
    let section = PAGE.split("\n## ").find(|text| text.starts_with("Sizes"));
    let rows = section
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("| "));
    let rows: Vec<Vec<&str>> = rows
        .skip(1)
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let mut deployments = manifests();
    deployments.retain(|one| one["kind"] == "Deployment" && one["spec"]["replicas"].is_u64());
    assert_eq!(rows.len(), deployments.len());

    for (row, deployment) in rows.iter().zip(deployments) {
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let resources = &container["resources"];
        let cpu = &resources["requests"]["cpu"];
        let cells = [
            container["name"].as_str().unwrap().to_owned(),
            deployment["spec"]["replicas"].to_string(),
            cpu.as_str().map_or(cpu.to_string(), str::to_owned),
            resources["requests"]["memory"].as_str().unwrap().to_owned(),
            resources["limits"]["memory"].as_str().unwrap().to_owned(),
        ];
        assert_eq!(row, &cells);
    }
}
