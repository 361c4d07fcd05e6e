//! The few messages that a TWS needs to answer questions about history, with the numbers of their
//! fields, and the frames that they travel in.

use std::io::{self, Read, Write};

use prost::Message;

/// What is added to the number of a message whose content is protobuf.
const PROTOBUF: i32 = 200;
/// Bytes of a frame, at most, as both sides demand.
const FRAME_BYTES_MAX: usize = 0x00FF_FFFF;

/// Numbers of the messages that come in.
pub mod incoming {
    /// A request for the details of contracts.
    pub const CONTRACT_DATA: i32 = 9;
    /// A request for bars.
    pub const HISTORICAL_DATA: i32 = 20;
    /// The end of interest in bars.
    pub const CANCEL_HISTORICAL_DATA: i32 = 25;
    /// A question for the time.
    pub const CURRENT_TIME: i32 = 49;
    /// The client names itself.
    pub const START_API: i32 = 71;
    /// A search for contracts.
    pub const MATCHING_SYMBOLS: i32 = 81;
    /// A question for the first instant of a history.
    pub const HEAD_TIMESTAMP: i32 = 87;
    /// The end of interest in that.
    pub const CANCEL_HEAD_TIMESTAMP: i32 = 90;
}

/// Numbers of the messages that go out.
pub mod outgoing {
    /// A numbered message in words.
    pub const ERROR: i32 = 4;
    /// The next id of an order, which ends the greeting.
    pub const NEXT_VALID_ID: i32 = 9;
    /// Details of a contract.
    pub const CONTRACT_DATA: i32 = 10;
    /// The accounts of the login.
    pub const MANAGED_ACCOUNTS: i32 = 15;
    /// Bars of a contract.
    pub const HISTORICAL_DATA: i32 = 17;
    /// The time of the gateway.
    pub const CURRENT_TIME: i32 = 49;
    /// The end of the details.
    pub const CONTRACT_DATA_END: i32 = 52;
    /// Contracts that a search has found.
    pub const SYMBOL_SAMPLES: i32 = 79;
    /// The first instant of a history.
    pub const HEAD_TIMESTAMP: i32 = 88;
    /// The end of the bars.
    pub const HISTORICAL_DATA_END: i32 = 108;
}

/// Something that is traded.
#[derive(Clone, PartialEq, Message)]
pub struct Contract {
    /// The number that names it.
    #[prost(int32, optional, tag = "1")]
    pub con_id: Option<i32>,
    /// Its symbol there.
    #[prost(string, optional, tag = "2")]
    pub symbol: Option<String>,
    /// Its kind, such as `STK`.
    #[prost(string, optional, tag = "3")]
    pub sec_type: Option<String>,
    /// Its month or day of expiry.
    #[prost(string, optional, tag = "4")]
    pub expiry: Option<String>,
    /// Where a request for it goes.
    #[prost(string, optional, tag = "8")]
    pub exchange: Option<String>,
    /// Where it is listed.
    #[prost(string, optional, tag = "9")]
    pub primary_exchange: Option<String>,
    /// What it is priced in.
    #[prost(string, optional, tag = "10")]
    pub currency: Option<String>,
    /// The exchange's name of it.
    #[prost(string, optional, tag = "11")]
    pub local_symbol: Option<String>,
    /// The class that it trades in.
    #[prost(string, optional, tag = "12")]
    pub trading_class: Option<String>,
}

/// The client names itself.
#[derive(Clone, PartialEq, Message)]
pub struct StartApi {
    /// Number of the client.
    #[prost(int32, optional, tag = "1")]
    pub client_id: Option<i32>,
}

/// A message with one number: the next order id, the end of details, the time.
#[derive(Clone, PartialEq, Message)]
pub struct Number {
    /// What it says.
    #[prost(int64, optional, tag = "1")]
    pub value: Option<i64>,
}

/// The accounts of a login.
#[derive(Clone, PartialEq, Message)]
pub struct ManagedAccounts {
    /// Their names, with commas.
    #[prost(string, optional, tag = "1")]
    pub accounts: Option<String>,
}

/// A question for the details of contracts.
#[derive(Clone, PartialEq, Message)]
pub struct ContractDataRequest {
    /// Number of the request.
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    /// What is asked for.
    #[prost(message, optional, tag = "2")]
    pub contract: Option<Contract>,
}

/// The details of a contract.
#[derive(Clone, PartialEq, Message)]
pub struct ContractData {
    /// Number of the request.
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    /// Which contract it is.
    #[prost(message, optional, tag = "2")]
    pub contract: Option<Contract>,
    /// What else is known of it.
    #[prost(message, optional, tag = "3")]
    pub details: Option<ContractDetails>,
}

/// What else is known of a contract.
#[derive(Clone, PartialEq, Message)]
pub struct ContractDetails {
    /// Name of its market.
    #[prost(string, optional, tag = "1")]
    pub market_name: Option<String>,
    /// Its smallest step of price.
    #[prost(string, optional, tag = "2")]
    pub min_tick: Option<String>,
}

/// A search for contracts.
#[derive(Clone, PartialEq, Message)]
pub struct MatchingSymbolsRequest {
    /// Number of the request.
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    /// The text that is searched for.
    #[prost(string, optional, tag = "2")]
    pub pattern: Option<String>,
}

/// Contracts that a search has found.
#[derive(Clone, PartialEq, Message)]
pub struct SymbolSamples {
    /// Number of the request.
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    /// One for each contract.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<SymbolSample>,
}

