//! The setting `metrics_address`: an address and a port, or a port alone, which is of this host
//! only.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a process listens. A port alone is one of the loopback address, so that nobody else can
/// reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress(pub SocketAddr);

impl ListenAddress {
    fn loopback(port: u16) -> Self {
        Self((Ipv4Addr::LOCALHOST, port).into())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let port = text.strip_prefix(':').unwrap_or(text);

        match port.parse::<u16>() {
            Ok(port) => Ok(Self::loopback(port)),
            Err(_) => text.parse().map(Self).map_err(|_| refusal(text)),
        }
    }
}

fn refusal(text: &str) -> String {
    format!("`{text}` is no address to listen on: expected 9464, 127.0.0.1:9464 or 0.0.0.0:9464")
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for ListenAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListenAddressVisitor)
    }
}

/// Reads a text, or a number, which is a port.
struct ListenAddressVisitor;

impl Visitor<'_> for ListenAddressVisitor {
    type Value = ListenAddress;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "a port as in 9464, or an address as in \"127.0.0.1:9464\""
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ListenAddress, E> {
        ListenAddress::parse(text).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<ListenAddress, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<ListenAddress, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_of_this_host_only() {
        let read = |json: &str| -> ListenAddress { serde_json::from_str(json).unwrap() };

        for json in ["9464", r#""9464""#, r#"":9464""#, r#""127.0.0.1:9464""#] {
            assert_eq!(read(json).to_string(), "127.0.0.1:9464");
        }
        assert_eq!(read(r#""0.0.0.0:9464""#).to_string(), "0.0.0.0:9464");
        assert_eq!(read(r#""[::1]:9464""#).to_string(), "[::1]:9464");
    }

    #[test]
    fn what_is_no_address_is_refused_with_examples() {
        for json in [r#""everywhere""#, "70000", "-1", r#""host:9464""#] {
            let refused = serde_json::from_str::<ListenAddress>(json).unwrap_err();
            assert!(refused.to_string().contains("expected 9464"), "{refused}");
        }
    }
}
