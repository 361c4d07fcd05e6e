//! What lies where: the root, sizes and names of files, their first lines.

use std::fs;

use schemas::codes::Family;

use crate::checkout::{Source, assert_none, files, production_lines, read, root, sources};

/// Where production code may wait for time to pass, and why nothing else would do.
const MAY_WAIT: &[(&str, &str)] = &[
    (
        "services/bus/src/",
        "back-off between attempts, and silence raced against messages",
    ),
    (
        "services/runtime/src/",
        "back-off and periodic duties, always raced against a stop",
    ),
    (
        "services/fetcher/src/waits.rs",
        "the limits of providers, dropped with whoever waits",
    ),
    (
        "cli/src/watch/",
        "the user's time limit and a redraw each second, raced against messages",
    ),
];

/// Everything that may lie in the root.
const ROOT: &[&str] = &[
    ".cargo",
    ".ci",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "clippy.toml",
    "cli",
    "deny.toml",
    "docs",
    "infra",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "schemas",
    "services",
    "strategies",
    "tests",
];

const FILE_LINES_MAX: usize = 600;

#[test]
fn no_source_file_is_longer_than_six_hundred_lines() {
    let mut violations = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            violations.push(format!("{}: {lines}", source.path));
        }
    }

    assert_none(violations, "split these files");
}

#[test]
fn the_first_line_of_every_file_says_what_it_is_for() {
    let mut violations = Vec::new();

    for path in files() {
        let Some(marker) = comment_marker(&path) else {
            continue;
        };
        let text = read(&path);
        let first = text
            .lines()
            .find(|line| !line.starts_with("#!/"))
            .unwrap_or_default();

        let prose = first.strip_prefix(marker).unwrap_or_default();
        let words_min = if marker == "//! " { 2 } else { 4 };
        if prose.split_whitespace().count() < words_min {
            violations.push(format!("{path}: {first}"));
        }
    }

    assert_none(
        violations,
        "these first lines do not say in prose what the file is for",
    );
}

/// What opens a comment in this kind of file; `None` where a first line is not asked for.
fn comment_marker(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap();
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("rs") => Some("//! "),
        Some("toml" | "yaml" | "yml" | "sh" | "conf" | "service") => Some("# "),
        None if name == "Makefile" || path.starts_with("infra/") || path.starts_with(".ci/") => {
            Some("# ")
        }
        Some(_) | None => None,
    }
}

#[test]
fn nothing_is_called_utils_common_helpers_base_or_misc() {
    let banned = [
        "util", "utils", "common", "helper", "helpers", "base", "misc",
    ];
    let mut violations = files();
    violations.retain(|path| {
        path.split('/')
            .any(|part| banned.contains(&part.split('.').next().unwrap()))
    });

    assert_none(violations, "find the noun these files are about");
}

#[test]
fn subjects_are_written_in_one_file_only() {
    let tokens = [
        "cmd", "control", "event", "progress", "dead", "alive", "svc",
    ];
    let subjects = tokens.map(|token| format!("ktrdr.{token}."));
    let mut violations = Vec::new();

    for line in production_lines() {
        // The table of permissions has patterns, which its tests compare with the functions.
        let homes = [
            "schemas/src/subjects.rs",
            "services/bus/src/identity/grants.rs",
        ];
        let is_home = homes.iter().any(|home| line.place.starts_with(home));
        if !is_home && subjects.iter().any(|subject| line.text.contains(subject)) {
            violations.push(format!("{}: {}", line.place, line.text.trim()));
        }
    }

    assert_none(violations, "use the functions of schemas::subjects");
}

#[test]
fn error_codes_are_written_in_one_place() {
    let families = Family::ALL
        .iter()
        .map(|family| format!("\"{}-", family.as_str()));
    let families: Vec<String> = families.collect();
    let mut violations = Vec::new();

    for line in production_lines() {
        let is_home = line.place.starts_with("schemas/src/codes/");
        if !is_home && families.iter().any(|family| line.text.contains(family)) {
            violations.push(format!("{}: {}", line.place, line.text.trim()));
        }
    }

    assert_none(violations, "use the constants of schemas::codes");
}

