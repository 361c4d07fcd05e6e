//! Searches through all states of the systems of the table in `docs/protocol.md`, which take a
//! minute in release, and prints its figures. Ends with 1 where a rule is broken.

use std::process::ExitCode;

use protocol_model::checker::search;
use protocol_model::{Chances, Flaw, Model, Setup, Shape};

/// More than any of these searches has.
const STATES_MAX: usize = 20_000_000;

fn main() -> ExitCode {
    let mut all_hold = true;

    for (shape, chances) in systems() {
        let model = Model::new(Setup {
            shape,
            workers: 2,
            checkpoints: 1,
            chances,
            flaw: Flaw::None,
        });
        let report = search(&model, STATES_MAX);
        println!(
            "{shape:?}: {} states, {} moves, {:.1?}",
            report.states, report.moves, report.took
        );

        if let Some(caught) = report.counterexample {
            println!("{caught}");
            all_hold = false;
        }
    }

    if all_hold {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What is searched: each system with the chances that it has, one of each.
fn systems() -> [(Shape, Chances); 5] {
    let crash = Chances {
        crashes: 1,
        ..Chances::default()
    };
    let crash_and_cancel = Chances {
        cancels: 1,
        ..crash
    };
    let failure = Chances {
        failures: 1,
        ..Chances::default()
    };

    let silence = Chances {
        silences: 1,
        housekeeper_crashes: 1,
        redeliveries: 1,
        lost_acks: 1,
        ..crash_and_cancel
    };
    let resume = Chances {
        retries: 1,
        resumes: 1,
        cancels: 1,
        ..failure
    };
    [
        (Shape::Steps(1), silence),
        (Shape::Steps(1), resume),
        (Shape::SideBySide(2), crash_and_cancel),
        (Shape::Family, crash),
        (Shape::Family, failure),
    ]
}
