//! Classes of instruments: what kind of thing is traded.

use std::fmt;

use super::error::InstrumentError;

/// What kind of thing is traded; decides calendar, price kind and day boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssetClass {
    /// A share or a fund that trades like one on an exchange, prefix `stk:`.
    Stock,
    /// A fund, where the user says so: `fund:VFIAX`, `fund:SPY`.
    Fund,
    /// An index or a contract for difference on one, prefix `idx:`.
    Index,
    /// A spot currency pair, prefix `fx:`.
    Fx,
    /// Gold, silver, platinum or palladium against a currency, prefix `metal:`.
    Metal,
    /// A future: one expiry, or the continuous series of a root; prefix `fut:`.
    Future,
    /// A crypto pair on the spot market, prefix `crypto:`.
    Crypto,
    /// A crypto future that never expires, prefix `perp:`.
    Perpetual,
}

impl AssetClass {
    /// Every class of instrument.
    pub const ALL: [Self; 8] = [
        Self::Stock,
        Self::Fund,
        Self::Index,
        Self::Fx,
        Self::Metal,
        Self::Future,
        Self::Crypto,
        Self::Perpetual,
    ];

    /// The prefix people write, without the colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stock => "stk",
            Self::Fund => "fund",
            Self::Index => "idx",
            Self::Fx => "fx",
            Self::Metal => "metal",
            Self::Future => "fut",
            Self::Crypto => "crypto",
            Self::Perpetual => "perp",
        }
    }

    /// What a thing of this class is called in a sentence.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Stock => "share",
            Self::Fund => "fund",
            Self::Index => "index",
            Self::Fx => "currency pair",
            Self::Metal => "metal pair",
            Self::Future => "future",
            Self::Crypto => "crypto pair",
            Self::Perpetual => "crypto perpetual",
        }
    }

    /// The noun with its article: `a share`, `an index`.
    pub fn with_article(self) -> String {
        let noun = self.noun();
        let article = if noun.starts_with('i') { "an" } else { "a" };
        format!("{article} {noun}")
    }

    /// True for classes whose names are pairs, `BASE.QUOTE`.
    pub const fn is_pair(self) -> bool {
        matches!(
            self,
            Self::Fx | Self::Metal | Self::Crypto | Self::Perpetual
        )
    }

    /// True for markets whose trades are counted: elsewhere a volume of 0 says that there is none.
    pub const fn has_volume(self) -> bool {
        !matches!(self, Self::Fx | Self::Metal | Self::Index)
    }

    /// The class of a prefix, in any case.
    pub(super) fn from_prefix(prefix: &str) -> Result<Self, InstrumentError> {
        let mut classes = Self::ALL.into_iter();
        let class = classes.find(|class| class.as_str().eq_ignore_ascii_case(prefix));
        class.ok_or_else(|| InstrumentError::Class(prefix.to_ascii_lowercase()))
    }
}

impl fmt::Display for AssetClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
