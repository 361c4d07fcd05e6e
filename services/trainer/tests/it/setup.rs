//! `infra/setup libtorch` in a made-up folder, with a Python that fetches nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const CPU_STAMP: &str = "torch 2.13.0 cpu, cuda-runtime 13.0.96, cuda-cupti 13.0.85";
const CUDA_STAMP: &str = "torch 2.13.0 cuda";

/// A Python whose pip puts empty files where torch has its own.
const FAKE_PYTHON: &str = r#"#!/bin/sh
while [ "$#" -gt 0 ]; do
  if [ "$1" = --target ]; then target="$2"; fi
  shift
done
[ -n "$target" ] || exit 0
mkdir -p "$target/torch/lib" "$target/torch/include"
for library in libc10.so libtorch_cpu.so libgomp.so.1 libcudart.so.13 libcupti.so.13; do
  : >"$target/torch/lib/$library"
done
"#;

/// A folder for what is fetched, with a complete libtorch of that stamp in it.
fn deps_with(stamp: Option<&str>) -> TempDir {
    let deps = tempfile::tempdir().unwrap();
    if let Some(stamp) = stamp {
        let lib = deps.path().join("libtorch/lib");
        std::fs::create_dir_all(&lib).unwrap();
        std::fs::write(lib.join("libtorch_cpu.so"), "").unwrap();
        std::fs::write(deps.path().join("libtorch/STAMP"), format!("{stamp}\n")).unwrap();
    }
    deps
}

fn set_up_libtorch(deps: &Path, flags: &[&str]) -> Output {
    let python = deps.join("python");
    std::fs::write(&python, FAKE_PYTHON).unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/setup");
    Command::new(script)
        .arg("libtorch")
        .args(flags)
        .env("KTRDR_DEPS", deps)
        .env("PYTHON", &python)
        .env_remove("LIBTORCH")
        .output()
        .unwrap()
}

/// The stamp of the libtorch that is there after a run, and what the run said.
fn stamp_after(stamp: Option<&str>, flags: &[&str]) -> (String, String) {
    let deps = deps_with(stamp);
    let output = set_up_libtorch(deps.path(), flags);
    let screen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");

    let stamp = std::fs::read_to_string(deps.path().join("libtorch/STAMP")).unwrap();
    (stamp.trim_end().to_owned(), screen)
}

#[test]
fn a_libtorch_for_gpus_stays_when_none_is_asked_for() {
    let (stamp, screen) = stamp_after(Some(CUDA_STAMP), &[]);
    assert_eq!(stamp, CUDA_STAMP);
    assert!(screen.contains("already in"), "{screen}");
}

#[test]
fn a_libtorch_for_cpus_stays_when_none_is_asked_for() {
    let (stamp, screen) = stamp_after(Some(CPU_STAMP), &[]);
    assert_eq!(stamp, CPU_STAMP);
    assert!(screen.contains("already in"), "{screen}");
}

#[test]
fn without_any_that_for_cpus_is_fetched() {
    let (stamp, screen) = stamp_after(None, &[]);
    assert_eq!(stamp, CPU_STAMP);
    assert!(screen.contains("fetching 540 MB"), "{screen}");
}

#[test]
fn cuda_replaces_a_libtorch_for_cpus() {
    let (stamp, screen) = stamp_after(Some(CPU_STAMP), &["--cuda"]);
    assert_eq!(stamp, CUDA_STAMP);
    assert!(screen.contains("fetching 3 GB"), "{screen}");
}

#[test]
fn a_new_version_keeps_the_flavour_of_the_old_one() {
    let (stamp, _) = stamp_after(Some("torch 2.12.0 cuda"), &[]);
    assert_eq!(stamp, CUDA_STAMP);
}

/// What the build script of the trainer tells cargo about a libtorch with these libraries.
fn link_arguments_for(libraries: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let lib = folder.path().join("lib");
    std::fs::create_dir(&lib).unwrap();
    for library in libraries {
        std::fs::write(lib.join(library), "").unwrap();
    }

    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
    let script = folder.path().join("build-script");
    let mut compiler = Command::new("rustc");
    compiler.args(["--edition", "2024", "-o"]);
    assert!(
        compiler
            .arg(&script)
            .arg(source)
            .status()
            .unwrap()
            .success()
    );

    let output = Command::new(script)
        .env("CARGO_FEATURE_LIBTORCH", "1")
        .env("LIBTORCH", folder.path())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_part_of_libtorch_for_gpus_is_linked_where_it_is() {
    let of_cpu = link_arguments_for(&["libtorch_cpu.so"]);
    let in_archive = of_cpu.find("-rpath,$ORIGIN/../libtorch/lib\n").unwrap();
    let at_build = of_cpu.find("-rpath,/").unwrap();
    assert!(in_archive < at_build, "{of_cpu}");
    assert!(!of_cpu.contains("torch_cuda"), "{of_cpu}");

    // A linker leaves out what nothing calls by a name.
    let of_gpu = link_arguments_for(&["libtorch_cpu.so", "libtorch_cuda.so"]);
    assert!(of_gpu.contains("--no-as-needed"), "{of_gpu}");
    assert!(of_gpu.contains("-ltorch_cuda"), "{of_gpu}");
}
