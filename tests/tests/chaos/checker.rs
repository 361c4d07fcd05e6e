//! The independent checker: what `ktrdr doctor --deep` finds, run by a person with a person's key.

use serde_json::Value;
use system_tests::Sandbox;

/// The faults that it finds, as `rule subject: what`; notes are none.
pub async fn find_faults(sandbox: &Sandbox) -> Vec<String> {
    let mut command = sandbox.ktrdr(&["doctor", "--deep", "--json"]);
    let ended = tokio::task::spawn_blocking(move || command.output());
    let output = ended.await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();

    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let answers: Vec<Value> = lines.collect();
    let deep = answers.iter().find_map(|answer| answer.get("deep"));
    let errors = String::from_utf8_lossy(&output.stderr);
    let Some(deep) = deep else {
        panic!("`ktrdr doctor --deep` says nothing: {text} {errors}");
    };

    let findings = deep["findings"].as_array().unwrap().iter();
    let faults = findings.filter(|finding| finding["weight"] == "fault");
    faults
        .map(|fault| {
            let words = ["rule", "subject", "what"].map(|key| fault[key].as_str().unwrap());
            format!("{} {}: {}", words[0], words[1], words[2])
        })
        .collect()
}
