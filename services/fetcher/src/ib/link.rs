//! What the gateway says about its links without being asked.

use std::collections::BTreeSet;

use super::codes::{Meaning, classify};

/// The library says that messages of the gateway were lost, so that an old state may be void.
const MESSAGES_LOST: i32 = -7;
/// Advice that is kept, at most.
const ADVICE_MAX: usize = 5;

/// The links of a gateway, as its messages show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// False while the gateway has lost its servers.
    pub is_up: bool,
    /// True once the gateway has said that it closes this connection.
    pub is_closed: bool,
    /// How often what was asked for was lost with the link.
    pub losses: u64,
    /// Servers of data that are away.
    pub broken_farms: BTreeSet<String>,
    /// True once a server of historical data has reported.
    pub has_history: bool,
    /// What else it had to say about its data.
    pub advice: Vec<String>,
}

impl Default for Link {
    /// A link that works, as far as is known.
    fn default() -> Self {
        Self {
            is_up: true,
            is_closed: false,
            losses: 0,
            broken_farms: BTreeSet::new(),
            has_history: false,
            advice: Vec::new(),
        }
    }
}

impl Link {
    /// Takes over a message; true if it changes anything.
    pub fn note(&mut self, code: i32, text: &str) -> bool {
        let before = self.clone();
        match classify(code, text) {
            Meaning::LinkLost => self.is_up = false,
            Meaning::LinkBack => self.is_up = true,
            Meaning::LinkBackWithoutData => {
                self.is_up = true;
                self.losses += 1;
            }
            Meaning::Connection => self.is_closed = true,

            Meaning::FarmBroken => {
                self.broken_farms.insert(farm_of(text));
            }
            Meaning::FarmFine => {
                self.broken_farms.remove(&farm_of(text));
                self.has_history |= code == 2106;
            }
            Meaning::Advisory => self.keep_advice(text),
            _ if code == MESSAGES_LOST => self.is_up = true,
            _ => {}
        }
        *self != before
    }

    fn keep_advice(&mut self, text: &str) {
        let is_new = !self.advice.iter().any(|advice| advice == text);
        if is_new && self.advice.len() < ADVICE_MAX {
            self.advice.push(text.to_owned());
        }
    }

    /// A server of historical data that is away; those of live prices do not matter here.
    pub fn broken_history(&self) -> Option<&str> {
        let mut farms = self.broken_farms.iter();
        farms.find(|farm| farm.contains("hmds")).map(String::as_str)
    }
}

/// `ushmds` of `HMDS data farm connection is broken:ushmds`.
fn farm_of(text: &str) -> String {
    let farm = text.rsplit(':').next().unwrap_or(text);
    farm.trim().to_ascii_lowercase()
}
