//! The section "Tenants" of docs/deploy.md: two whole systems on one server, in one folder or one
//! bucket, and nothing of the one is seen by the other.

use std::path::PathBuf;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use system_tests::Server;

use crate::reader::PageReader;
use crate::s3::S3Server;

const PAGE: &str = include_str!("../../../docs/deploy.md");
const SERVICES: &[&str] = &[
    "fetcher",
    "validator",
    "processor",
    "trainer",
    "registry",
    "dummy",
];

/// A server and a place for objects that several systems share.
struct Site {
    reader: PageReader,
    server: Server,
    objects: String,
    s3: Option<S3Server>,
}

/// The services of one tenant; they end with it.
struct Services(Vec<Child>);

impl Drop for Services {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Both fail for a process that has ended, which is as good.
            let _ = kill(
                Pid::from_raw(i32::try_from(child.id()).unwrap()),
                Signal::SIGKILL,
            );
            let _ = child.wait();
        }
    }
}

/// The commands of the shell block of the section.
fn page_commands() -> Vec<&'static str> {
    let section = PAGE.split("\n## Tenants").nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).unwrap();
    block.split("```").next().unwrap().lines().collect()
}

impl Site {
    /// A site whose server has the first tenant of the page.
    fn start(on_s3: bool) -> Self {
        let mut reader = PageReader::start();
        reader.export("KTRDR_FETCHER_FILES=tests/bars");
        let made = reader.type_command(page_commands()[0]);
        assert_eq!(made.code, Some(0), "{}", made.screen);

        let permissions = reader.folder().join("credentials/permissions.conf");
        let server = Server::start_with_permissions(&reader.folder().join("nats"), &permissions);
        let s3 = on_s3.then(|| S3Server::start(&reader));
        let objects = match &s3 {
            Some(_) => "s3://ktrdr".to_owned(),
            None => format!("file://{}", reader.folder().join("objects").display()),
        };
        if let Some(s3) = &s3 {
            let variables = s3.variables();
            let lines = variables.map(|(name, value)| format!("{name}={value}"));
            for line in lines.collect::<Vec<_>>() {
                reader.export(&line);
            }
        }
        Self {
            reader,
            server,
            objects,
            s3,
        }
    }

    /// Types a command of the page, with the addresses of this host in place of those on the page.
    fn type_of_page(&self, command: &str) -> String {
        let command = command
            .replace("nats://bus:4222", &self.server.url())
            .replace("s3://ktrdr", &self.objects);
        let answer = self.reader.type_command(&command);
        assert_eq!(answer.code, Some(0), "{command}\n{}", answer.screen);
        answer.screen
    }

    /// Adds the second tenant of the page to the server that runs.
    fn add_second_tenant(&self) {
        self.type_of_page(page_commands()[1]);
        let permissions = self.reader.folder().join("credentials/permissions.conf");
        self.server.reload_permissions(&permissions);
    }

    fn key(&self, tenant: &str, name: &str) -> PathBuf {
        let folder = self.reader.folder().join("credentials").join(tenant);
        folder.join(format!("{name}.nk"))
    }

