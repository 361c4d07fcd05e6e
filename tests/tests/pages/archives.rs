//! The archives of a release, made from the programs of the build: the same bytes each time, and
//! unpacked where nothing is installed they run the demo.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;

use crate::reader::{checkout, programs};

/// The archives that all tests here read, beside each other in one folder.
static ARCHIVES: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = folder_of_build("archives");
    make_archives(&folder);
    folder
});

/// What a script printed, and whether it ended well.
pub struct Ended {
    /// Standard output and then standard error.
    pub text: String,
    /// It ended with exit code 0.
    pub is_success: bool,
}

/// Runs a script of `infra/dist`, with no settings of whoever runs the tests.
pub fn run_script(name: &str, arguments: &[&str]) -> Ended {
    let mut command = Command::new(checkout().join("infra/dist").join(name));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KTRDR_")) {
        command.env_remove(name);
    }
    // What is unpacked may be too large for a /tmp in memory.
    command.env("TMPDIR", env!("CARGO_TARGET_TMPDIR"));

    let output: Output = command.args(arguments).output().unwrap();

    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    Ended {
        text: printed + &String::from_utf8_lossy(&output.stderr),
        is_success: output.status.success(),
    }
}

/// An empty folder in that of the build: what is too large for it to be left behind by each run.
pub fn folder_of_build(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whether this host lets users make namespaces, in which nothing is installed; some do not.
pub fn can_isolate() -> bool {
    static ANSWER: LazyLock<bool> = LazyLock::new(|| {
        let ended = run_script("bare", &["--", "ls"]);
        // Any other reason is a mistake of the script.
        let is_refused = ["may make namespaces", "unshare: ", "cannot open"]
            .iter()
            .any(|reason| ended.text.contains(reason));
        assert!(ended.is_success || is_refused, "{}", ended.text);
        ended.is_success
    });
    *ANSWER
}

fn make_archives(folder: &Path) {
    let programs = programs();
    let bin_dir = programs.to_str().unwrap();
    let out = folder.to_str().unwrap();

    let made = run_script(
        "archive",
        &["--bin-dir", bin_dir, "--out", out, "--level", "0"],
    );

    assert!(made.is_success, "{}", made.text);
}

/// The paths of the archives: that of everything, and that of a trainer with libtorch where the
/// build made one.
pub fn archives() -> Vec<PathBuf> {
    archives_in(&ARCHIVES)
}

fn archives_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut archives: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "gz"))
        .collect();

    archives.sort();
    archives
}

/// Unpacks the archive of everything, and returns the folder that it makes.
pub fn unpack(into: &Path) -> PathBuf {
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(&archives()[0]).arg("-C").arg(into);
    assert!(tar.status().unwrap().success());

    let entry = std::fs::read_dir(into).unwrap().next().unwrap().unwrap();
    entry.path()
}

#[test]
fn the_archive_runs_the_demo_where_nothing_is_installed() {
    if !can_isolate() {
        return run_demo_with_an_empty_environment();
    }
    let archives = archives();
    let mut arguments: Vec<&str> = archives.iter().map(|path| path.to_str().unwrap()).collect();
    arguments.extend(["--", "sh", "-c", "exec ktrdr-*/infra/demo"]);

    check_demo(&run_script("bare", &arguments));
}

fn check_demo(demo: &Ended) {
    assert!(demo.is_success, "{}", demo.text);
    assert!(demo.text.contains("Completed train "), "{}", demo.text);
    // The same figure as on the host that built the programs.
    assert!(demo.text.contains("accuracy 42.78 %"), "{}", demo.text);
}

/// As near to it as a host without namespaces comes.
fn run_demo_with_an_empty_environment() {
    let folder = tempfile::tempdir().unwrap();
    for archive in archives() {
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(archive).arg("-C").arg(folder.path());
        assert!(tar.status().unwrap().success());
    }

    let output = Command::new("sh")
        .args(["-c", "exec ktrdr-*/infra/demo 2>&1"])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    check_demo(&Ended {
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
        is_success: output.status.success(),
    });
}

#[test]
fn a_compiler_is_not_there_where_nothing_is_installed() {
    if !can_isolate() {
        return;
    }
    let ended = run_script(
        "bare",
        &[
            "--",
            "sh",
            "-c",
            "! ls /usr/bin | grep -E 'cc|cargo|python'",
        ],
    );

    assert!(ended.is_success, "{}", ended.text);
}

#[test]
fn a_program_that_needs_more_than_glibc_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(programs()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("ktrdr") && !name.contains('.') {
            symlink(&path, folder.path().join(name)).unwrap();
        }
    }
    // A shell needs a library for terminals.
    let family = folder.path().join("ktrdr-family");
    std::fs::remove_file(&family).unwrap();
    std::fs::copy("/bin/bash", family).unwrap();

    let bin_dir = folder.path().to_str().unwrap();
    let refused = run_script("archive", &["--bin-dir", bin_dir, "--out", bin_dir]);

    assert!(!refused.is_success, "{}", refused.text);
    let reason = "which is not part of glibc";
    assert!(refused.text.contains(reason), "{}", refused.text);
}

