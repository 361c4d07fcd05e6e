//! The image of a release: what the specification of OCI asks for holds, and its root filesystem
//! runs a system, read-only and as a user without rights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::archives::{Ended, archives, can_isolate, folder_of_build, run_script};

/// The image, unpacked as a layout of OCI.
static LAYOUT: LazyLock<PathBuf> = LazyLock::new(|| make_layout("image"));

/// The number of the user that the image runs as.
const USER: &str = "65532";

fn make_layout(name: &str) -> PathBuf {
    let folder = folder_of_build(name);
    let archives = archives();
    let from = archives[0].parent().unwrap().to_str().unwrap();
    let out = folder.to_str().unwrap();
    let flags = ["--without-libtorch", "--level", "0"];

    let made = run_script(
        "image",
        &[&["--archives", from, "--out", out], &flags[..]].concat(),
    );
    assert!(made.is_success, "{}", made.text);

    let mut files = std::fs::read_dir(&folder).unwrap();
    let image = files.next().unwrap().unwrap().path();
    unpack_tar(&image, &folder);
    std::fs::remove_file(image).unwrap();
    folder
}

fn unpack_tar(archive: &Path, into: &Path) {
    let mut tar = Command::new("tar");
    tar.args(["--no-same-owner", "-xf"]).arg(archive);
    assert!(tar.arg("-C").arg(into).status().unwrap().success());
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The digest of a file, or of what a command prints about it.
fn sha256_of(script: &str, path: &Path) -> String {
    let mut shell = Command::new("bash");
    let output = shell.args(["-c", script, "bash"]).arg(path).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    format!("sha256:{}", text.split_whitespace().next().unwrap())
}

/// The blob that a descriptor points to, once its media type, size and digest are as they should
/// be.
fn blob(descriptor: &Value, kind: &str) -> PathBuf {
    let digest = descriptor["digest"].as_str().unwrap();
    let hexadecimal = digest.strip_prefix("sha256:").unwrap();
    let path = LAYOUT.join("blobs/sha256").join(hexadecimal);

    assert_eq!(
        descriptor["mediaType"],
        format!("application/vnd.oci.image.{kind}")
    );
    assert_eq!(descriptor["size"], path.metadata().unwrap().len());
    assert_eq!(digest, sha256_of("sha256sum \"$1\"", &path));
    path
}

fn manifest() -> Value {
    let index = read_json(&LAYOUT.join("index.json"));
    assert_eq!(index["schemaVersion"], 2);
    let manifests = index["manifests"].as_array().unwrap();
    assert_eq!(manifests.len(), 1);
    read_json(&blob(&manifests[0], "manifest.v1+json"))
}

fn layers() -> Vec<PathBuf> {
    let manifest = manifest();
    let layers = manifest["layers"].as_array().unwrap().iter();
    layers
        .map(|layer| blob(layer, "layer.v1.tar+gzip"))
        .collect()
}

#[test]
fn the_image_is_what_the_specification_asks_for() {
    let version = read_json(&LAYOUT.join("oci-layout"));
    assert_eq!(version["imageLayoutVersion"], "1.0.0");
    let manifest = manifest();
    let configuration = read_json(&blob(&manifest["config"], "config.v1+json"));

    let unpacked = layers();
    let digests = unpacked
        .iter()
        .map(|layer| Value::from(sha256_of("gzip -cd \"$1\" | sha256sum", layer)));
    assert_eq!(
        configuration["rootfs"]["diff_ids"],
        Value::from_iter(digests)
    );
    assert_eq!(configuration["architecture"], "amd64");
    let history = configuration["history"].as_array().unwrap();
    assert_eq!(history.len(), unpacked.len());

    // Nothing of the lower layers can be changed by whoever runs in it.
    assert_eq!(configuration["config"]["User"], format!("{USER}:{USER}"));
    assert_eq!(configuration["config"]["WorkingDir"], "/data");
    let labels = &configuration["config"]["Labels"];
    assert_eq!(labels, &manifest["annotations"]);
    assert_eq!(labels["org.opencontainers.image.licenses"], "Apache-2.0");
}

#[test]
fn the_same_archive_makes_the_same_image() {
    let again = make_layout("image-again");

    // The index has the digest of the manifest, which has those of all layers.
    let index = |folder: &Path| read_json(&folder.join("index.json"));
    assert_eq!(index(&LAYOUT), index(&again));
}

#[test]
fn only_two_folders_of_the_image_can_be_written_to() {
    let mut modes = BTreeMap::new();
    for layer in layers() {
        let output = Command::new("tar")
            .args(["--numeric-owner", "-tvzf"])
            .arg(&layer)
            .output();
        let listing = String::from_utf8(output.unwrap().stdout).unwrap();
        for line in listing.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            modes.insert(
                words[5].to_owned(),
                (words[0].to_owned(), words[1].to_owned()),
            );
        }
    }

    assert!(modes.len() > 40, "{modes:?}");
    assert_eq!(modes["tmp/"].0, "drwxrwxrwt");
    assert_eq!(modes["data/"].1, format!("{USER}/{USER}"));
    modes.retain(|name, _| name != "tmp/" && name != "data/");
    for (name, mode) in modes {
        let expected = ["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx"];
        assert!(expected.contains(&mode.0.as_str()), "{name}: {mode:?}");
        assert_eq!(mode.1, "0/0", "{name}");
    }
}

/// A root filesystem of the image, in which commands run as a container engine would run them.
struct Container {
    root: TempDir,
}

impl Container {
    fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        for layer in layers() {
            unpack_tar(&layer, root.path());
        }
        Self { root }
    }

    fn run(&self, command: &[&str]) -> Ended {
        let root = self.root.path().to_str().unwrap();
        let flags = ["--read-only", "--user", USER, "--writable", "data"];
        let variables = ["--env", "PATH=/opt/ktrdr/bin", "--folder", "/data", "--"];
        run_script(
            "bare",
            &[&["--root", root], &flags[..], &variables, command].concat(),
        )
    }
}

#[test]
fn the_image_runs_a_system_read_only_and_without_rights() {
    if !can_isolate() {
        return;
    }
    let container = Container::start();

    let doctor = container.run(&["ktrdr", "up", "--", "ktrdr", "doctor"]);
    assert!(doctor.is_success, "{}", doctor.text);
    for check in ["ok    durability", "ok    topology", "ok    store"] {
        assert!(doctor.text.contains(check), "{}", doctor.text);
    }

    let elsewhere = container.run(&["ktrdr", "man", "--out", "/opt/man"]);
    assert!(!elsewhere.is_success);
    assert!(
        elsewhere.text.contains("Read-only file system"),
        "{}",
        elsewhere.text
    );
    let shell = container.run(&["sh"]);
    assert!(
        shell.text.contains("there is no sh in the root"),
        "{}",
        shell.text
    );
}

#[test]
fn a_container_engine_reads_the_image_where_there_is_one() {
    let mut skopeo = Command::new("skopeo");
    skopeo.arg("--version").stdout(Stdio::null());
    let is_there = skopeo.status().is_ok_and(|status| status.success());
    if !is_there {
        return;
    }

    let image = format!("oci:{}", LAYOUT.display());
    let inspected = Command::new("skopeo").args(["inspect", &image]).output();
    let text = String::from_utf8(inspected.unwrap().stdout).unwrap();
    assert!(text.contains("\"Architecture\": \"amd64\""), "{text}");
}
