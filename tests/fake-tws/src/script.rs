//! What a fake TWS has, and how it behaves.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

/// How the next question is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// As it should be.
    Answer,
    /// As it should be, after a while.
    Delay(Duration),
    /// A numbered message instead of the answer.
    Error(i32, String),
    /// A numbered message, and the answer after it.
    Notice(i32, String),
    /// Nothing at all.
    Silent,
    /// Half of the bars, then the connection ends.
    DropMidAnswer,
    /// Half of the bars, and no end of them.
    Truncate,
    /// As it should be, with every frame damaged by this seed.
    Damaged(u64),
}

impl Verb {
    /// A numbered message instead of the answer.
    pub fn error(code: i32, text: &str) -> Self {
        Self::Error(code, text.to_owned())
    }
}

/// What happens when somebody connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Greeting {
    /// It is polite.
    #[default]
    Ready,
    /// It takes the connection and says nothing.
    Silent,
    /// It is polite, and its first frame damaged by this seed.
    Damaged(u64),
    /// It closes the connection at once: the host is not trusted.
    Reject,
}

/// A contract that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The number that names it.
    pub con_id: i32,
    /// Its symbol there.
    pub symbol: String,
    /// Its kind, such as `STK`.
    pub sec_type: String,
    /// Where it is listed.
    pub primary_exchange: String,
    /// What it is priced in.
    pub currency: String,
    /// Its month of expiry, or nothing.
    pub expiry: String,
}

impl Listed {
    /// A contract without an expiry.
    pub fn new(con_id: i32, sec_type: &str, symbol: &str, exchange: &str, currency: &str) -> Self {
        Self {
            con_id,
            symbol: symbol.to_owned(),
            sec_type: sec_type.to_owned(),
            primary_exchange: exchange.to_owned(),
            currency: currency.to_owned(),
            expiry: String::new(),
        }
    }
}

/// When a bar begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// An instant, of an intraday bar.
    At(Timestamp),
    /// A date, of a longer one.
    On(Date),
}

/// A bar that it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// When it begins.
    pub label: Label,
    /// Open, high, low, close.
    pub prices: [f64; 4],
    /// Volume, -1 for none.
    pub volume: f64,
}

/// What a fake TWS has, and how it behaves.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// What happens when somebody connects.
    pub greeting: Greeting,
    /// Connections that are refused since another program holds their client id.
    pub taken_ids: usize,
    /// Messages that follow the greeting.
    pub notices: Vec<(i32, String)>,
    /// Contracts that it has.
    pub contracts: Vec<Listed>,
    /// First instant of every history.
    pub head: Option<Timestamp>,
    /// Bars of every contract, whatever their length.
    pub bars: Vec<Bar>,
    /// How the next questions for bars are answered; then as it should be.
    pub for_bars: VecDeque<Verb>,
    /// The same of questions for heads.
    pub for_heads: VecDeque<Verb>,
    /// The same of questions for contracts.
    pub for_contracts: VecDeque<Verb>,
    /// False where it does not tell the time.
    pub is_mute: bool,
    /// Its clock minus ours, in seconds.
    pub clock_ahead_s: i64,
}
