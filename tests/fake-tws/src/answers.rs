//! What a fake TWS answers.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::damage::damaged;
use crate::script::{Bar, Label, Listed, Script, Verb};
use crate::wire::{self, decode, frame, incoming, outgoing};
use crate::{BarsRequest, Request, lock, message};

/// One connection that answers.
pub(crate) struct Answering<'a> {
    pub stream: &'a mut TcpStream,
    pub script: &'a Mutex<Script>,
    /// What every frame of the answer is damaged by.
    pub damage: Option<u64>,
}

/// What a message asks for; nothing for one that is not known here.
pub(crate) fn read_request(number: i32, content: &[u8]) -> io::Result<Option<Request>> {
    Ok(Some(match number {
        incoming::CONTRACT_DATA => {
            let request: wire::ContractDataRequest = decode(content)?;
            let contract = request.contract.unwrap_or_default();
            Request::Contract(
                contract.sec_type.unwrap_or_default(),
                contract.symbol.unwrap_or_default(),
                contract.exchange.unwrap_or_default(),
            )
        }
        incoming::MATCHING_SYMBOLS => {
            let request: wire::MatchingSymbolsRequest = decode(content)?;
            Request::Symbols(request.pattern.unwrap_or_default())
        }
        incoming::HEAD_TIMESTAMP => {
            let request: wire::HeadTimestampRequest = decode(content)?;
            Request::Head(request.what_to_show.unwrap_or_default())
        }
        incoming::HISTORICAL_DATA => Request::Bars(bars_request(&decode(content)?)),
        incoming::CANCEL_HISTORICAL_DATA | incoming::CANCEL_HEAD_TIMESTAMP => Request::Cancel,
        incoming::CURRENT_TIME => Request::Time,
        _ => return Ok(None),
    }))
}

fn bars_request(request: &wire::HistoricalDataRequest) -> BarsRequest {
    let contract = request.contract.clone().unwrap_or_default();
    BarsRequest {
        con_id: contract.con_id.unwrap_or_default(),
        sec_type: contract.sec_type.unwrap_or_default(),
        exchange: contract.exchange.unwrap_or_default(),
        end: request.end.clone().unwrap_or_default(),
        bar_size: request.bar_size.clone().unwrap_or_default(),
        duration: request.duration.clone().unwrap_or_default(),
        what: request.what_to_show.clone().unwrap_or_default(),
        use_rth: request.use_rth.unwrap_or_default(),
    }
}