/// One contract of a search.
#[derive(Clone, PartialEq, Message)]
pub struct SymbolSample {
    /// Which contract it is.
    #[prost(message, optional, tag = "1")]
    pub contract: Option<Contract>,
}

/// A question for the first instant of a history.
#[derive(Clone, PartialEq, Message)]
pub struct HeadTimestampRequest {
    /// Number of the request.
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    /// Whose history it is.
    #[prost(message, optional, tag = "2")]
    pub contract: Option<Contract>,
    /// Regular hours only.
    #[prost(bool, optional, tag = "3")]
    pub use_rth: Option<bool>,
    /// Which price is meant.
    #[prost(string, optional, tag = "4")]
    pub what_to_show: Option<String>,
}

/// The first instant of a history.
#[derive(Clone, PartialEq, Message)]
pub struct HeadTimestamp {
    /// Number of the request.
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    /// Seconds since 1970, as text.
    #[prost(string, optional, tag = "2")]
    pub head: Option<String>,
}

/// A request for bars.
#[derive(Clone, PartialEq, Message)]
pub struct HistoricalDataRequest {
    /// Number of the request.
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    /// Whose bars they are.
    #[prost(message, optional, tag = "2")]
    pub contract: Option<Contract>,
    /// Their end, `YYYYMMDD HH:MM:SS UTC`; empty for now.
    #[prost(string, optional, tag = "3")]
    pub end: Option<String>,
    /// Length of a bar in words.
    #[prost(string, optional, tag = "4")]
    pub bar_size: Option<String>,
    /// How far back.
    #[prost(string, optional, tag = "5")]
    pub duration: Option<String>,
    /// Regular hours only.
    #[prost(bool, optional, tag = "6")]
    pub use_rth: Option<bool>,
    /// Which price is meant.
    #[prost(string, optional, tag = "7")]
    pub what_to_show: Option<String>,
}

/// Bars of a contract.
#[derive(Clone, PartialEq, Message)]
pub struct HistoricalData {
    /// Number of the request.
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    /// One for each bar.
    #[prost(message, repeated, tag = "2")]
    pub bars: Vec<HistoricalBar>,
}

/// One of the bars.
#[derive(Clone, PartialEq, Message)]
pub struct HistoricalBar {
    /// Seconds since 1970, or a date as `YYYYMMDD`.
    #[prost(string, optional, tag = "1")]
    pub date: Option<String>,
    /// The first price.
    #[prost(double, optional, tag = "2")]
    pub open: Option<f64>,
    /// The highest price.
    #[prost(double, optional, tag = "3")]
    pub high: Option<f64>,
    /// The lowest price.
    #[prost(double, optional, tag = "4")]
    pub low: Option<f64>,
    /// The last price.
    #[prost(double, optional, tag = "5")]
    pub close: Option<f64>,
    /// Volume; -1 where there is none.
    #[prost(string, optional, tag = "6")]
    pub volume: Option<String>,
    /// The mean price.
    #[prost(string, optional, tag = "7")]
    pub wap: Option<String>,
    /// Number of trades.
    #[prost(int32, optional, tag = "8")]
    pub count: Option<i32>,
}

/// The end of the bars.
#[derive(Clone, PartialEq, Message)]
pub struct HistoricalDataEnd {
    /// Number of the request.
    #[prost(int32, optional, tag = "1")]
    pub req_id: Option<i32>,
    /// Where the bars begin, `YYYYMMDD-HH:MM:SS`.
    #[prost(string, optional, tag = "2")]
    pub start: Option<String>,
    /// Where they end.
    #[prost(string, optional, tag = "3")]
    pub end: Option<String>,
}

/// A numbered message in words.
#[derive(Clone, PartialEq, Message)]
pub struct ErrorMessage {
    /// Number of the request, or -1.
    #[prost(int32, optional, tag = "1")]
    pub id: Option<i32>,
    /// When, in milliseconds.
    #[prost(int64, optional, tag = "2")]
    pub time: Option<i64>,
    /// Number of its kind.
    #[prost(int32, optional, tag = "3")]
    pub code: Option<i32>,
    /// What it says.
    #[prost(string, optional, tag = "4")]
    pub text: Option<String>,
}

/// A message as bytes with its length.
pub fn frame(number: i32, message: &impl Message) -> Vec<u8> {
    let mut content = (number + PROTOBUF).to_be_bytes().to_vec();
    content.extend(message.encode_to_vec());
    framed(&content)
}

/// Bytes with their length before them.
pub fn framed(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes
}

/// The content of the next frame.
///
/// # Errors
/// The connection ends, or the frame is too long.
pub fn read_frame(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > FRAME_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }

    let mut content = vec![0; length];
    stream.read_exact(&mut content)?;
    Ok(content)
}

/// The number and the content of the next message.
///
/// # Errors
/// The connection ends, or the frame has no number.
pub fn read_message(stream: &mut impl Read) -> io::Result<(i32, Vec<u8>)> {
    let mut content = read_frame(stream)?;
    let Some(number) = content.first_chunk::<4>() else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let number = i32::from_be_bytes(*number) - PROTOBUF;
    Ok((number, content.split_off(4)))
}

/// Reads a message that has been received.
///
/// # Errors
/// It is another message.
pub fn decode<M: Message + Default>(content: &[u8]) -> io::Result<M> {
    M::decode(content).map_err(io::Error::other)
}

/// Writes bytes and flushes them.
///
/// # Errors
/// The connection has ended.
pub fn write(stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}
