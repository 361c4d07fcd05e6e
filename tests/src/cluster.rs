//! A cluster of three NATS servers on this host, with the settings of `infra/kubernetes/nats.yaml`
//! that matter: each message is kept three times, and a leader may be killed.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bus::topology::{Topology, TopologyOptions};
use bus::{Bus, Profile};
use nats_test_server::jetstream::context::ContextBuilder;
use nats_test_server::{Client, jetstream};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::waiting::{PATIENCE, until};

/// Two of three must agree.
const SERVERS: usize = 3;
/// A server that is choosing a leader does not answer, and is asked again.
const LOOK_TIME_MAX: Duration = Duration::from_millis(300);

/// Three servers; killed when it is dropped.
pub struct Cluster {
    members: Vec<Member>,
    client: Client,
}

/// One of the servers.
struct Member {
    name: String,
    port: u16,
    settings: PathBuf,
    child: Child,
}

impl Cluster {
    /// Starts three servers that keep their streams in `folder`, and declares the streams with
    /// three copies.
    pub async fn start(folder: &Path, profile: Profile) -> Self {
        let ports = free_ports(SERVERS * 2);
        let members: Vec<Member> = (0..SERVERS)
            .map(|index| Member::start(index, &ports, folder))
            .collect();
        let urls = urls_of(&members);
        let client = connected_client(&urls).await;

        let options = TopologyOptions {
            replicas: SERVERS,
            ..TopologyOptions::default()
        };
        let connection = crate::connect_options(&urls, None);
        let infra = Bus::connect(&connection).await.unwrap();
        let topology = Topology::declare(profile, options);
        infra.infra().apply(&topology).await.unwrap();
        Self { members, client }
    }

    /// The addresses of all, as services name them.
    pub fn urls(&self) -> String {
        urls_of(&self.members)
    }

    /// The stock client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The number of the server that leads a stream, once there is one and the others follow it.
    pub async fn followed_leader_of(&self, stream: &str) -> usize {
        until(
            format!("a leader of {stream} with two followers"),
            || async {
                let info = self.info_of(stream).await?.cluster?;
                let are_current = info.replicas.iter().filter(|each| each.current).count();
                let leader = info.leader?;
                let number = self.members.iter().position(|each| each.name == leader)?;
                (are_current == SERVERS - 1).then_some(number)
            },
        )
        .await
    }

    /// Waits until another server than this one leads a stream.
    pub async fn until_led_by_another(&self, stream: &str, number: usize) {
        let name = &self.members[number].name;
        until(
            format!("another leader of {stream} than {name}"),
            || async {
                let leader = self.info_of(stream).await?.cluster?.leader?;
                (&leader != name).then_some(())
            },
        )
        .await;
    }

    async fn info_of(&self, stream: &str) -> Option<jetstream::stream::Info> {
        let context = ContextBuilder::new().timeout(LOOK_TIME_MAX);
        let jetstream = context.build(self.client.clone());
        let stream = jetstream.get_stream(stream).await.ok()?;
        Some(stream.cached_info().clone())
    }

    /// kill -9 of one server.
    pub fn kill(&mut self, number: usize) {
        let child = &mut self.members[number].child;
        // Both fail for a server that has ended, which is as good.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Asks one server to end, as a service manager does; returns when it has ended.
    pub async fn end(&mut self, number: usize) {
        let child = &mut self.members[number].child;
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        until("the end of a server", || {
            std::future::ready(child.try_wait().unwrap())
        })
        .await;
    }

    /// Starts a server again that was killed or has ended.
    pub fn restart(&mut self, number: usize) {
        let member = &mut self.members[number];
        member.child = spawn(&member.settings);
    }
}

impl Member {
    fn start(index: usize, ports: &[u16], folder: &Path) -> Self {
        let name = format!("ktrdr-nats-{index}");
        let folder = folder.join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let routes = ports[SERVERS..].iter();
        let routes = routes.map(|port| format!("\"nats://127.0.0.1:{port}\""));
        let text = format!(
            "server_name: {name}\n\
             listen: \"127.0.0.1:{}\"\n\
             max_payload: 1MB\n\
             jetstream {{ store_dir: \"{}\", max_file_store: 45GB, sync_interval: always }}\n\
             cluster {{ name: ktrdr, listen: \"127.0.0.1:{}\", routes: [ {} ] }}\n",
            ports[index],
            folder.display(),
            ports[SERVERS + index],
            routes.collect::<Vec<_>>().join(", ")
        );

        let settings = folder.join("server.conf");
        std::fs::write(&settings, text).unwrap();
        Self {
            name,
            port: ports[index],
            child: spawn(&settings),
            settings,
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Both fail for a server that has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(settings: &Path) -> Child {
    Command::new(nats_test_server::program())
        .arg("--config")
        .arg(settings)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn urls_of(members: &[Member]) -> String {
    let urls = members.iter();
    let urls = urls.map(|member| format!("nats://127.0.0.1:{}", member.port));
    urls.collect::<Vec<_>>().join(",")
}

/// A client of whichever server answers first.
async fn connected_client(urls: &str) -> Client {
    let connect = || async { nats_test_server::connect_to_any(urls).await };
    let client = until("one of three servers", connect).await;
    // A cluster without a leader of all refuses every request.
    let jetstream = jetstream::new(client.clone());
    let what = format!(
        "the servers to choose a leader, for {} s",
        PATIENCE.as_secs()
    );
    until(what, || async { jetstream.query_account().await.ok() }).await;
    client
}

/// As many ports as asked for, each free a moment ago.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let addresses = listeners.iter().map(TcpListener::local_addr);
    addresses.map(|address| address.unwrap().port()).collect()
}
