//! The sandbox: a whole system for one test, on a NATS server, ports and folders of its own, gone
//! with the test.
//!
//! It runs services in-process ([`Sandbox::run`]) or as real processes ([`Sandbox::spawn`]), kills
//! and freezes them, kills and restarts the NATS server, and waits for records and events, never
//! for time. A wait that times out says what it was for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails may panic"
)]

mod cluster;
mod crashes;
mod faulty_link;
mod observe;
mod process;
mod requests;
mod slow_link;
mod small_disk;
mod waiting;
mod worker;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use bus::topology::{Topology, TopologyOptions};
use bus::{Bus, ConnectOptions, Profile};
use nats_test_server::{Client, jetstream};
use nix::sys::signal::Signal;
use schemas::ids::{OperationId, Service};
use schemas::operation::NewOperation;
use schemas::subjects;
use store::Store;

pub use cluster::Cluster;
pub use crashes::MOMENTS;
pub use faulty_link::{FaultyLink, LinkFault};
pub use nats_test_server::{Keys, Role, Server};
pub use observe::StoredMessage;
pub use process::Process;
pub use requests::{new_id, side_by_side, steps};
pub use slow_link::{SlowLink, Slowness};
pub use small_disk::SmallDisk;
pub use waiting::{PATIENCE, until};
pub use worker::{Act, Dies, Housekeeper, Worker};

/// One system of its own: a server, a store, and whatever the test starts in it.
pub struct Sandbox {
    /// None where the servers are a cluster of the test's own.
    server: Option<Mutex<Server>>,
    bus: Bus,
    store: Store,
    folder: tempfile::TempDir,
    url: String,
    client: Client,
}

impl Sandbox {
    /// A system without any worker.
    pub async fn start() -> Self {
        Self::start_with(TopologyOptions::default()).await
    }

    /// A system in which everybody may do only what the role is for: services are workers, the test
    /// is a person.
    pub async fn start_guarded() -> Self {
        Self::start_on(true, Profile::Test, TopologyOptions::default()).await
    }

    /// A system with the clocks of another profile.
    pub async fn start_in(profile: Profile) -> Self {
        Self::start_on(false, profile, TopologyOptions::default()).await
    }

    /// A system whose streams have other sizes.
    pub async fn start_with(options: TopologyOptions) -> Self {
        Self::start_on(false, Profile::Test, options).await
    }

    /// A guarded system in this folder, which may have disks mounted on `nats` and `objects`.
    pub async fn start_guarded_in(folder: tempfile::TempDir) -> Self {
        Self::start_in_folder(folder, true, Profile::Test, TopologyOptions::default()).await
    }

    async fn start_on(guarded: bool, profile: Profile, options: TopologyOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in_folder(folder, guarded, profile, options).await
    }

    async fn start_in_folder(
        folder: tempfile::TempDir,
        guarded: bool,
        profile: Profile,
        options: TopologyOptions,
    ) -> Self {
        show_logs();
        let server = Server::start(&folder.path().join("nats"), guarded);

        // On a guarded server only this role may declare streams.
        let infra = connect_to(&server, Role::Infra).await;
        infra
            .infra()
            .apply(&Topology::declare(profile, options))
            .await
            .unwrap();

        let bus = connect_to(&server, Role::Person).await;
        let url = server.url();
        let client = server.connect(Role::Infra).await;
        let store = Store::open(&format!(
            "file://{}",
            folder.path().join("objects").display()
        ))
        .await
        .unwrap();

        Self {
            server: Some(Mutex::new(server)),
            bus,
            store,
            folder,
            url,
            client,
        }
    }

    /// A system on a cluster, whose servers the test kills itself.
    pub async fn on_cluster(cluster: &Cluster) -> Self {
        show_logs();
        let folder = tempfile::tempdir().unwrap();
        let url = cluster.urls();
        let objects = folder.path().join("objects");
        let store_url = format!("file://{}", objects.display());

        Self {
            server: None,
            bus: Bus::connect(&connect_options(&url, None)).await.unwrap(),
            store: Store::open(&store_url).await.unwrap(),
            folder,
            url,
            client: cluster.client().clone(),
        }
    }

