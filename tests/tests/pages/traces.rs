//! The traces of "Monitoring" in docs/operating.md: one training, seen by a collector.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::Value;

use crate::reader::PageReader;

/// Lines of `ktrdr up` that say that something is ready.
const READY_LINES: usize = 9;
/// Programs that take part in a training: `ktrdr` and five services.
const PROGRAMS: usize = 6;
/// How long the next spans may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A collector that hands on the spans that it is given.
struct Collector {
    address: String,
    spans: Receiver<Vec<Span>>,
}

#[derive(Clone, Debug)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    program: String,
    began: u128,
    ended: u128,
    json: Value,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, spans) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let sender = sender.clone();
                std::thread::spawn(move || collect(stream.unwrap(), &sender));
            }
        });
        Self { address, spans }
    }

    /// The spans of an operation, once its root, something of every program, and every parent have
    /// come.
    fn until_ended(&self, op: &str) -> Vec<Span> {
        let mut trace: Vec<Span> = Vec::new();
        loop {
            let spans = self.spans.recv_timeout(PATIENCE).expect("more spans");
            trace.extend(spans);
            let is_root =
                |span: &&Span| span.parent.is_empty() && attribute(span, "ktrdr.operation") == op;
            let Some(root) = trace.iter().find(is_root) else {
                continue;
            };

            // Each process sends on its own.
            let of_operation = trace.iter().filter(|span| span.trace == root.trace);
            let programs = of_operation.clone().map(|span| &span.program);
            let programs: BTreeSet<_> = programs.collect();
            let ids: BTreeSet<_> = of_operation.clone().map(|span| &span.id).collect();
            let mut others = of_operation.clone().filter(|span| !span.parent.is_empty());
            if programs.len() == PROGRAMS && others.all(|span| ids.contains(&span.parent)) {
                return of_operation.cloned().collect();
            }
        }
    }
}

/// Reads requests of one connection and answers them.
fn collect(mut stream: TcpStream, into: &Sender<Vec<Span>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(body) = read_request(&mut reader) {
        // The test may have ended.
        let _ = into.send(spans_of(&body));
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(answer).unwrap();
    }
}

/// The body of the next request; none at the end of the connection.
fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return None;
        }
    }

    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("content-type: application/json"), "{head}");
    let length = head.split("content-length: ").nth(1).unwrap();
    let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    Some(body)
}

fn spans_of(body: &[u8]) -> Vec<Span> {
    let request: Value = serde_json::from_slice(body).unwrap();
    let mut spans = Vec::new();
    for resource in request["resourceSpans"].as_array().unwrap() {
        let attributes = resource["resource"]["attributes"].as_array().unwrap();
        let service = attributes
            .iter()
            .find(|pair| pair["key"] == "service.name")
            .unwrap();
        let service = text(&service["value"]["stringValue"]);

        for span in resource["scopeSpans"][0]["spans"].as_array().unwrap() {
            let time = |name: &str| text(&span[name]).parse().unwrap();
            spans.push(Span {
                trace: text(&span["traceId"]),
                id: text(&span["spanId"]),
                parent: text(&span["parentSpanId"]),
                program: service.clone(),
                began: time("startTimeUnixNano"),
                ended: time("endTimeUnixNano"),
                json: span.clone(),
            });
        }
    }
    spans
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn attribute(span: &Span, name: &str) -> String {
    let attributes = span.json["attributes"].as_array().unwrap();
    let pair = attributes.iter().find(|pair| pair["key"] == name);
    let value = pair.map_or(&Value::Null, |pair| &pair["value"]);
    let texts = ["stringValue", "intValue"].map(|kind| value[kind].as_str());
    texts
        .into_iter()
        .flatten()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// The trace as the page shows it: a line for each span, below its parent; what repeats is one line.
fn draw(spans: &[Span]) -> String {
    let mut children: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        children.entry(&span.parent).or_default().push(span);
    }
    for siblings in children.values_mut() {
        siblings.sort_by_key(|span| span.began);
    }

    let mut lines = String::new();
    draw_below("", 0, &children, &mut lines);
    lines
}

fn draw_below(
    parent: &str,
    depth: usize,
    children: &BTreeMap<&str, Vec<&Span>>,
    lines: &mut String,
) {
    let siblings = children.get(parent).map_or(&[][..], Vec::as_slice);
    let mut drawn = BTreeSet::new();

    for span in siblings {
        let name = text(&span.json["name"]);
        if drawn.insert(name.clone()) {
            let same = siblings.iter().filter(|other| other.json["name"] == name);
            lines.push_str(&"  ".repeat(depth));
            lines.push_str(&line_of(span, same.count()));
            draw_below(&span.id, depth + 1, children, lines);
        }
    }
}

/// `store put (several times)  [ktrdr-fetcher]`: how often depends on the time that work takes.
fn line_of(span: &Span, count: usize) -> String {
    let name = text(&span.json["name"]);
    let times = match count {
        1 => "",
        _ => " (several times)",
    };
    let events = span.json["events"].as_array().unwrap();
    let noted = match events.first() {
        Some(event) => format!("  {} events `{}`", events.len(), text(&event["name"])),
        None => String::new(),
    };

    let program = &span.program;
    format!("{name}{times}  [{program}]{noted}\n")
}

#[test]
fn a_training_is_one_trace_of_connected_spans() {
    let collector = Collector::start();
    let mut reader = PageReader::start();
    reader.export(&format!(
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://{}",
        collector.address
    ));
    reader.export("KTRDR_FETCHER_FILES=tests/bars");
    reader.start_system(READY_LINES);

    let trained = reader.type_command("ktrdr train eurusd_rsi_macd --data-mode full --json");
    assert_eq!(trained.code, Some(0), "{}", trained.screen);
    let line = trained.screen.lines().next().unwrap();
    let started: Value = serde_json::from_str(line).unwrap();
    let op = text(&started["op"]);
    let spans = collector.until_ended(&op);

    // One root, every other span has its parent here, and lies within the life of the operation.
    let ids: BTreeSet<_> = spans.iter().map(|span| span.id.as_str()).collect();
    let roots: BTreeSet<_> = spans
        .iter()
        .filter(|span| span.parent.is_empty())
        .map(|span| &span.id)
        .collect();
    assert_eq!(roots.len(), 1, "{spans:#?}");
    for span in &spans {
        assert!(
            span.parent.is_empty() || ids.contains(span.parent.as_str()),
            "{span:#?}"
        );
        assert!(span.began <= span.ended, "{span:#?}");
        assert_eq!(span.json["status"]["code"], 1, "{span:#?}");
    }

    let drawing = draw(&spans);
    let page = include_str!("../../../docs/operating.md");
    assert!(
        page.contains(&drawing),
        "docs/operating.md shows another trace than\n{drawing}"
    );
}

#[test]
fn a_collector_that_is_away_holds_up_nothing() {
    let mut reader = PageReader::start();
    // It accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    reader.export(&format!("OTEL_EXPORTER_OTLP_ENDPOINT=http://{address}"));
    reader.export("KTRDR_FETCHER_FILES=tests/bars");
    reader.start_system(READY_LINES);

    let trained = reader.type_command("ktrdr train eurusd_rsi_macd --data-mode full");

    assert_eq!(trained.code, Some(0), "{}", trained.screen);
}
