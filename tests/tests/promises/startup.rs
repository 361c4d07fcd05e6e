//! Starting: a server that does not fit is refused with what to do about it, and presence comes and
//! goes.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusError, ConnectOptions};
use dummy::Dummy;
use jiff::Timestamp;
use schemas::codes::Advice as _;
use schemas::ids::{Lane, Service, WorkerId};
use schemas::operation::NewOperation;
use schemas::operation::OperationState;
use schemas::progress::{Device, GpuFacts};
use schemas::subjects;
use schemas::worker::WorkerInfo;
use system_tests::{Sandbox, new_id, until};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::commands::short;

/// A server that speaks just enough of the protocol to say which version it has.
struct FakeServer {
    url: String,
    /// Every request that a client publishes.
    questions: mpsc::UnboundedReceiver<String>,
}

impl FakeServer {
    async fn start(version: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let info = serde_json::json!({
            "server_id": "OLD", "server_name": "old", "version": version, "proto": 1, "go": "go",
            "host": "127.0.0.1", "port": 0, "headers": true, "max_payload": 1_048_576,
            "jetstream": true, "client_id": 1
        });

        let (sender, questions) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                answer_pings(socket, &format!("INFO {info}\r\n"), &sender).await;
            }
        });
        Self { url, questions }
    }
}

async fn answer_pings(
    socket: TcpStream,
    greeting: &str,
    questions: &mpsc::UnboundedSender<String>,
) {
    let (reader, mut writer) = socket.into_split();
    writer.write_all(greeting.as_bytes()).await.unwrap();

    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line == "PING" {
            writer.write_all(b"PONG\r\n").await.unwrap();
        } else if line.starts_with("PUB") || line.starts_with("HPUB") {
            let _ = questions.send(line);
        }
    }
}

fn options(url: String) -> ConnectOptions {
    ConnectOptions {
        url,
        credentials: None,
        tls: bus::TlsFiles::default(),
        name: "test".to_owned(),
        profile: None,
        connect_timeout: Duration::from_secs(2),
        wait_for_server: true,
    }
}