impl Answering<'_> {
    /// Answers one message.
    pub fn answer(&mut self, number: i32, content: &[u8]) -> io::Result<()> {
        match number {
            incoming::CURRENT_TIME => self.tell_time(),
            incoming::CONTRACT_DATA => {
                let request: wire::ContractDataRequest = decode(content)?;
                let id = request.req_id.unwrap_or_default();
                let verb = lock(self.script).for_contracts.pop_front();
                self.obey(verb, id, |answering, _| answering.describe(&request, id))
            }
            incoming::MATCHING_SYMBOLS => self.search(&decode(content)?),
            incoming::HEAD_TIMESTAMP => {
                let request: wire::HeadTimestampRequest = decode(content)?;
                let id = request.req_id.unwrap_or_default();
                let verb = lock(self.script).for_heads.pop_front();
                self.obey(verb, id, |answering, _| answering.tell_head(id))
            }
            incoming::HISTORICAL_DATA => {
                let request: wire::HistoricalDataRequest = decode(content)?;
                let id = request.req_id.unwrap_or_default();
                let verb = lock(self.script).for_bars.pop_front();
                let request = bars_request(&request);
                self.obey(verb, id, |answering, verb| {
                    answering.send_bars(&request, id, verb)
                })
            }
            _ => Ok(()),
        }
    }

    /// Does as the script says with one question.
    fn obey(
        &mut self,
        verb: Option<Verb>,
        id: i32,
        answer: impl FnOnce(&mut Self, &Verb) -> io::Result<()>,
    ) -> io::Result<()> {
        let verb = verb.unwrap_or(Verb::Answer);

        match &verb {
            Verb::Silent => Ok(()),
            Verb::Damaged(seed) => {
                self.damage = Some(*seed);
                answer(self, &Verb::Answer)
            }
            Verb::Error(code, text) => self.send(&message(id, *code, text)),
            Verb::Notice(code, text) => {
                self.send(&message(id, *code, text))?;
                answer(self, &Verb::Answer)
            }
            Verb::Delay(delay) => {
                std::thread::park_timeout(*delay);
                answer(self, &Verb::Answer)
            }
            Verb::Answer | Verb::DropMidAnswer | Verb::Truncate => answer(self, &verb),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.damage {
            Some(seed) => wire::write(self.stream, &damaged(bytes, seed ^ bytes.len() as u64)),
            None => wire::write(self.stream, bytes),
        }
    }

    fn tell_time(&mut self) -> io::Result<()> {
        let (is_mute, ahead) = {
            let script = lock(self.script);
            (script.is_mute, script.clock_ahead_s)
        };
        if is_mute {
            return Ok(());
        }

        let time = wire::Number {
            value: Some(Timestamp::now().as_second() + ahead),
        };
        self.send(&frame(outgoing::CURRENT_TIME, &time))
    }

    fn describe(&mut self, request: &wire::ContractDataRequest, id: i32) -> io::Result<()> {
        let query = request.contract.clone().unwrap_or_default();
        let listed = lock(self.script).contracts.clone();
        let matches: Vec<Listed> = listed
            .into_iter()
            .filter(|each| is_meant(each, &query))
            .collect();
        if matches.is_empty() {
            let text = "No security definition has been found for the request";
            return self.send(&message(id, 200, text));
        }

        for each in matches {
            let data = wire::ContractData {
                req_id: Some(id),
                contract: Some(contract_of(&each, query.exchange.as_deref())),
                details: Some(wire::ContractDetails {
                    market_name: Some(each.primary_exchange),
                    min_tick: Some("0.01".to_owned()),
                }),
            };
            self.send(&frame(outgoing::CONTRACT_DATA, &data))?;
        }
        let end = wire::Number {
            value: Some(i64::from(id)),
        };
        self.send(&frame(outgoing::CONTRACT_DATA_END, &end))
    }

    fn search(&mut self, request: &wire::MatchingSymbolsRequest) -> io::Result<()> {
        let pattern = request.pattern.clone().unwrap_or_default();
        let pattern = pattern.to_uppercase();
        let listed = lock(self.script).contracts.clone();

        let matches = listed
            .iter()
            .filter(|each| each.symbol.contains(&pattern) || pattern.starts_with(&each.symbol));
        let samples = wire::SymbolSamples {
            req_id: request.req_id,
            samples: matches
                .map(|each| wire::SymbolSample {
                    contract: Some(contract_of(each, None)),
                })
                .collect(),
        };
        self.send(&frame(outgoing::SYMBOL_SAMPLES, &samples))
    }

    fn tell_head(&mut self, id: i32) -> io::Result<()> {
        let head = lock(self.script).head;
        let Some(head) = head else {
            let text = "Historical Market Data Service error message:No head time stamp";
            return self.send(&message(id, 162, text));
        };
        let answer = wire::HeadTimestamp {
            req_id: Some(id),
            head: Some(head.as_second().to_string()),
        };
        self.send(&frame(outgoing::HEAD_TIMESTAMP, &answer))
    }

    fn send_bars(&mut self, request: &BarsRequest, id: i32, verb: &Verb) -> io::Result<()> {
        let end = end_of(&request.end);
        let Some(start) = start_of(&request.duration, end) else {
            let text = "Error validating request: the duration has no unit of S, D, W, M, Y";
            return self.send(&message(id, 321, text));
        };
        let bars = lock(self.script).bars.clone();
        let mut answer: Vec<Bar> = bars
            .into_iter()
            .filter(|bar| (start..end).contains(&begin_of(bar)))
            .collect();
        if *verb != Verb::Answer {
            answer.truncate(answer.len() / 2);
        }

        let data = wire::HistoricalData {
            req_id: Some(id),
            bars: answer.iter().map(wire_bar).collect(),
        };
        self.send(&frame(outgoing::HISTORICAL_DATA, &data))?;
        match verb {
            Verb::DropMidAnswer => self.stream.shutdown(Shutdown::Both),
            Verb::Truncate => Ok(()),
            _ => {
                let text = |at: Timestamp| at.strftime("%Y%m%d-%H:%M:%S").to_string();
                let message = wire::HistoricalDataEnd {
                    req_id: Some(id),
                    start: Some(text(start)),
                    end: Some(text(end)),
                };
                self.send(&frame(outgoing::HISTORICAL_DATA_END, &message))
            }
        }
    }
}

