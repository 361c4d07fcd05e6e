//! Taking steps from lost workers when the record that was read ahead is out of date, on a real
//! NATS server.

use std::time::Duration;

use bus::topology::{Topology, TopologyOptions};
use bus::{Bus, ConnectOptions, Profile, Stored};
use futures::stream;
use jiff::Timestamp;
use nats_test_server::Server;
use schemas::commands::RunDummy;
use schemas::ids::{OperationId, StepNumber, WorkerId};
use schemas::operation::{Holder, OperationRecord};
use store::Store;

use super::Housekeeper;

/// A server with one operation, whose record was read before a worker claimed its step.
struct Claimed {
    bus: Bus,
    housekeeper: Housekeeper,
    op: OperationId,
    worker: WorkerId,
    // Dropped in this order: the server writes into the folder.
    _server: Server,
    _folder: tempfile::TempDir,
}

impl Claimed {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), false);
        let bus = connect(&server).await;
        let topology = Topology::declare(Profile::Test, TopologyOptions::default());
        bus.infra().apply(&topology).await.unwrap();

        let op: OperationId = "op_dummy_20260301_142233_00000001".parse().unwrap();
        let worker: WorkerId = "dummy-here-1-0001".parse().unwrap();
        let store = Store::open("memory:///").await.unwrap();
        let housekeeper = Housekeeper::new(bus.clone(), store);
        let before = claim(&bus, &op, &worker).await;
        housekeeper.read_ahead().insert(op.clone(), before);

        Self {
            bus,
            housekeeper,
            op,
            worker,
            _server: server,
            _folder: folder,
        }
    }
}

async fn connect(server: &Server) -> Bus {
    let options = ConnectOptions {
        url: server.url(),
        credentials: None,
        tls: bus::TlsFiles::default(),
        name: "test".to_owned(),
        profile: None,
        connect_timeout: Duration::from_secs(5),
        wait_for_server: false,
    };
    Bus::connect(&options).await.unwrap()
}

/// Claims the only step of a new operation; returns the record as it was before.
async fn claim(bus: &Bus, op: &OperationId, worker: &WorkerId) -> Stored {
    let at = Timestamp::now();
    let record = OperationRecord::create(op.clone(), RunDummy::default().operation(), at);
    let (before, _) = bus.operations().create(record).await.unwrap();

    let holder = Holder {
        worker: worker.clone(),
        ack_subject: "acknowledgements.of.a.test".to_owned(),
        since: at,
    };
    let claimed = bus.operations().change(op, |record| {
        record.claim(StepNumber::FIRST, 1, holder.clone(), None)
    });
    claimed.await.unwrap();
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_older_than_the_claim_is_read_again() {
    let claimed = Claimed::start().await;
    let worker = claimed.worker.clone();

    let takeover = claimed
        .housekeeper
        .take_operation(worker, claimed.op.clone());
    takeover.await;

    let stored = claimed.bus.operations().get(&claimed.op).await.unwrap();
    let step = &stored.unwrap().record.steps[0];
    assert_eq!(step.holder, None);
    assert_eq!(step.taken_from, Some(claimed.worker));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_drops_what_was_read_ahead() {
    let claimed = Claimed::start().await;
    let claim = (claimed.op, claimed.worker);

    claimed.housekeeper.note_claims(stream::iter([claim])).await;

    assert!(claimed.housekeeper.read_ahead().is_empty());
}
