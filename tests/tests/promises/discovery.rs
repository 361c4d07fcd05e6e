//! What the discovery of NATS says about a worker: any tool finds its name, version and lanes.

use dummy::Dummy;
use schemas::ids::{Lane, Service};
use schemas::subjects;
use serde_json::Value;
use system_tests::{Sandbox, until};

/// What a service answers to `$SRV.INFO`, as `nats micro info` asks.
async fn ask_for_info(sandbox: &Sandbox, service: Service) -> Value {
    let subject = format!("$SRV.INFO.{}", subjects::service_name(service));
    until("an answer of the discovery", || async {
        let reply = sandbox.client().request(subject.clone(), "".into()).await;
        serde_json::from_slice(&reply.ok()?.payload).ok()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_discovered_with_version_and_lanes() {
    let sandbox = Sandbox::start().await;
    let lanes = vec![Lane::Default, Lane::Background];
    let _worker = sandbox
        .run_with(Dummy, |options| options.lanes = lanes)
        .await;
    let workers = sandbox.until_workers(Service::Dummy, 1).await;

    let info = ask_for_info(&sandbox, Service::Dummy).await;

    assert_eq!(info["name"], "ktrdr-dummy");
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["metadata"]["lanes"], "default,background");
    assert_eq!(info["metadata"]["slots"], "1");
    assert_eq!(info["metadata"]["variables"], "KTRDR_DUMMY_");
    assert_eq!(info["metadata"]["worker"], workers[0].worker.to_string());
    let endpoints = info["endpoints"].as_array().unwrap();
    let health = format!("{}.health", subjects::service_group(Service::Dummy));
    assert!(
        endpoints
            .iter()
            .any(|endpoint| endpoint["subject"] == health.as_str())
    );
}
