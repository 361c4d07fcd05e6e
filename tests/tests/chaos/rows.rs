//! The table of faults: each row with what is done, what must hold and the tests that try it.

use std::fmt::Display;
use std::path::PathBuf;

use crate::fleet::{is_long, seed};

/// One kind of fault.
pub struct Row {
    /// What it is called.
    pub fault: &'static str,
    /// What the tests do.
    pub done: &'static str,
    /// What must hold all the same.
    pub holds: &'static str,
    /// Where it is tried, as in `tests/tests/chaos/kills.rs::a_test`.
    pub tests: &'static [&'static str],
    /// Figures of rows whose tests do not report any.
    pub figures: Option<&'static str>,
}

/// Every kind of fault; a row is called by its number from 1.
pub const ROWS: [Row; 28] = [
    Row {
        fault: "services killed",
        done: "SIGKILL of any of ten processes, each twelfth time of the server, while dummy \
               steps, loads, families and trainings run",
        holds: "every accepted operation completes; one event a step; no command, mark or dead \
                letter is left",
        tests: &["tests/tests/chaos/kills.rs::services_killed_at_random_lose_nothing"],
        figures: None,
    },
    Row {
        fault: "services frozen",
        done: "SIGSTOP of any of six processes, housekeepers too, for 0.1 to 2.5 s, then \
               SIGCONT",
        holds: "as 1; nothing of an attempt that was taken over becomes visible",
        tests: &[
            "tests/tests/chaos/kills.rs::services_frozen_at_random_lose_nothing",
            "tests/tests/promises/crashes.rs::nothing_of_a_worker_that_overslept_becomes_visible",
        ],
        figures: None,
    },
    Row {
        fault: "server killed during submits",
        done: "the NATS server is killed and started again while somebody submits without a \
               pause",
        holds: "as 1; what was not accepted is refused and may be sent again under its id",
        tests: &["tests/tests/chaos/kills.rs::a_server_restarted_during_submits_loses_none"],
        figures: None,
    },
    Row {
        fault: "every message twice",
        done: "commands, events, progress, signs of life, cancels and acknowledgements are \
               published again at once",
        holds: "as 1; each effect and each event once",
        tests: &[
            "tests/tests/chaos/duplicates.rs::every_message_twice_is_one_effect",
            "tests/tests/promises/commands.rs::publishing_a_command_twice_is_one_run",
        ],
        figures: None,
    },
    Row {
        fault: "lost acknowledgements",
        done: "for up to 0.3 s nothing comes back from the server (seven times of ten) or \
               nothing arrives there, then every connection breaks",
        holds: "as 1",
        tests: &["tests/tests/chaos/links.rs::lost_answers_are_asked_for_again"],
        figures: None,
    },
    Row {
        fault: "half-open connections",
        done: "the connections of two workers and a housekeeper stay open and carry nothing \
               until another worker has finished their steps; then everything that was sent \
               arrives",
        holds: "as 1; the late messages change nothing",
        tests: &["tests/tests/chaos/links.rs::half_open_connections_hold_nothing_up"],
        figures: None,
    },
    Row {
        fault: "300 ms of delay",
        done: "four workers of eight slots and the housekeeper behind a proxy that holds each \
               chunk of bytes for 300 ms, both ways; 28 steps at once",
        holds: "nothing is taken from a worker that lives, and a killed one is replaced",
        tests: &[
            "tests/tests/promises/slow_links.rs::behind_300_ms_a_chunk_in_dev_each_step_runs_once",
            "tests/tests/promises/slow_links.rs::behind_300_ms_a_chunk_in_prod_each_step_runs_once",
            "tests/tests/promises/slow_links.rs::a_killed_worker_behind_300_ms_is_replaced",
        ],
        figures: Some(
            "28 of 28 steps run once in `dev` and in `prod`; a killed worker is replaced in \
                       6.0 to 7.1 s, six kills",
        ),
    },
    Row {
        fault: "5 % of the packets lost",
        done: "every connection of the services passes a proxy where 5 of 100 packets come \
               200 ms late, and twice as late for each further loss",
        holds: "as 1",
        tests: &["tests/tests/chaos/links.rs::a_link_that_loses_packets_loses_no_operation"],
        figures: None,
    },
    Row {
        fault: "full disk of the server",
        done: "the disk under the NATS server's folder has no room for a while; then there is \
               room, and the server is started again, which it needs",
        holds: "as 1; submits meanwhile are refused",
        tests: &["tests/tests/chaos/disks.rs::a_full_disk_of_the_server_loses_nothing"],
        figures: None,
    },
    Row {
        fault: "full disk of the store",
        done: "the disk under the object store has no room for a while",
        holds: "what needs it fails and says `No space left`; nothing else suffers; a resume \
                completes it",
        tests: &["tests/tests/chaos/disks.rs::a_full_disk_of_the_store_fails_what_needs_it"],
        figures: None,
    },
    Row {
        fault: "full disk of the logs",
        done: "the disk of the services' logs, temporary files and working folder has no room \
               from the second operation on",
        holds: "as 1; no service ends",
        tests: &["tests/tests/chaos/disks.rs::a_full_disk_of_the_logs_stops_nothing"],
        figures: None,
    },
    Row {
        fault: "power cut",
        done: "server and services are killed while operations run, and everything goes on from a \
               copy of the server's folder as it was at one instant; the same with a copy that is \
               made file by file while the server writes",
        holds: "as 1 for what was accepted before the copy began; after a copy of a writing server \
                the checker names what is torn, and a cancel with a resume completes it",
        tests: &[
            "tests/tests/chaos/torn_copy.rs::a_power_cut_loses_nothing_that_was_accepted",
            "tests/tests/chaos/torn_copy.rs::a_copy_of_a_writing_server_is_mended_as_the_checker_says",
            "tests/tests/chaos/torn_copy.rs::a_command_that_was_acknowledged_is_taken_off_its_queue",
        ],
        figures: None,
    },
    Row {
        fault: "bit flips and cut off objects",
        done: "one bit of each object of a series is flipped, at four places each, one under a training, \
               and a report is written over",
        holds: "it is seen before use, and the object is named",
        tests: &[
            "services/store/tests/it/faults.rs::a_flipped_bit_in_any_object_is_an_error_that_names_it",
            "services/store/tests/it/faults.rs::a_damaged_object_does_not_pass_for_its_content",
            "services/trainer/tests/it/pipeline.rs::nothing_is_trained_on_stored_bars_with_a_flipped_bit",
            "cli/tests/it/bad_input.rs::a_flipped_bit_names_the_object_and_both_hashes",
        ],
        figures: Some(
            "12 flips in bars and manifests, all seen; checkpoints are row 26; not tried: data sets and \
             models",
        ),
    },
    Row {
        fault: "clocks that step",
        done: "the clock of any service, by libfaketime, steps by up to two days to and fro \
               while operations run; the server and one housekeeper keep the time",
        holds: "as 1",
        tests: &["tests/tests/chaos/clocks.rs::clocks_that_step_by_hours_lose_nothing"],
        figures: None,
    },
    Row {
        fault: "a watcher that does not read",
        done: "twenty followers of an operation read nothing until it has ended",
        holds: "nobody waits for it; later it finds the newest",
        tests: &[
            "tests/tests/promises/followers.rs::a_follower_that_reads_nothing_finds_the_newest_later",
        ],
        figures: Some("20 followers find at most 4 updates each, the newest record among them"),
    },
    Row {
        fault: "poison and giant messages",
        done: "noise, cut off and bit-flipped commands and up to 1 MB of blanks, on every \
               subject on which a person may publish, records too",
        holds: "as 1; no service ends; what cannot be read becomes a dead letter",
        tests: &[
            "tests/tests/chaos/poison.rs::poison_on_every_subject_kills_nobody",
            "tests/tests/promises/commands.rs::an_unreadable_command_becomes_a_dead_letter",
        ],
        figures: None,
    },
    Row {
        fault: "a flood by one client",
        done: "a person publishes as fast as possible: cancels of nothing, questions, empty \
               commands",
        holds: "a small operation ends right after it, or says that the bus did not answer and completes after a resume; no service grows by more \
                than 64 MB",
        tests: &["tests/tests/chaos/floods.rs::a_flood_by_a_person_passes"],
        figures: None,
    },
    Row {
        fault: "a crash loop",
        done: "a command kills each worker that takes it",
        holds: "given up at the fourth claim; other workers live",
        tests: &["tests/tests/promises/crashes.rs::a_command_that_kills_its_workers_is_given_up"],
        figures: Some("three of four workers killed, one dead letter, the fourth goes on"),
    },
    Row {
        fault: "workers that join and leave",
        done: "workers join one after the other while operations wait, and any of them leave \
               in order or by a kill",
        holds: "as 1",
        tests: &["tests/tests/chaos/many_workers.rs::workers_that_join_and_leave_lose_nothing"],
        figures: None,
    },
    Row {
        fault: "a deleted stream",
        done: "somebody deletes the stream of commands, events, cancels or progress under \
               load; half a second later `ktrdr infra apply` makes it again",
        holds: "every accepted operation completes; only what the stream held of the past is \
                gone",
        tests: &[
            "tests/tests/chaos/deleted.rs::a_deleted_stream_of_commands_loses_no_operation",
            "tests/tests/chaos/deleted.rs::other_deleted_streams_lose_no_operation",
        ],
        figures: None,
    },
    Row {
        fault: "a deleted consumer",
        done: "the same with the consumer of a queue",
        holds: "as 1",
        tests: &["tests/tests/chaos/deleted.rs::a_deleted_consumer_loses_no_operation"],
        figures: None,
    },
    Row {
        fault: "a deleted bucket",
        done: "the same with the buckets of active marks, workers, leases and records",
        holds: "as 1; records of running first steps are written again from their commands, \
                records of the past are gone",
        tests: &[
            "tests/tests/chaos/deleted.rs::deleted_buckets_are_filled_again",
            "tests/tests/chaos/deleted.rs::deleted_records_of_running_work_are_written_again",
        ],
        figures: None,
    },
    Row {
        fault: "out of memory",
        done: "any process gets next to no more memory, so that the kernel kills it; where a test may not \
               make a group of processes, it gets no more addresses and aborts",
        holds: "as 1",
        tests: &["tests/tests/chaos/memory.rs::processes_out_of_memory_lose_nothing"],
        figures: None,
    },
    Row {
        fault: "housekeepers",
        done: "one of two housekeepers is killed; in rows 1 and 2 either is killed and frozen",
        holds: "another one takes over within the age of the lease; two do nothing twice",
        tests: &[
            "tests/tests/promises/startup.rs::when_the_housekeeper_dies_another_takes_over",
            "tests/tests/promises/crashes.rs::a_killed_worker_is_replaced_without_a_housekeeper",
        ],
        figures: Some(
            "a step of a killed worker is taken over after the first housekeeper died, and \
                       also without any",
        ),
    },
    Row {
        fault: "unreadable records and forged numbers",
        done: "a record of version 2, one of more than 64 KiB, noise; resume points and \
               counters at the end of their range",
        holds: "one dead letter that says so, once; nothing panics",
        tests: &[
            "tests/tests/promises/poison.rs::a_record_that_cannot_be_read_becomes_one_dead_letter",
            "schemas/tests/it/forged_records.rs::no_forged_record_makes_anything_panic",
        ],
        figures: Some("three kinds of record, one dead letter each"),
    },
    Row {
        fault: "a damaged checkpoint",
        done: "the weights or the state of a checkpoint are flipped, halved, emptied or \
               deleted",
        holds: "it is said, and the one before is used; without one the step starts again",
        tests: &[
            "services/trainer/tests/it/service.rs::a_damaged_checkpoint_is_said_and_the_one_before_used",
            "services/trainer/tests/it/service.rs::without_an_intact_checkpoint_a_training_starts_again",
        ],
        figures: Some("each damage said, no training of it"),
    },
    Row {
        fault: "cancels of what does not exist",
        done: "5 000 cancels of operations that were never submitted",
        holds: "they are dropped, and no other cancel is",
        tests: &["tests/tests/promises/floods.rs::cancels_of_nothing_are_dropped_and_no_others"],
        figures: Some("5 000 dropped, one of a real operation kept"),
    },
    Row {
        fault: "an object store that is slow or fails",
        done: "an S3 server behind a proxy answers 500 or 503, resets, is silent, loses an \
               answer after it has obeyed, sends half of a body",
        holds: "the state before or after, said in words",
        tests: &[
            "services/store/tests/it/s3_faults.rs::a_commit_that_fails_at_any_write_can_be_repeated",
            "services/store/tests/it/s3_faults.rs::every_failure_of_a_server_is_said_in_words",
        ],
        figures: Some("each of three writes of a commit failed in three ways, and was repeated"),
    },
];

/// Says that a row could not be tried here, and what tries it.
pub fn report_not_tried(number: usize, reason: &str) {
    eprintln!("row {number}: not tried, {reason}");
}

/// Prints what a row has measured, and keeps it for the page.
pub fn report(number: usize, figures: impl Display) {
    let run = if is_long() { "long" } else { "short" };
    let line = format!("{figures}; {run} run, seed {}", seed());
    eprintln!("row {number}, {}: {line}", ROWS[number - 1].fault);

    let file = figures_file(number);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    // A short run says less than a long one.
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    if is_long() || !before.contains("long run") {
        std::fs::write(file, line).unwrap();
    }
}

/// Where the last figures of a row are kept.
pub fn figures_file(number: usize) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("faults");
    folder.join(format!("{number:02}"))
}
