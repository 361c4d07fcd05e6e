//! What a server lets a key do, asked by the protocol itself: one line each, and the answer that
//! comes before the next pong.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;

use crate::keys;

/// Something to try.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    /// To publish an empty message.
    Publish(String),
    /// To read what matches a pattern.
    Subscribe(String),
}

/// The server does not let the client in.
#[derive(Debug)]
pub struct Refused(pub String);

/// Tries everything with the key in `file`, or without any; true where the server allows it.
pub fn probe(url: &str, file: Option<&Path>, asks: &[Ask]) -> Result<Vec<bool>, Refused> {
    let stream = TcpStream::connect(url.strip_prefix("nats://").unwrap()).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let info = lines.next().unwrap().unwrap();
    let mut connection = Connection { stream, lines };
    connection.answer(&format!("CONNECT {}\r\n", greeting(&info, file)))?;

    let mut allowed = Vec::new();
    for (number, ask) in asks.iter().enumerate() {
        let line = match ask {
            Ask::Publish(subject) => format!("PUB {subject} 0\r\n\r\n"),
            Ask::Subscribe(subject) => format!("SUB {subject} {}\r\n", number + 1),
        };
        allowed.push(connection.answer(&line).is_ok());
    }
    Ok(allowed)
}

/// What the client says of itself, with the nonce of the server signed.
fn greeting(info: &str, file: Option<&Path>) -> String {
    let options = r#""verbose":false,"pedantic":false,"headers":true,"no_responders":false"#;
    let Some(file) = file else {
        return format!("{{{options}}}");
    };

    let nonce = info.split("\"nonce\":\"").nth(1).unwrap();
    let nonce = nonce.split('"').next().unwrap();
    let pair = KeyPair::from_seed(&keys::read(file).seed).unwrap();
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(nonce.as_bytes()).unwrap());
    format!(
        r#"{{{options},"nkey":"{}","sig":"{signature}"}}"#,
        pair.public_key()
    )
}

struct Connection {
    stream: TcpStream,
    lines: std::io::Lines<BufReader<TcpStream>>,
}

impl Connection {
    /// Sends a line and a ping, and reads to the pong; the error is what the server says against it.
    fn answer(&mut self, line: &str) -> Result<(), Refused> {
        self.stream
            .write_all(format!("{line}PING\r\n").as_bytes())
            .map_err(|error| Refused(error.to_string()))?;

        let mut refused = Ok(());
        loop {
            let answer = self.lines.next();
            let Some(Ok(answer)) = answer else {
                return refused.and(Err(Refused("the server closed the connection".to_owned())));
            };
            match answer.trim() {
                "PONG" => return refused,
                "PING" => {}
                answer if answer.starts_with("-ERR") => refused = Err(Refused(answer.to_owned())),
                _ => {}
            }
        }
    }
}
