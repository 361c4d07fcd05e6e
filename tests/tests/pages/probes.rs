//! What a probe asks: whether a worker of this host is on the bus, with the rights of a service.

use system_tests::{Role, Server};

use crate::reader::PageReader;

#[test]
fn a_probe_fails_until_a_worker_of_this_host_is_there() {
    let reader = PageReader::start();
    let server = Server::start(&reader.folder().join("nats"), true);
    let url = server.url();
    let [infra, dummy] = [Role::Infra, Role::Service("dummy")].map(|role| {
        let key = server.credentials(role).unwrap();
        key.display().to_string()
    });
    let apply = format!("ktrdr infra apply --server {url} --creds {infra}");
    let applied = reader.type_command(&apply);
    assert_eq!(applied.code, Some(0), "{}", applied.screen);

    let probe = format!("ktrdr workers list --here --quiet --server {url} --creds {dummy}");
    let before = reader.type_command(&probe);
    assert_eq!(before.code, Some(4), "{}", before.screen);
    assert!(
        before.screen.contains("No worker of the host"),
        "{}",
        before.screen
    );

    // It serves until it is stopped; the probe is asked until it succeeds.
    let script = format!(
        "ktrdr-dummy --nats-url {url} --creds {dummy} --store file://$PWD/objects & started=$!\n\
         until {probe}; do kill -0 $started || exit 1; done\n\
         kill $started; wait $started"
    );
    let started = reader.type_command(&script);
    assert_eq!(started.code, Some(0), "{}", started.screen);
}
