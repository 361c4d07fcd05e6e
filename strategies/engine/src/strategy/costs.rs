//! What a trade costs, as the strategy states it. Nothing is assumed where it states nothing.

use market::Instrument;

/// The `costs` section.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    /// Of every instrument without costs of its own.
    pub general: TradeCosts,
    /// Of instruments that differ, in file order.
    pub by_symbol: Vec<(Instrument, TradeCosts)>,
}

/// The costs of a trade of one instrument, as fractions of the price: 0.0001 is one basis point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TradeCosts {
    /// Of a side: paid to enter, and once more to leave.
    pub commission: f64,
    /// Between bid and ask: half of it is paid to enter, the other half to leave.
    pub spread: f64,
    /// Of a side: by how much worse than at the quoted price an order is filled.
    pub slippage: f64,
}

impl Costs {
    /// The costs of an instrument.
    pub fn of(&self, symbol: &Instrument) -> TradeCosts {
        let mut by_symbol = self.by_symbol.iter();
        let own_costs = by_symbol.find(|(other, _)| other == symbol);
        own_costs.map_or(self.general, |(_, costs)| *costs)
    }
}
