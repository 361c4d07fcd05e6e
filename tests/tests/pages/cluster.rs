//! The three servers of the manifests, started on this host: they form a cluster that keeps each
//! message three times.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::manifests::{mounted, nats_server};
use crate::reader::PageReader;

const SERVERS: usize = 3;

/// A server of the cluster; killed when it is dropped.
struct Member(Child);

impl Drop for Member {
    fn drop(&mut self) {
        // Both fail for a server that has ended, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As many ports as asked for, each free a moment ago.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let addresses = listeners.iter().map(TcpListener::local_addr);
    addresses.map(|address| address.unwrap().port()).collect()
}

/// The settings of one server as the manifest has them, with places of this host.
fn settings_of(index: usize, ports: &[u16], folder: &Path) -> String {
    let own_ports = &ports[index * SERVERS..];
    let mut text = mounted("ktrdr-nats", "server.conf")
        .replace("$POD_NAME", &format!("ktrdr-nats-{index}"))
        .replace("0.0.0.0:4222", &format!("127.0.0.1:{}", own_ports[0]))
        .replace("0.0.0.0:8222", &format!("127.0.0.1:{}", own_ports[1]))
        .replace("0.0.0.0:6222", &format!("127.0.0.1:{}", own_ports[2]))
        .replace("/tmp/nats.pid", &format!("{}/pid", folder.display()))
        .replace("\"/data\"", &format!("\"{}\"", folder.display()))
        .replace("include \"./permissions.conf\"", "");

    for peer in 0..SERVERS {
        let name = format!("ktrdr-nats-{peer}.ktrdr-nats-peers:6222");
        let address = format!("127.0.0.1:{}", ports[peer * SERVERS + 2]);
        text = text.replace(&name, &address);
    }
    text
}

#[test]
fn the_servers_of_the_manifest_keep_each_message_three_times() {
    let reader = PageReader::start();
    let ports = free_ports(SERVERS * SERVERS);
    let mut members = Vec::new();
    for index in 0..SERVERS {
        let folder = reader.folder().join(format!("nats-{index}"));
        std::fs::create_dir(&folder).unwrap();
        let settings = folder.join("server.conf");
        std::fs::write(&settings, settings_of(index, &ports, &folder)).unwrap();

        let mut server = Command::new(nats_server());
        server.arg("--config").arg(&settings);
        let child = server.stderr(Stdio::null()).spawn().unwrap();
        members.push(Member(child));
    }

    // It waits until the three have chosen a leader; the first of them may not listen yet.
    let urls = (0..SERVERS).map(|index| format!("nats://127.0.0.1:{}", ports[index * SERVERS]));
    let urls = urls.collect::<Vec<_>>().join(",");
    let apply = format!(
        "for attempt in $(seq 60); do\n\
           ktrdr infra apply --profile prod --replicas 3 --server {urls} && exit 0\n\
           read -rt 0.5 < <(:) || true\n\
         done; exit 1"
    );
    let applied = reader.type_command(&apply);
    assert_eq!(applied.code, Some(0), "{}", applied.screen);
    assert!(
        applied.screen.contains("created KTRDR_COMMANDS"),
        "{}",
        applied.screen
    );

    // What is changed later leaves them as they are.
    let changed = reader.type_command(&format!("ktrdr infra apply --profile dev --server {urls}"));
    assert_eq!(changed.code, Some(0), "{}", changed.screen);

    let checked = reader.type_command(&format!("ktrdr infra check --server {urls}"));
    assert_eq!(checked.code, Some(0), "{}", checked.screen);

    // One is killed, and the other two choose leaders in its place while somebody looks.
    members.remove(0);
    for command in ["infra check", "doctor"] {
        let looked = reader.type_command(&format!("ktrdr {command} --server {urls}"));
        assert!(looked.screen.contains("as declared"), "{}", looked.screen);
    }
}
