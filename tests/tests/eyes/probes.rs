//! `/livez` and `/readyz`: a process that can do no work says why, and is not started again for it.

use std::net::TcpListener;

use schemas::ids::Service;
use serde_json::Value;
use system_tests::{Sandbox, until};

use crate::watched::Watched;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_its_server_is_alive_but_not_ready() {
    let sandbox = Sandbox::start().await;
    let dummy = Watched::start(&sandbox, "ktrdr-dummy", &[]).await;
    assert_eq!(dummy.until_ready_is(200).await, "ready\n");

    sandbox.kill_server();
    let reason = dummy.until_ready_is(503).await;
    assert!(
        reason.starts_with("bus: no connection to nats://"),
        "{reason}"
    );
    assert_eq!(dummy.get("/livez").body, "alive\n");
    assert_eq!(dummy.page().value("ktrdr_bus_connected"), Some(0.0));

    sandbox.restart_server();
    dummy.until_ready_is(200).await;
    dummy.until_sample("ktrdr_bus_reconnects_total", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_waits_for_its_server_can_be_watched() {
    let sandbox = Sandbox::start().await;
    let nobody = "nats://127.0.0.1:9";
    let dummy = Watched::start_at(&sandbox, nobody, "ktrdr-dummy", &[]).await;

    let ready = dummy.get("/readyz");
    assert_eq!(ready.status, 503);
    assert_eq!(ready.body, "starting: its queues are not open yet\n");
    assert_eq!(dummy.get("/livez").status, 200);
    dummy.page();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_makes_a_worker_degraded() {
    let sandbox = Sandbox::start().await;
    let dummy = Watched::start(&sandbox, "ktrdr-dummy", &[]).await;
    dummy.until_ready_is(200).await;

    // A file in the place of the folder: whoever is root may read any folder.
    let objects = sandbox.folder().join("objects");
    std::fs::rename(&objects, sandbox.folder().join("elsewhere")).unwrap();
    std::fs::write(&objects, "").unwrap();
    let reason = dummy.until_ready_is(503).await;
    assert!(reason.starts_with("store: "), "{reason}");

    let health = until("a degraded health", || async {
        let services = sandbox.bus().services();
        let answer = services
            .ask(Service::Dummy, "health", Vec::new())
            .await
            .ok()?;
        let health: Value = serde_json::from_slice(&answer).ok()?;
        (health["status"] == "degraded").then_some(health)
    })
    .await;
    let said = health["reason"].as_str().unwrap();
    assert!(said.starts_with("store: "), "{said}");

    std::fs::remove_file(&objects).unwrap();
    std::fs::rename(sandbox.folder().join("elsewhere"), &objects).unwrap();
    dummy.until_ready_is(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_and_methods_are_refused() {
    let sandbox = Sandbox::start().await;
    let dummy = Watched::start(&sandbox, "ktrdr-dummy", &[]).await;

    let metrics = dummy.get("/metrics");
    let kind = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(metrics.head.contains(kind), "{}", metrics.head);
    let elsewhere = dummy.get("/");
    assert_eq!(elsewhere.status, 404);
    assert_eq!(elsewhere.body, "there are /metrics, /livez and /readyz\n");
    let posted = "POST /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
                  Content-Length: 0\r\n\r\n";
    assert_eq!(dummy.send(posted).status, 405);
    let headed = dummy.send("HEAD /livez HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert_eq!(headed.status, 200);
    assert_eq!(headed.body, "");
    assert_eq!(dummy.send("nonsense\r\n\r\n").status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_with_what_to_do() {
    let sandbox = Sandbox::start().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let setting = format!("metrics_address={}", taken.local_addr().unwrap().port());

    let mut process = sandbox.spawn_with("ktrdr-dummy", &["--set", &setting]);

    assert_eq!(process.until_ended().await.code(), Some(1));
    let log = process.log();
    assert!(
        log.contains("error: metrics cannot be served at 127.0.0.1:"),
        "{log}"
    );
    assert!(log.contains("--set metrics_address=9465"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_nothing_listens() {
    let sandbox = Sandbox::start().await;
    let process = sandbox.spawn("ktrdr-dummy");
    sandbox.until_workers(Service::Dummy, 1).await;

    let tables = ["tcp", "tcp6"].map(|table| {
        let path = format!("/proc/{}/net/{table}", process.id());
        std::fs::read_to_string(path).unwrap_or_default()
    });
    let files = std::fs::read_dir(format!("/proc/{}/fd", process.id())).unwrap();
    let links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let sockets: Vec<String> = links.map(|link| link.display().to_string()).collect();

    // State 0A is a socket that listens; its inode is the tenth field.
    let lines = tables.iter().flat_map(|table| table.lines());
    let listening = lines.filter(|line| line.split_whitespace().nth(3) == Some("0A"));
    let inodes = listening.filter_map(|line| line.split_whitespace().nth(9));
    for inode in inodes {
        assert!(!sockets.contains(&format!("socket:[{inode}]")));
    }
}
