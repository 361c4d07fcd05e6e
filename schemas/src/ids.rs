//! Identifiers: every id and every token of a subject is its own type, valid by construction.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Longest plan: more work is one step over a list.
pub const STEPS_MAX: usize = 32;

/// Numbers from here on are those of children, so that an id says by itself that it is one.
const CHILD_NUMBERS: u32 = 0xf000_0000;

/// Characters of a host name in the id of a worker.
const HOST_CHARACTERS_MAX: usize = 20;

/// Text that is not a valid identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: expected {expected}")]
pub struct InvalidId {
    /// Which kind of identifier was expected.
    pub what: &'static str,
    /// The text that is not one.
    pub text: String,
    /// The form it should have.
    pub expected: &'static str,
}

/// 1 to `max` of `[a-z0-9_-]`: text that cannot break a subject.
pub(crate) fn is_token(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
}

/// A kind of operation inside an id: 1 to 16 of `[a-z0-9]`.
fn is_kind(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !text.is_empty() && text.len() <= 16 && text.bytes().all(is_allowed)
}

fn is_digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_hex(text: &str, length: usize) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == length && text.bytes().all(is_allowed)
}

/// `op_<kind>_<yyyymmdd>_<hhmmss>_<8 hex>` in UTC, made by the client: publishing twice is one
/// operation. The number begins with `f` for a child, an operation that another one has made, and
/// with any other digit for all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperationId(String);

impl OperationId {
    const EXPECTED: &'static str = "op_<kind>_<yyyymmdd>_<hhmmss>_<8 hex digits>";

    /// The id of an operation of `kind` submitted at `now`; `random` distinguishes those of
    /// one second.
    pub fn new(kind: &str, now: Timestamp, random: u32) -> Result<Self, InvalidId> {
        let civil = now.to_zoned(TimeZone::UTC);
        let number = random % CHILD_NUMBERS;
        format!("op_{kind}_{}_{number:08x}", civil.strftime("%Y%m%d_%H%M%S")).parse()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The day inside the id, `yyyymmdd`: the first token of the record's key.
    pub fn day(&self) -> &str {
        self.0.split('_').nth(2).unwrap_or_default()
    }

    /// The kind inside the id.
    pub fn kind(&self) -> &str {
        self.0.split('_').nth(1).unwrap_or_default()
    }

    /// The time inside the id, `hhmmss`.
    pub fn time(&self) -> &str {
        self.0.split('_').nth(3).unwrap_or_default()
    }

    /// The number at the end of the id.
    pub fn number(&self) -> u32 {
        let digits = self.0.split('_').nth(4).unwrap_or_default();
        u32::from_str_radix(digits, 16).unwrap_or_default()
    }

    /// True for the id of a child: of an operation that another one has made.
    pub fn is_child(&self) -> bool {
        self.number() >= CHILD_NUMBERS
    }

    /// The id of the child at `index`, from 0: day and time of the parent, and the numbers that
    /// follow its own, with an `f` in front. Whoever derives it gets the same, so that creating a
    /// child twice is one operation.
    pub fn child(&self, kind: &str, index: u32) -> Result<Self, InvalidId> {
        let number = self.number().wrapping_add(1).wrapping_add(index) | CHILD_NUMBERS;
        let day = self.day();
        let time = self.time();
        format!("op_{kind}_{day}_{time}_{number:08x}").parse()
    }

    /// True for an id that one of the first `children` children of `parent` would have, of
    /// whatever kind.
    pub fn may_be_child_of(&self, parent: &Self, children: u32) -> bool {
        let distance = self.number().wrapping_sub(parent.number()) & !CHILD_NUMBERS;
        let is_same_second = self.day() == parent.day() && self.time() == parent.time();
        self.is_child() && is_same_second && (1..=children).contains(&distance)
    }
}

impl FromStr for OperationId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('_').collect();
        // Exact, since ids become tokens of subjects and names of folders.
        let is_valid = match parts.as_slice() {
            ["op", kind, day, time, random] => {
                is_kind(kind) && is_digits(day, 8) && is_digits(time, 6) && is_hex(random, 8)
            }
            _ => false,
        };

        if is_valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                what: "operation id",
                text: text.to_owned(),
                expected: Self::EXPECTED,
            })
        }
    }
}

/// A worker process: new at every process start, `[a-z0-9_-]`, at most 48 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkerId(String);

impl WorkerId {
    /// `<service>-<host>-<pid>-<4 hex>`; the host name is reduced to the token alphabet and
    /// shortened.
    pub fn new(service: Service, host: &str, pid: u32, random: u16) -> Self {
        let host = host.to_ascii_lowercase();

        // With the longest service, process id and number it stays below 48 characters.
        let host = host.chars().take(HOST_CHARACTERS_MAX);
        let host: String = host
            .map(|each| {
                if each.is_ascii_alphanumeric() {
                    each
                } else {
                    '-'
                }
            })
            .collect();
        Self(format!("{service}-{host}-{pid}-{random:04x}"))
    }

    /// The name under which a housekeeper sends signs of life to itself.
    pub fn echo(random: u32) -> Self {
        Self(format!("housekeeper-{random:08x}"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WorkerId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_token(text, 48) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                what: "worker id",
                text: text.to_owned(),
                expected: "1 to 48 of [a-z0-9_-]",
            })
        }
    }
}

/// 1-based ordinal of a step in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct StepNumber(u16);

impl StepNumber {
    /// The first step.
    pub const FIRST: Self = Self(1);

