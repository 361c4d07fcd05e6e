//! The section "Several hosts" of the README, followed on one host, and the way back from a profile
//! that does not fit.

use system_tests::Server;

use crate::reader::PageReader;

const README: &str = include_str!("../../../README.md");

/// The first command of the page.
const KEYS: &str = "ktrdr infra credentials --dir credentials --person ann";

/// A reader with a server that `infra/nats/server.conf` could have started.
struct Fleet {
    reader: PageReader,
    server: Server,
}

impl Fleet {
    fn start() -> Self {
        let reader = PageReader::start();
        let made = reader.type_command(KEYS);
        assert_eq!(made.code, Some(0), "{}", made.screen);

        let permissions = reader.folder().join("credentials/permissions.conf");
        let server = Server::start_with_permissions(&reader.folder().join("nats"), &permissions);
        Self { reader, server }
    }

    /// Types a command of the page, with the addresses of this host in place of those on the page.
    /// Fails unless it ends with the exit code.
    fn type_command(&self, command: &str, code: i32) -> String {
        let store = format!("file://{}", self.reader.folder().join("objects").display());
        let command = command
            .replace("nats://bus:4222", &self.server.url())
            .replace("file:///mnt/ktrdr", &store);

        let answer = self.reader.type_command(&command);

        assert_eq!(answer.code, Some(code), "{command}\n{}", answer.screen);
        answer.screen
    }
}

/// The commands of the one shell block of the section.
fn fleet_commands() -> Vec<&'static str> {
    let section = README.split("\n## Several hosts").nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).unwrap();
    block.split("```").next().unwrap().lines().collect()
}

#[test]
fn the_fleet_tour_starts_services() {
    let fleet = Fleet::start();
    let commands = fleet_commands();
    let [keys, apply, fetcher, trainer, workers] = commands.as_slice() else {
        panic!("{commands:?}")
    };
    assert!(keys.starts_with(KEYS), "{keys}");

    let applied = fleet.type_command(apply, 0);
    assert!(applied.contains("created KTRDR_COMMANDS"), "{applied}");

    // It serves until it is stopped, so it is stopped as soon as it is listed.
    let script = format!(
        "{fetcher} & started=$!\n\
         until {workers} --json | grep -q '\"fetcher-'; do\n\
           kill -0 $started || break\n\
         done\n\
         kill $started; wait $started"
    );
    fleet.type_command(&script, 0);

    let settings = fleet.type_command(trainer, 0);
    assert!(settings.contains("bus.profile"), "{settings}");
}

#[test]
fn a_wrong_profile_is_mended_by_the_command_in_its_hint() {
    let fleet = Fleet::start();
    let apply = "ktrdr infra apply --server nats://bus:4222 --creds credentials/infra.nk";
    fleet.type_command(apply, 0);

    let refused = fleet.type_command(
        "ktrdr-fetcher --nats-url nats://bus:4222 --creds credentials/fetcher.nk \
         --store file:///mnt/ktrdr --profile prod",
        1,
    );
    assert!(refused.contains("`dev`"), "{refused}");
    assert!(refused.contains("`prod`"), "{refused}");
    let hint = "ktrdr infra apply --profile prod";
    assert!(refused.contains(hint), "{refused}");

    let server = "--server nats://bus:4222 --creds credentials/infra.nk";
    let changed = fleet.type_command(&format!("{hint} {server}"), 0);
    let clock = "changed: fetcher_default has ack_wait 5 s instead of 60 s";
    assert!(changed.contains(clock), "{changed}");

    // Whoever applies it again without a profile keeps the one that the server has.
    let again = fleet.type_command(apply, 0);
    assert!(again.contains("nothing to do"), "{again}");
    let checked = fleet.type_command(&format!("ktrdr infra check {server}"), 0);
    assert!(checked.contains("profile prod: as declared"), "{checked}");
}
