//! Clocks that step: services whose time jumps by hours, to and fro.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::RngExt as _;
use system_tests::Sandbox;

use crate::book::Book;
use crate::fleet::{self, Fleet, chance, rounds};
use crate::mixed::submit_next;
use crate::rows::{report, report_not_tried};

/// Where Debian's package `libfaketime` has it, or what `FAKETIME_LIBRARY` names.
fn library() -> Option<PathBuf> {
    let named = std::env::var_os("FAKETIME_LIBRARY").map(PathBuf::from);
    let installed = Path::new("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1");
    let file = named.unwrap_or_else(|| installed.to_owned());
    file.is_file().then_some(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_step_by_hours_lose_nothing() {
    let Some(library) = library() else {
        return report_not_tried(
            14,
            "there is no libfaketime: `apt install faketime; make chaos`",
        );
    };
    let mut random = chance();
    let sandbox = Sandbox::start_guarded().await;
    let mut fleet = Fleet::start(&sandbox, &["registry"]);
    let mut files = Vec::new();
    for (number, service) in fleet::ALL.iter().enumerate() {
        let file = sandbox.folder().join(format!("clock-{number}"));
        std::fs::write(&file, "+0").unwrap();
        let variables = [
            format!("LD_PRELOAD={}", library.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", file.display()),
        ];
        // No steps of the steady clock, and the file is read each second.
        let settings = [
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "FAKETIME_CACHE_DURATION=1",
        ];
        let starter = [
            "env",
            &variables[0],
            &variables[1],
            settings[0],
            settings[1],
        ];
        fleet.add(&starter, sandbox.url(), &[service]);
        files.push(file);
    }
    let mut book = Book::open(&sandbox);
    let clock_steps = rounds(6, 60);

    for _ in 0..clock_steps {
        for _ in 0..2 {
            submit_next(&mut book).await;
        }
        let file = &files[random.random_range(0..files.len())];
        let hours: i32 = random.random_range(-48..48);
        std::fs::write(file, format!("{hours:+}h")).unwrap();
        let peace = Duration::from_millis(random.random_range(500..1_500));
        sandbox.after(peace).await;
    }

    let ends = book.close(&mut fleet).await;
    report(
        14,
        format!("{clock_steps} steps of up to two days to and fro: {ends}"),
    );
}