    /// The test's own connection.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// A connection of the stock client, such as any program on the bus may have; it may do
    /// everything.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// JetStream through [`Self::client`].
    pub fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.client.clone())
    }

    /// The stock client in a role.
    pub async fn client_as(&self, role: Role) -> Client {
        let credentials = self.credentials(role);
        match credentials {
            Some(file) => nats_test_server::connect_with(&self.url, &file).await,
            None => nats_test_server::connect(&self.url).await,
        }
    }

    /// Address of the NATS server, as services use it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The object store that all workers share.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where server, store and logs of this system are.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The key file of a role; none where everybody may do everything.
    pub fn credentials(&self, role: Role) -> Option<PathBuf> {
        let server = self.server.as_ref()?;
        server.lock().unwrap().credentials(role)
    }

    /// The key file of a service by name.
    fn credentials_of(&self, service: &str) -> Option<PathBuf> {
        let mut services = Service::ALL.iter().map(|service| service.as_str());
        let name = services.find(|name| *name == service)?;
        self.credentials(Role::Service(name))
    }

    /// Another connection, such as a service with the housekeeping has.
    pub async fn connect(&self) -> Bus {
        self.connect_as(Role::Service("registry")).await
    }

    /// A connection in a role.
    pub async fn connect_as(&self, role: Role) -> Bus {
        let credentials = self.credentials(role);
        Bus::connect(&connect_options(&self.url, credentials))
            .await
            .unwrap()
    }

    /// A connection over a slow link.
    pub async fn connect_over(&self, link: &SlowLink) -> Bus {
        Bus::connect(&connect_options(link.url(), None))
            .await
            .unwrap()
    }

    /// Submits under a new id.
    pub async fn submit(&self, new: &NewOperation) -> OperationId {
        let op = new_id(&new.kind);
        self.bus.operations().submit(&op, new).await.unwrap();
        op
    }

    /// Makes the server forget message ids after 100 ms, as it does in real life after an hour.
    pub async fn forget_message_ids(&self) {
        let jetstream = self.jetstream();

        for name in [subjects::EVENTS, subjects::DEAD] {
            let mut config = jetstream
                .get_stream(name)
                .await
                .unwrap()
                .cached_info()
                .config
                .clone();
            config.duplicate_window = Duration::from_millis(100);
            jetstream.update_stream(config).await.unwrap();
        }
    }

    /// Kills the NATS server as a power cut would.
    pub fn kill_server(&self) {
        self.only_server().kill();
    }

    /// Stops the NATS server where it is; nothing that it stores changes.
    pub fn freeze_server(&self) {
        process::send_signal(self.only_server().id(), Signal::SIGSTOP);
    }

    /// Lets the frozen server go on.
    pub fn thaw_server(&self) {
        process::send_signal(self.only_server().id(), Signal::SIGCONT);
    }

    /// Brings the server to the declared streams, as `ktrdr infra apply` does.
    pub async fn apply_streams(&self) {
        let infra = self.connect_as(Role::Infra).await;
        let topology = Topology::declare(Profile::Test, TopologyOptions::default());
        infra.infra().apply(&topology).await.unwrap();
    }

    /// Starts the killed server again on its port and store.
    pub fn restart_server(&self) {
        self.only_server().restart();
    }

    fn only_server(&self) -> MutexGuard<'_, Server> {
        let server = self.server.as_ref().expect("a system on one server");
        server.lock().unwrap()
    }
}

async fn connect_to(server: &Server, role: Role) -> Bus {
    let options = connect_options(&server.url(), server.credentials(role));
    Bus::connect(&options).await.unwrap()
}

fn connect_options(url: &str, credentials: Option<PathBuf>) -> ConnectOptions {
    ConnectOptions {
        url: url.to_owned(),
        credentials,
        tls: bus::TlsFiles::default(),
        name: "system-test".to_owned(),
        profile: None,
        connect_timeout: Duration::from_secs(5),
        wait_for_server: false,
    }
}

/// Shows the logs of in-process workers when `SANDBOX_LOG` holds a filter, as in
/// `SANDBOX_LOG=debug`.
fn show_logs() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        if let Ok(filter) = std::env::var("SANDBOX_LOG") {
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_writer(std::io::stderr);
            // A test may have set up a subscriber of its own.
            let _ = subscriber.try_init();
        }
    });
}
