//! Searches through all states of small systems, and of protocols with a mistake in them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails may panic"
)]

use protocol_model::checker::{NEVER_STUCK, Report, search};
use protocol_model::rules::{APPLIED_ONCE, ENDS_ONCE, FENCED};
use protocol_model::{Chances, Flaw, Model, ONE_WRITER, Setup, Shape};

/// More than any of these searches has.
const STATES_MAX: usize = 20_000_000;

fn setup(shape: Shape, chances: Chances) -> Setup {
    Setup {
        shape,
        workers: 2,
        checkpoints: 1,
        chances,
        flaw: Flaw::None,
    }
}

fn run(setup: Setup) -> Report {
    let report = search(&Model::new(setup), STATES_MAX);
    println!(
        "{:?}: {} states, {} moves, {} deep, {} quiet, {:.1?}",
        setup.shape, report.states, report.moves, report.depth, report.quiet, report.took
    );
    report
}

fn assert_right(setup: Setup) {
    let report = run(setup);
    if let Some(caught) = report.counterexample {
        panic!("{caught}");
    }
    assert!(report.quiet > 0);
}

/// The rule that a search with this mistake meets, and the way there in one text.
fn mistake(flaw: Flaw, chances: Chances) -> (&'static str, String) {
    let report = run(Setup {
        flaw,
        ..setup(Shape::Steps(1), chances)
    });
    let caught = report.counterexample.expect("the mistake is caught");
    println!("{caught}");
    (caught.rule, caught.way.join("\n"))
}

fn crash_and_cancel() -> Chances {
    Chances {
        crashes: 1,
        cancels: 1,
        ..Chances::default()
    }
}

#[test]
fn a_step_ends_well_whatever_dies_or_is_late() {
    assert_right(setup(
        Shape::Steps(1),
        Chances {
            silences: 1,
            housekeeper_crashes: 1,
            ..crash_and_cancel()
        },
    ));
}

#[test]
fn a_step_ends_well_when_messages_double_or_are_lost() {
    assert_right(setup(
        Shape::Steps(1),
        Chances {
            redeliveries: 1,
            lost_acks: 1,
            lost_replies: 1,
            crashes: 1,
            ..Chances::default()
        },
    ));
}

#[test]
fn failed_and_cancelled_operations_can_be_resumed() {
    assert_right(setup(
        Shape::Steps(1),
        Chances {
            failures: 1,
            cancels: 1,
            resumes: 1,
            ..Chances::default()
        },
    ));
}

#[test]
fn steps_in_order_end_well() {
    assert_right(setup(Shape::Steps(2), crash_and_cancel()));
}

#[test]
fn steps_side_by_side_end_well() {
    let cancels = 1;
    assert_right(setup(
        Shape::SideBySide(2),
        Chances {
            cancels,
            ..Chances::default()
        },
    ));
}

#[test]
fn a_family_ends_after_its_children() {
    assert_right(Setup {
        checkpoints: 0,
        workers: 1,
        ..setup(Shape::Family, Chances::default())
    });
}

#[test]
fn a_claim_that_compares_nothing_is_caught() {
    let chances = Chances {
        redeliveries: 1,
        ..Chances::default()
    };
    let caught = mistake(Flaw::ClaimWithoutComparing, chances);

    assert!([ENDS_ONCE, APPLIED_ONCE, FENCED].contains(&caught.0));
    assert!(caught.1.contains("claim blindly"));
}

#[test]
fn a_takeover_under_the_old_attempt_is_caught() {
    let chances = Chances {
        silences: 1,
        ..Chances::default()
    };
    let caught = mistake(Flaw::TakeoverWithoutAttempt, chances);

    assert!([ONE_WRITER, FENCED].contains(&caught.0));
    assert!(caught.1.contains("lost") || caught.1.contains("late worker"));
}

#[test]
fn a_cancel_over_an_end_is_caught() {
    let cancels = 1;
    let chances = Chances {
        cancels,
        silences: 1,
        ..Chances::default()
    };
    let caught = mistake(Flaw::CancelOverAnEnd, chances);

    assert_eq!(caught.0, ENDS_ONCE);
    assert!(
        caught
            .1
            .ends_with("cancel what nobody holds (operation 0, step 1)")
    );
}

/// What was cancelled before it began ends with its operation, and may end again after a resume.
#[test]
fn steps_in_order_can_be_resumed() {
    assert_right(Setup {
        workers: 1,
        checkpoints: 0,
        ..setup(
            Shape::Steps(2),
            Chances {
                cancels: 1,
                resumes: 1,
                ..Chances::default()
            },
        )
    });
}

fn client_that_may_die() -> Chances {
    Chances {
        cancels: 1,
        resumes: 1,
        client_crashes: 1,
        ..Chances::default()
    }
}

/// Whoever still concludes the end before may read the mark of the resume, but then it also writes
/// the record, which the resume did not read.
#[test]
fn a_client_that_dies_while_resuming_leaves_its_mark() {
    assert_right(setup(Shape::Steps(1), client_that_may_die()));
}

#[test]
fn a_resume_that_compares_nothing_is_caught() {
    let caught = mistake(Flaw::ResumeWithoutComparing, client_that_may_die());

    assert_eq!(caught.0, NEVER_STUCK);
    let last = caught.1.lines().last().unwrap();
    assert!(last.contains("die while resuming"), "{}", caught.1);
}