    /// The settings of somebody, as variables of a shell.
    fn variables(&self, tenant: &str, name: &str, prefix: &str) -> [(&'static str, String); 3] {
        [
            ("KTRDR_BUS_URL", self.server.url()),
            (
                "KTRDR_BUS_CREDENTIALS",
                self.key(tenant, name).display().to_string(),
            ),
            ("KTRDR_STORE_URL", format!("{}/{prefix}", self.objects)),
        ]
    }

    /// Types a command as a person of a tenant, on the objects of `prefix`; fails unless it ends
    /// with the exit code.
    fn type_on(&self, tenant: &str, prefix: &str, command: &str, code: i32) -> String {
        let person = match tenant {
            "north" => "ann",
            _ => "bob",
        };
        let variables = self.variables(tenant, person, prefix);
        let exports = variables.map(|(name, value)| format!("export {name}='{value}'\n"));
        let answer = self
            .reader
            .type_command(&format!("{}{command}", exports.concat()));

        assert_eq!(
            answer.code,
            Some(code),
            "{tenant}: {command}\n{}",
            answer.screen
        );
        answer.screen
    }

    fn type_as(&self, tenant: &str, command: &str) -> String {
        self.type_on(tenant, tenant, command, 0)
    }

    /// Declares the streams of a tenant, and starts its services.
    fn start_services(&self, tenant: &str) -> Services {
        let apply = format!(
            "ktrdr infra apply --profile test --server nats://bus:4222 \
             --creds credentials/{tenant}/infra.nk"
        );
        self.type_of_page(&apply);

        let services = SERVICES.iter().map(|service| {
            let mut command = self.reader.command(&format!("ktrdr-{service}"));
            command
                .envs(self.variables(tenant, service, tenant))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().unwrap()
        });
        let services = Services(services.collect());
        let all_listed = format!(
            "until [ $(ktrdr workers list --json | grep -o '\"worker\"' | wc -l) -ge {} ]; do \
             read -rt 0.2 < <(:) || true; done",
            SERVICES.len()
        );
        self.type_as(
            tenant,
            &format!("timeout 60 bash -c '{}'", all_listed.replace('\'', "'\\''")),
        );
        services
    }
}

/// The id of an operation that a command has started.
fn operation_in(screen: &str) -> &str {
    let mut words = screen.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.find(|word| word.starts_with("op_")).unwrap()
}

/// What one tenant makes is not there for the other.
fn check_that_nothing_is_shared(site: &Site) {
    let south = |command: &str| site.type_as("south", command);
    for (command, made_there) in [
        ("ktrdr ops list --json", "op_train_"),
        ("ktrdr data list --json", "SPY"),
        ("ktrdr models list --json", "us_equities_trend"),
        ("ktrdr schedule list --json", "nightly"),
    ] {
        let of_north = site.type_as("north", command);
        assert!(of_north.contains(made_there), "{command}: {of_north}");
        let of_south = south(command);
        assert!(!of_south.contains(made_there), "{command}: {of_south}");
    }

    let workers = |tenant: &str| {
        let listed = site.type_as(tenant, "ktrdr workers list --json");
        let ids = listed.split("\"worker\":\"").skip(1);
        let ids = ids.map(|rest| rest.split('"').next().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let of_north = workers("north");
    let of_south = workers("south");
    assert_eq!(of_north.len(), SERVICES.len(), "{of_north:?}");
    assert_eq!(of_south.len(), SERVICES.len(), "{of_south:?}");
    assert!(of_north.iter().all(|worker| !of_south.contains(worker)));
}

/// Nobody of one tenant stops, follows or hears what another one does.
fn check_that_nothing_is_reached(site: &Site) {
    let start = "ktrdr dummy start --duration 30 --iterations 300 --detach";
    let started = site.type_as("north", start);
    let op = operation_in(&started);

    for command in ["cancel", "status", "follow", "resume"] {
        let refused = site.type_on("south", "south", &format!("ktrdr {command} {op}"), 4);
        assert!(refused.contains(op), "{refused}");
    }
    site.type_as("south", "ktrdr cancel --all --yes");
    let running = site.type_as("north", &format!("ktrdr status {op} --json"));
    assert!(running.contains("\"running\""), "{running}");

    // One listens to everything while both work.
    let tap = "timeout --signal INT 3 ktrdr tap 'ktrdr.>' --json > heard & listener=$!\n\
               ktrdr dummy start --duration 1 --iterations 4\n\
               wait $listener || true; cat heard";
    let messages = site.type_as("south", tap);
    assert!(messages.contains("ktrdr.event.dummy"), "{messages}");
    assert!(!messages.contains(op), "{messages}");

    site.type_as("north", &format!("ktrdr cancel {op} --wait"));
}

/// A key does not open the objects of another tenant, whoever uses it.
fn check_that_prefixes_are_guarded(site: &Site) {
    let belongs = "belongs to the tenant `south`, and our key is of the tenant `north`";
    let refused = site.type_on("north", "south", "ktrdr data list", 1);
    assert!(refused.contains(belongs), "{refused}");
    let refused = site.type_on("north", "south", "ktrdr doctor", 1);
    assert!(refused.contains("belongs to the tenant"), "{refused}");

    let mut variables = site.variables("north", "fetcher", "south");
    let service = |variables: &[(&str, String)]| {
        let exports = variables.iter();
        let exports = exports.map(|(name, value)| format!("export {name}='{value}'\n"));
        let script = format!("{}timeout 30 ktrdr-fetcher", exports.collect::<String>());
        site.reader.type_command(&script)
    };
    let refused = service(&variables);
    assert_eq!(refused.code, Some(1), "{}", refused.screen);
    assert!(refused.screen.contains(belongs), "{}", refused.screen);
    assert!(refused.screen.contains("hint: "), "{}", refused.screen);

    // So it is for a key of south on the objects of north.
    variables[1].1 = site.key("south", "fetcher").display().to_string();
    variables[2].1 = format!("{}/north", site.objects);
    let refused = service(&variables);
    assert_eq!(refused.code, Some(1), "{}", refused.screen);
    assert!(refused.screen.contains("belongs to the tenant `north`"));
}

fn two_tenants_share_nothing(on_s3: bool) {
    let site = Site::start(on_s3);
    let _north = site.start_services("north");
    let load = "ktrdr data load SPY --timeframe 1d --mode full";
    site.type_as("north", load);
    let waiting = site.type_as(
        "north",
        "ktrdr dummy start --duration 4 --iterations 40 --detach",
    );
    let key = std::fs::read_to_string(site.key("north", "ann")).unwrap();

    // The second tenant comes while the first one works, which goes on.
    site.add_second_tenant();
    assert_eq!(
        std::fs::read_to_string(site.key("north", "ann")).unwrap(),
        key
    );
    let _south = site.start_services("south");
    let followed = site.type_as("north", &format!("ktrdr follow {}", operation_in(&waiting)));
    assert!(followed.contains("ompleted"), "{followed}");

    site.type_as("north", "ktrdr train us_equities_trend --symbols SPY");
    site.type_as(
        "north",
        "ktrdr schedule add '0 3 * * *' --name nightly -- dummy start --duration 1",
    );
    check_that_nothing_is_shared(&site);
    check_that_nothing_is_reached(&site);
    check_that_prefixes_are_guarded(&site);

    let doctor = site.type_as("south", "ktrdr doctor");
    assert!(doctor.contains("protected from overwriting"), "{doctor}");
    assert!(site.s3.is_some() == on_s3);
}

#[test]
fn two_tenants_in_one_folder_share_nothing() {
    two_tenants_share_nothing(false);
}

#[test]
fn two_tenants_in_one_bucket_share_nothing() {
    two_tenants_share_nothing(true);
}

#[test]
fn the_commands_of_the_page_start_two_tenants() {
    let site = Site::start(false);
    let commands = page_commands();
    site.add_second_tenant();

    let listed = site.type_of_page(commands[2]);
    assert!(listed.contains("credentials/north/ann.nk"), "{listed}");
    assert!(listed.contains("credentials/south/bob.nk"), "{listed}");
    let [_, _, _, applies @ .., north, south, ops] = commands.as_slice() else {
        panic!("{commands:?}")
    };
    for apply in applies {
        let applied = site.type_of_page(apply);
        assert!(applied.contains("created KTRDR_COMMANDS"), "{applied}");
    }

    // They serve until they are stopped, so they are stopped as soon as they are listed.
    for (service, tenant) in [(north, "north"), (south, "south")] {
        let workers = format!(
            "ktrdr workers list --server nats://bus:4222 --creds credentials/{tenant}/infra.nk"
        );
        let script = format!(
            "{service} & started=$!\n\
             until {workers} --json | grep -q '\"fetcher-'; do\n\
               kill -0 $started || break\n\
             done\n\
             kill $started; wait $started"
        );
        site.type_of_page(&script);
    }
    site.type_of_page(ops);
}

#[test]
fn keys_of_tenants_and_of_one_system_do_not_mix() {
    let reader = PageReader::start();
    let made = reader.type_command("ktrdr infra credentials --tenant north --dir shared");
    assert_eq!(made.code, Some(0), "{}", made.screen);
    assert!(
        made.screen.contains("may store 5 GB in all"),
        "{}",
        made.screen
    );
    let made = reader.type_command("ktrdr infra credentials --dir single");
    assert_eq!(made.code, Some(0), "{}", made.screen);

    for (command, holds) in [
        (
            "ktrdr infra credentials --dir shared",
            "the keys of tenants",
        ),
        (
            "ktrdr infra credentials --tenant north --dir single",
            "the keys of a system without tenants",
        ),
    ] {
        let refused = reader.type_command(command);
        assert_eq!(refused.code, Some(1), "{}", refused.screen);
        assert!(refused.screen.contains(holds), "{}", refused.screen);
    }
}

#[test]
fn a_system_becomes_a_tenant_as_the_page_says() {
    let reader = PageReader::start();
    let type_command = |command: &str| {
        let answer = reader.type_command(command);
        assert_eq!(answer.code, Some(0), "{command}\n{}", answer.screen);
        answer.screen
    };
    type_command("ktrdr infra credentials --dir single");
    let folder = reader.folder().join("nats");
    let permissions = reader.folder().join("single/permissions.conf");
    let mut server = Server::start_with_permissions(&folder, &permissions);
    let url = server.url();
    type_command(&format!(
        "ktrdr infra apply --server {url} --creds single/infra.nk"
    ));
    let start = "ktrdr dummy start --detach";
    let started = type_command(&format!("{start} --server {url} --creds single/infra.nk"));

    assert!(PAGE.contains("rename `jetstream/$G` in its `store_dir` to the name of the tenant"));
    server.kill();
    let accounts = folder.join("streams/jetstream");
    std::fs::rename(accounts.join("$G"), accounts.join("north")).unwrap();
    type_command("ktrdr infra credentials --dir shared --tenant north");
    let permissions = reader.folder().join("shared/permissions.conf");
    std::fs::copy(permissions, folder.join("permissions.conf")).unwrap();
    server.restart();

    let listed = type_command(&format!(
        "ktrdr ops --server {url} --creds shared/north/infra.nk"
    ));
    assert!(listed.contains(operation_in(&started)), "{listed}");
}