/// Waits until no worker has a key.
async fn until_nobody_is_listed(sandbox: &Sandbox) {
    until("the key to expire", || async {
        let workers = sandbox.bus().workers().list().await.unwrap();
        workers.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_older_than_2_14_is_refused() {
    let FakeServer { url, .. } = FakeServer::start("2.13.9").await;

    let error = Bus::connect(&options(url.clone())).await.unwrap_err();

    assert!(matches!(error, BusError::ServerTooOld { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("the NATS server at {url} has version 2.13.9; at least 2.14 is needed")
    );
    assert!(error.hint().contains("infra/setup"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_2_14_is_good_enough() {
    let mut server = FakeServer::start("2.14.0").await;

    // The first question to JetStream shows that the version was accepted.
    let options = options(server.url.clone());
    tokio::select! {
        connected = Bus::connect(&options) => panic!("ended without a question: {connected:?}"),
        question = server.questions.recv() => assert!(question.unwrap().contains("$JS.API.")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_refuses_streams_that_it_cannot_use() {
    let sandbox = Sandbox::start().await;
    let jetstream = sandbox.jetstream();
    jetstream.delete_stream(subjects::EVENTS).await.unwrap();

    let mut process = sandbox.spawn("ktrdr-dummy");

    assert_eq!(process.until_ended().await.code(), Some(1));
    let log = process.log();
    assert!(log.contains("KTRDR_EVENTS is missing"), "{log}");
    assert!(log.contains("hint: `ktrdr infra apply`"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_expects_another_profile_says_how_to_get_it() {
    let sandbox = Sandbox::start().await;

    let mut process = sandbox.spawn_with("ktrdr-dummy", &["--profile", "prod"]);

    assert_eq!(process.until_ended().await.code(), Some(1));
    let log = process.log();
    assert!(
        log.contains("runs with the profile `test`, but the settings of this program say `prod`"),
        "{log}"
    );
    assert!(log.contains("`ktrdr infra apply --profile prod`"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_may_start_before_its_server() {
    let sandbox = Sandbox::start().await;
    sandbox.kill_server();
    let process = sandbox.spawn("ktrdr-dummy");
    until("the process to wait for the server", || async {
        let log = process.log();
        log.contains("waiting for the NATS server").then_some(())
    })
    .await;

    sandbox.restart_server();

    let new = short(1).operation();
    let op = until("the submission", || async {
        let op = new_id("dummy");
        let submitted = sandbox.bus().operations().submit(&op, &new).await;
        submitted.ok().map(|_| op)
    })
    .await;
    sandbox.only_completion_of(&op).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_worker_expires_each_time_it_is_put() {
    let sandbox = Sandbox::start().await;
    let worker = WorkerId::new(Service::Dummy, "test", 1, 1);
    let info = WorkerInfo {
        v: 1,
        worker: worker.clone(),
        service: Service::Dummy,
        lanes: vec![Lane::Default],
        host: "test".to_owned(),
        pid: 1,
        version: "0".to_owned(),
        started_at: Timestamp::now(),
        slots: 1,
        current: Vec::new(),
        live: 0,
        device: None,
        cores: 2,
        memory_bytes: 8 << 30,
        degraded: None,
        draining: false,
    };

    // Twice: a key that is created again over its expired self may lose its life span.
    for _ in 0..2 {
        sandbox.bus().workers().announce(&info).await.unwrap();
        assert!(sandbox.bus().workers().is_alive(&worker).await.unwrap());

        until_nobody_is_listed(&sandbox).await;
        assert!(!sandbox.bus().workers().is_alive(&worker).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_shows_what_the_driver_of_its_gpu_says() {
    let sandbox = Sandbox::start().await;
    let gpu = GpuFacts {
        model: "NVIDIA H100 80GB HBM3".to_owned(),
        memory_bytes: 80 << 30,
        memory_used_bytes: 12 << 30,
        utilization_percent: Some(37),
    };
    let device = Device {
        kind: "cuda".to_owned(),
        name: "GPU 0".to_owned(),
        gpu: None,
    };

    let answer = gpu.clone();
    let _worker = sandbox
        .run_with(Dummy, |options| {
            options.device = Some(device);
            options.device_gauge = Some(Arc::new(move || Some(answer.clone())));
        })
        .await;

    until("the worker shows its GPU", async || {
        let workers = sandbox.bus().workers().list().await.unwrap();
        let device = workers.first().and_then(|info| info.device.clone());
        let answer = device?.gpu?;
        (answer == gpu).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_frozen_for_long_is_listed_again() {
    let sandbox = Sandbox::start().await;
    let process = sandbox.spawn("ktrdr-dummy");
    sandbox.until_workers(Service::Dummy, 1).await;
    process.freeze();
    until_nobody_is_listed(&sandbox).await;

    process.thaw();

    sandbox.until_workers(Service::Dummy, 1).await;
    sandbox.complete(&short(1).operation()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_housekeeper_dies_another_takes_over() {
    let sandbox = Sandbox::start().await;
    let first = sandbox.start_housekeeper().await;
    let _second = sandbox.start_housekeeper().await;
    let _worker = sandbox.run(Dummy).await;
    sandbox.complete(&short(1).operation()).await;

    first.kill();

    // Only a housekeeper cancels what no worker takes.
    let op = sandbox.submit(&unclaimable()).await;
    sandbox.bus().cancels().request(&op, "").await.unwrap();
    let record = sandbox.until_concluded(&op).await;
    assert_eq!(record.state, OperationState::Cancelled);
}

/// For a service that has no worker here.
fn unclaimable() -> NewOperation {
    let mut new = short(1).operation();
    new.plan.stages[0][0].service = Service::Registry;
    new
}