/// True for a contract that a question can mean: what it leaves out does not matter.
fn is_meant(listed: &Listed, query: &wire::Contract) -> bool {
    let agrees = |wish: &Option<String>, has: &str| {
        let wish = wish.as_deref().unwrap_or_default();
        wish.is_empty() || wish == has
    };
    let exchange = query.exchange.as_deref().unwrap_or_default();

    agrees(&query.symbol, &listed.symbol)
        && agrees(&query.sec_type, &listed.sec_type)
        && agrees(&query.currency, &listed.currency)
        && listed
            .expiry
            .starts_with(query.expiry.as_deref().unwrap_or_default())
        && ["", "SMART", &listed.primary_exchange].contains(&exchange)
}

fn contract_of(listed: &Listed, exchange: Option<&str>) -> wire::Contract {
    let exchange = exchange.filter(|exchange| !exchange.is_empty());
    wire::Contract {
        con_id: Some(listed.con_id),
        symbol: Some(listed.symbol.clone()),
        sec_type: Some(listed.sec_type.clone()),
        expiry: Some(listed.expiry.clone()),
        exchange: Some(exchange.unwrap_or(&listed.primary_exchange).to_owned()),
        primary_exchange: Some(listed.primary_exchange.clone()),
        currency: Some(listed.currency.clone()),
        local_symbol: Some(listed.symbol.clone()),
        trading_class: Some(listed.symbol.clone()),
    }
}

fn begin_of(bar: &Bar) -> Timestamp {
    match bar.label {
        Label::At(instant) => instant,
        Label::On(date) => midnight(date),
    }
}

fn midnight(date: Date) -> Timestamp {
    let midnight = date.to_zoned(TimeZone::UTC);
    midnight.map_or(Timestamp::MAX, |midnight| midnight.timestamp())
}

/// The end of a request: now where it names none.
fn end_of(text: &str) -> Timestamp {
    let parsed = DateTime::strptime("%Y%m%d %H:%M:%S UTC", text);
    let zoned = parsed.and_then(|civil| civil.to_zoned(TimeZone::UTC));
    zoned.map_or_else(|_| Timestamp::now(), |zoned| zoned.timestamp())
}

/// Where a duration begins that counts back from `end`, on a market that never closes: days count
/// with the one that holds the end.
fn start_of(duration: &str, end: Timestamp) -> Option<Timestamp> {
    let (count, unit) = duration.split_once(' ')?;
    let count: i64 = count.parse().ok()?;
    let end_day = end.to_zoned(TimeZone::UTC);
    let first_day = match unit {
        "S" => return end.checked_sub(SignedDuration::from_secs(count)).ok(),
        "D" => end_day.date().checked_sub((count - 1).days()).ok()?,
        "W" => end_day.date().checked_sub((count * 7 - 1).days()).ok()?,
        "M" => end_day.date().checked_sub(count.months()).ok()?,
        "Y" => end_day.date().checked_sub(count.years()).ok()?,
        _ => return None,
    };
    Some(midnight(first_day))
}

fn wire_bar(bar: &Bar) -> wire::HistoricalBar {
    let [open, high, low, close] = bar.prices;
    let date = match bar.label {
        Label::At(instant) => instant.as_second().to_string(),
        Label::On(date) => date.strftime("%Y%m%d").to_string(),
    };

    wire::HistoricalBar {
        date: Some(date),
        open: Some(open),
        high: Some(high),
        low: Some(low),
        close: Some(close),
        volume: Some(bar.volume.to_string()),
        wap: Some("0".to_owned()),
        count: Some(-1),
    }
}
