//! The section "S3" of docs/operating.md, followed: a system whose store is an S3 server.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::reader::{Answer, PageReader};

/// `infra/s3-server`; it ends with this value.
pub struct S3Server {
    /// The line that it prints for a shell.
    export: String,
    // Its standard input is the life of the server.
    process: Child,
}

impl S3Server {
    pub fn start(reader: &PageReader) -> Self {
        let mut process = Command::new(reader.folder().join("infra/s3-server"))
            .arg("--until-eof")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut export = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut export).unwrap();
        assert!(export.starts_with("export "), "run infra/setup s3");
        Self { export, process }
    }

    /// The variables that it prints, for a program that no shell starts.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let assignments = self.export.trim_start_matches("export ").split_whitespace();
        assignments.filter_map(|each| each.trim_end_matches(';').split_once('='))
    }

    /// Types a command with the variables of this server set.
    fn type_command(&self, reader: &PageReader, command: &str) -> Answer {
        reader.type_command(&format!("{}{command}", self.export))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn assert_succeeds(answer: &Answer) {
    assert_eq!(answer.code, Some(0), "{}", answer.screen);
}

#[test]
fn a_system_on_s3_trains_a_model_that_predicts() {
    let reader = PageReader::start();
    let server = S3Server::start(&reader);
    let url = "s3://ktrdr/systems/first";
    let commands = "ktrdr doctor && \
        ktrdr data load SPY --timeframe 1d --mode full && \
        ktrdr train us_equities_trend --symbols SPY";
    let up = format!(
        "export KTRDR_FETCHER_FILES=tests/bars\n\
         ktrdr up --store {url} -- sh -c '{commands}'"
    );

    let trained = server.type_command(&reader, &up);
    assert_succeeds(&trained);
    let checked = format!("{url}: an object was written, read, listed");
    assert!(trained.screen.contains(&checked), "{}", trained.screen);

    // Nothing but the server knows the model now, and the system is gone.
    let objects = reader.folder().join(".ktrdr/objects");
    assert!(!objects.exists(), "objects beside the store");
    let predicted = server.type_command(
        &reader,
        &format!(
            "ktrdr models predict us_equities_trend --bars SPY:1d=tests/bars/SPY_1d.csv.gz \
             --out predictions.csv --set store.url={url}"
        ),
    );
    assert_succeeds(&predicted);
    assert!(
        predicted
            .screen
            .contains("predictions of us_equities_trend@1")
    );
}

#[test]
fn a_system_whose_store_is_away_does_not_start() {
    let reader = PageReader::start();
    let server = S3Server::start(&reader);

    let refused = server.type_command(&reader, "ktrdr up --store s3://absent/first");

    assert_eq!(refused.code, Some(3), "{}", refused.screen);
    assert!(
        refused
            .screen
            .contains("cannot use the object store `s3://absent/first`")
    );
    assert!(!refused.screen.contains("ready"), "{}", refused.screen);
}

#[test]
fn a_service_whose_store_is_away_is_not_ready() {
    let reader = PageReader::start();

    let refused = reader.type_command(
        "export AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_MAX_ATTEMPTS=1\n\
         export AWS_ENDPOINT_URL=http://127.0.0.1:1\n\
         ktrdr-fetcher --store s3://ktrdr/first --nats-url nats://127.0.0.1:1",
    );

    assert_eq!(refused.code, Some(1), "{}", refused.screen);
    let lines: Vec<_> = refused.screen.lines().collect();
    assert_eq!(
        lines,
        [
            "error: cannot use the object store `s3://ktrdr/first`: cannot connect to \
             http://127.0.0.1:1: Connection refused (os error 111)",
            "hint: check that the server runs and that AWS_ENDPOINT_URL names it; nothing \
             half-written is visible, so the command may simply be run again",
        ]
    );
}