/// Arms of a hint without a word: the error is the stop of a step, is made by a test only, or has
/// its hint in the function beside.
const EMPTY_HINTS: [&str; 5] = [
    "services/fetcher/src/error.rs: Self::Step(_) => \"\",",
    "services/validator/src/error.rs: Self::Stopped { .. } | Self::Step(_) => \"\",",
    "services/runtime/src/worker.rs: Self::Killed => \"\".into(),",
    "services/store/src/error.rs: _ => \"\",",
    "services/store/src/files/error.rs: _ => \"\",",
];

#[test]
fn a_hint_is_empty_only_where_nobody_reads_it() {
    let mut violations = Vec::new();

    for source in sources().filter(Source::is_production) {
        for function in source.text.split("fn hint").skip(1) {
            let body = function.split("\n    }\n").next().unwrap();
            for line in body.lines().filter(|line| line.contains("=> \"\"")) {
                let arm = format!("{}: {}", source.path, line.trim());
                if !EMPTY_HINTS.contains(&arm.as_str()) {
                    violations.push(arm);
                }
            }
        }
    }

    assert_none(violations, "say what the reader can do about the error");
}

/// Lines of code of the reference kind, at most: whoever copies it starts with as little.
const REFERENCE_LINES: [(&str, usize); 2] = [
    ("services/dummy/src/lib.rs", 80),
    ("cli/src/commands/dummy.rs", 70),
];

#[test]
fn the_reference_kind_stays_short() {
    let code = production_lines();

    for (path, most) in REFERENCE_LINES {
        let place = format!("{path}:");
        let lines = code.iter().filter(|line| line.place.starts_with(&place));
        let count = lines.filter(|line| !line.text.trim().is_empty()).count();
        assert!((1..=most).contains(&count), "{path} has {count} lines");
    }
}

#[test]
fn production_code_waits_for_events_not_for_time() {
    let mut violations = Vec::new();

    for line in production_lines() {
        let calls = ["thread::sleep", "time::sleep", " sleep("];
        let waits = calls.iter().any(|call| line.text.contains(call));
        let may_wait = MAY_WAIT
            .iter()
            .any(|(path, _)| line.place.starts_with(path));
        if waits && !may_wait {
            violations.push(format!("{}: {}", line.place, line.text.trim()));
        }
    }

    assert_none(violations, "wait for an event here");
}

#[test]
fn every_exception_to_waiting_is_used() {
    let lines = production_lines();
    let mut violations = Vec::new();

    for (path, reason) in MAY_WAIT {
        let mut room = lines.iter().filter(|line| line.place.starts_with(path));
        if !room.any(|line| line.text.contains("sleep")) {
            violations.push(format!("{path}: {reason}"));
        }
    }

    assert_none(violations, "nothing waits here any more");
}

#[test]
fn the_root_holds_what_the_architecture_lists_and_nothing_else() {
    let ignored = [".git", ".deps", ".demo", ".ktrdr", "dist", "target"];
    let entries = fs::read_dir(root()).unwrap();
    let mut violations = Vec::new();

    for entry in entries {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !ignored.contains(&&*name) && !ROOT.contains(&&*name) {
            violations.push(name);
        }
    }

    assert_none(violations, "not in the root");
}

/// Functions of `std` whose last digits are those of the host's libm.
const HOST_FUNCTIONS: [&str; 12] = [
    ".exp()",
    ".exp_m1()",
    ".ln()",
    ".ln_1p()",
    ".log10()",
    ".log2()",
    ".powf(",
    ".tanh()",
    ".sin()",
    ".cos()",
    ".atan()",
    ".cbrt()",
];

/// What decides about the bits of a data set, of weights and of metrics. libtorch has its own.
const PORTABLE: [&str; 3] = [
    "strategies/engine/src/",
    "strategies/networks/src/",
    "services/trainer/src/",
];

#[test]
fn what_makes_a_model_calls_no_libm_of_the_host() {
    let mut lines = production_lines();
    lines.retain(|line| PORTABLE.iter().any(|folder| line.place.starts_with(folder)));
    lines.retain(|line| !line.place.contains("/libtorch/"));
    assert!(lines.len() > 10_000, "these folders have moved");

    let is_host_call = |line: &str| HOST_FUNCTIONS.iter().any(|call| line.contains(call));
    let calls = lines.into_iter().filter(|line| is_host_call(&line.text));
    let places = calls.map(|line| format!("{}: {}", line.place, line.text.trim()));
    assert_none(
        places.collect(),
        "call the crate `libm`, or `networks::math`",
    );
}