#[test]
fn the_same_programs_make_the_same_archives() {
    let again = folder_of_build("again");
    make_archives(&again);

    let first = archives();
    for (one, other) in first.iter().zip(archives_in(&again)) {
        assert_eq!(one.file_name(), other.file_name());
        let are_equal = Command::new("cmp").arg(one).arg(&other).status().unwrap();
        assert!(are_equal.success(), "{} differs", one.display());
    }
    let sums = |folder: &Path| std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    assert_eq!(sums(&ARCHIVES), sums(&again));
    assert_eq!(sums(&again).lines().count(), first.len());
}

#[test]
fn the_checksums_of_an_archive_name_every_file_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let unpacked = unpack(folder.path());

    let mut check = Command::new("bash");
    let script = "sha256sum --quiet --strict --check SHA256SUMS && \
                  diff <(cut -c67- SHA256SUMS | LC_ALL=C sort) \
                       <(find . -type f ! -name SHA256SUMS | cut -c3- | LC_ALL=C sort)";
    check.args(["-c", script]).current_dir(unpacked);

    assert!(check.status().unwrap().success());
}

#[test]
fn the_sample_settings_are_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let unpacked = unpack(folder.path());
    let sample = std::fs::read_to_string(unpacked.join("share/config/ktrdr.toml")).unwrap();
    assert!(
        sample.contains("\n[store]\n# url = \".ktrdr/objects\"\n"),
        "{sample}"
    );

    // Every default, as if somebody had written all of them down.
    let is_default = |line: &&str| line.starts_with("# ") && line.contains(" = ");
    let defaults = sample.lines().filter(is_default).count();
    assert!(defaults > 100, "{sample}");
    let lines = sample.lines().map(|line| match is_default(&line) {
        true => &line[2..],
        false => line,
    });
    let file = folder.path().join("ktrdr.toml");
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();

    let mut check = Command::new(programs().join("ktrdr"));
    check.args(["config", "check", "--config"]).arg(&file);
    let output = check.current_dir(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}

#[test]
fn units_start_programs_of_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let unpacked = unpack(folder.path());
    let mut started = BTreeSet::new();

    for entry in std::fs::read_dir(unpacked.join("infra/systemd")).unwrap() {
        let unit = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let line = unit
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="));
        let program = line.unwrap().split_whitespace().next().unwrap();
        started.insert(
            program
                .replace("/usr/local/bin/", "")
                .replace("%i", "trainer"),
        );
    }

    assert!(started.contains("nats-server"), "{started:?}");
    started.remove("ktrdr-trainer");
    for program in started {
        assert!(unpacked.join("bin").join(&program).is_file(), "{program}");
    }
}

#[test]
fn the_list_of_parts_is_whole_and_licensed() {
    let folder = tempfile::tempdir().unwrap();
    let unpacked = unpack(folder.path());
    let text = std::fs::read_to_string(unpacked.join("SBOM.cdx.json")).unwrap();
    let bill: Value = serde_json::from_str(&text).unwrap();
    let licences = std::fs::read_to_string(unpacked.join("THIRD-PARTY-LICENCES.txt")).unwrap();
    let root = bill["metadata"]["component"]["bom-ref"].as_str().unwrap();

    let mut references = BTreeSet::from([root]);
    for component in bill["components"].as_array().unwrap() {
        assert!(
            references.insert(component["bom-ref"].as_str().unwrap()),
            "{component}"
        );
        assert!(
            component["licenses"][0]["expression"].is_string(),
            "{component}"
        );
    }
    for name in [
        "pkg:cargo/tokio@",
        "pkg:golang/github.com/nats-io/nats-server/v2@",
    ] {
        assert!(references.iter().any(|one| one.starts_with(name)), "{name}");
    }
    for name in ["system-tests", "fake-http", "criterion"] {
        assert!(
            !text.contains(&format!("/{name}@")),
            "{name} is part of tests"
        );
    }

    for edge in bill["dependencies"].as_array().unwrap() {
        let targets = edge["dependsOn"].as_array().unwrap();
        for reference in targets.iter().chain([&edge["ref"]]) {
            assert!(references.contains(reference.as_str().unwrap()), "{edge}");
        }
    }
    for reference in references
        .iter()
        .filter_map(|one| one.strip_prefix("pkg:cargo/"))
    {
        let line = format!("\n{}: ", reference.replace('@', " "));
        assert!(licences.contains(&line), "{line}");
    }
}
