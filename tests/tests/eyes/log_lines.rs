//! Log lines of a real process: what is said of a step names its operation and its trace.

use schemas::commands::RunDummy;
use schemas::ids::Service;
use schemas::trace::trace_id;
use serde_json::Value;
use system_tests::{Sandbox, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_of_a_step_says_its_trace() {
    let sandbox = Sandbox::start().await;
    let flags = ["--set", "log.format=json"];
    let process = sandbox.spawn_with("ktrdr-dummy", &flags);
    sandbox.until_workers(Service::Dummy, 1).await;
    let command = RunDummy {
        iterations: 2,
        seconds: 0.001,
        ..RunDummy::default()
    };
    let op = sandbox.submit(&command.operation()).await;
    sandbox.until_concluded(&op).await;

    let lines = until("the log of the step", || async {
        let lines = lines_about(&process.log(), op.as_str());
        lines
            .iter()
            .any(|line| line["message"] == "step concluded")
            .then_some(lines)
    })
    .await;
    let trace = format!("{:032x}", trace_id(&op));
    for line in &lines {
        assert_eq!(line["span"]["trace_id"], trace.as_str(), "{line}");
    }
    assert!(lines.len() >= 2, "{lines:?}");
}

/// The lines of JSON within a step of the operation.
fn lines_about(log: &str, op: &str) -> Vec<Value> {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines
        .filter(|line: &Value| line["span"]["operation"] == op)
        .collect()
}