    /// Accepts 1 to [`STEPS_MAX`].
    pub fn new(number: usize) -> Result<Self, InvalidId> {
        match u16::try_from(number) {
            Ok(small) if (1..=STEPS_MAX).contains(&number) => Ok(Self(small)),
            _ => Err(InvalidId {
                what: "step number",
                text: number.to_string(),
                expected: "1 to 32",
            }),
        }
    }

    /// The number itself, 1-based.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// 0-based position in the list of all steps.
    pub const fn index(self) -> usize {
        self.0 as usize - 1
    }
}

impl FromStr for StepNumber {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text.parse().unwrap_or(0)).map_err(|error| InvalidId {
            text: text.to_owned(),
            ..error
        })
    }
}

impl TryFrom<u16> for StepNumber {
    type Error = InvalidId;

    fn try_from(number: u16) -> Result<Self, Self::Error> {
        Self::new(usize::from(number))
    }
}

impl From<StepNumber> for u16 {
    fn from(number: StepNumber) -> Self {
        number.0
    }
}

macro_rules! text_conversions {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )*};
}
text_conversions!(OperationId, WorkerId);

impl fmt::Display for StepNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// Declares an enum whose variants are subject tokens.
macro_rules! token_enum {
    (
        $(#[$doc:meta])*
        $name:ident, $what:literal, $expected:literal {
            $($(#[$variant_doc:meta])* $variant:ident = $token:literal),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name {
            $($(#[$variant_doc])* $variant),*
        }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The token used in subjects and on screen.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $token),*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let value = Self::ALL.iter().copied().find(|each| each.as_str() == text);
                value.ok_or_else(|| InvalidId {
                    what: $what,
                    text: text.to_owned(),
                    expected: $expected,
                })
            }
        }
    };
}

token_enum!(
    /// A service that handles steps.
    Service, "service", "fetcher, validator, processor, trainer, registry, family or dummy" {
    /// Provider bars → stored series.
    Fetcher = "fetcher",
    /// Stored series → quality report.
    Validator = "validator",
    /// Series and strategy → data set.
    Processor = "processor",
    /// Data set → model artifact.
    Trainer = "trainer",
    /// Artifact → named model version.
    Registry = "registry",
    /// A list of operations → children of one operation.
    Family = "family",
    /// The reference service.
    Dummy = "dummy",
});

token_enum!(
    /// A queue of a service: who may take a step.
    Lane, "lane", "default, gpu, background or live" {
    /// Any worker.
    Default = "default",
    /// Only workers with a GPU.
    Gpu = "gpu",
    /// Work that may wait.
    Background = "background",
    /// Steps that wait most of the time, for days: they take no slot from the others.
    Live = "live",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_id_reads_back_its_kind_and_day() {
        let now: Timestamp = "2026-03-01T14:22:33Z".parse().unwrap();

        let id = OperationId::new("train", now, 0x9f3a_01bc).unwrap();

        assert_eq!(id.as_str(), "op_train_20260301_142233_9f3a01bc");
        assert_eq!((id.kind(), id.day()), ("train", "20260301"));
    }

    #[test]
    fn children_follow_their_parent_in_the_numbers_of_one_second() {
        let parent: OperationId = "op_family_20260301_142233_2ffffffe".parse().unwrap();

        // 2ffffffe + 1 is 2fffffff, and after it the numbers begin at 0 again, behind the f.
        let children = [0, 1, 2].map(|index| parent.child("data", index).unwrap());

        assert_eq!(
            children.each_ref().map(OperationId::as_str),
            [
                "op_data_20260301_142233_ffffffff",
                "op_data_20260301_142233_f0000000",
                "op_data_20260301_142233_f0000001"
            ]
        );
        let [first, second, third] = children;
        assert!(first.may_be_child_of(&parent, 2) && second.may_be_child_of(&parent, 2));
        assert!(!third.may_be_child_of(&parent, 2) && !parent.may_be_child_of(&parent, 2));
        let next_second = "op_data_20260301_142234_ffffffff".parse::<OperationId>();
        assert!(!next_second.unwrap().may_be_child_of(&parent, 2));
        let no_child = "op_data_20260301_142233_2fffffff".parse::<OperationId>();
        assert!(!no_child.unwrap().may_be_child_of(&parent, 2));
    }

    proptest::proptest! {
        #[test]
        fn an_id_says_whether_it_is_that_of_a_child(random: u32, index in 0_u32..100_000) {
            let parent = OperationId::new("family", Timestamp::UNIX_EPOCH, random).unwrap();

            let child = parent.child("data", index).unwrap();

            assert!(!parent.is_child() && child.is_child());
            assert!(child.may_be_child_of(&parent, index + 1));
            assert!(!child.may_be_child_of(&parent, index));
        }
    }

    #[test]
    fn text_that_could_break_a_subject_is_not_an_operation_id() {
        for text in [
            "",
            "op",
            "op_a.b_20260301_142233_9f3a01bc",
            "op_train_2026_142233_9f3a01bc",
            "op_train_20260301_142233_XYZ",
            "op__20260301_142233_9f3a01bc",
        ] {
            assert!(text.parse::<OperationId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_worker_id_is_a_token_whatever_the_host_is_called() {
        let id = WorkerId::new(
            Service::Registry,
            "Köln.Büro-7.example.internal.corp",
            4_194_304,
            0xffff,
        );
        assert!(is_token(id.as_str(), 48), "{id}");
    }

    #[test]
    fn steps_count_from_one_to_thirty_two() {
        assert!(StepNumber::new(0).is_err());
        assert!(StepNumber::new(33).is_err());
        assert_eq!(StepNumber::new(32).unwrap().index(), 31);
    }
}
