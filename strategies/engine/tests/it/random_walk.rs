//! Random bars of every kind that a market or a broken feed may give, and random legal parameters,
//! from a seed.

use strategies::indicators::{Bar, Indicator, IndicatorSpec, ParameterKind, Value};

const ORDINARY_PRICES: &[f64] = &[1.0, 100.0, 1.0, 100.0, 1.3];

const WIDE_PRICES: &[f64] = &[1.0, 100.0, 1.3, 1e-8, 1e12, 1e-300, 1e300];

const WILD_PRICES: &[f64] = &[
    1.0,
    100.0,
    -1.0,
    -100.0,
    0.0,
    5e-324,
    1e300,
    -1e300,
    1e308,
    -1e308,
    f64::MAX,
    f64::MIN,
];

const MISSING_BAR: Bar = Bar {
    open: f64::NAN,
    high: f64::NAN,
    low: f64::NAN,
    close: f64::NAN,
    volume: f64::NAN,
};

/// Steele's SplitMix64: small, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to 1.
    pub fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.share() * limit as f64) as usize
    }

    /// A walk with jumps, flat runs and runs without volume; in every other walk with missing bars,
    /// missing and infinite fields and highs below lows. One walk of four keeps to ordinary prices;
    /// two change their order of magnitude on the way, from 1e-300 to 1e300; one also passes
    /// through zero, negative prices and those at which a sum of two is infinite.
    pub fn walk(&mut self, rows: usize) -> Vec<Bar> {
        let scales = [ORDINARY_PRICES, WIDE_PRICES, WIDE_PRICES, WILD_PRICES][self.below(4)];
        let mut price = scales[self.below(scales.len())];
        let mut flat_bars = 0_usize;
        let mut silent_bars = 0_usize;
        let has_faults = self.bits() & 1 == 0;

        let mut walk = Vec::with_capacity(rows);
        for _ in 0..rows {
            match self.below(60) {
                0 => flat_bars = self.below(30),
                1 => silent_bars = self.below(30),
                2 => price *= 1.0 + self.share(),
                3 => price = scales[self.below(scales.len())],
                _ => {}
            }
            let mut bar = self.next_bar(price, flat_bars > 0, silent_bars > 0);
            price = bar.close;
            flat_bars = flat_bars.saturating_sub(1);
            silent_bars = silent_bars.saturating_sub(1);

            if has_faults {
                self.damage(&mut bar);
            }
            walk.push(bar);
        }
        walk
    }

    /// A bar that opens at `price`.
    fn next_bar(&mut self, price: f64, is_flat: bool, is_silent: bool) -> Bar {
        let step = if is_flat { 0.0 } else { 0.02 };
        let close = price * (1.0 + step * (self.share() - 0.5));
        let above = price.max(close);
        let below = price.min(close);

        Bar {
            open: price,
            high: above + above.abs() * (step * self.share() * 0.5),
            low: below - below.abs() * (step * self.share() * 0.5),
            close,
            volume: if is_silent {
                0.0
            } else {
                (self.share() * 1e6).floor()
            },
        }
    }

    /// One bar of fifteen gets a fault of a broken feed.
    fn damage(&mut self, bar: &mut Bar) {
        match self.below(120) {
            0 => bar.close = f64::NAN,
            1 => bar.volume = f64::NAN,
            2 => bar.high = f64::INFINITY,
            3 => *bar = MISSING_BAR,
            4 => bar.low = f64::NEG_INFINITY,
            5 => std::mem::swap(&mut bar.high, &mut bar.low),
            6 => bar.volume = -1.0,
            7 => bar.volume = 1e308,
            _ => {}
        }
    }

    /// The type with legal parameters, periods short enough for a short walk.
    pub fn indicator(&mut self, spec: &'static IndicatorSpec) -> Indicator {
        self.indicator_within(spec, 9)
    }

    /// The type with legal parameters, each whole number one of its lowest `choices`.
    pub fn indicator_within(&mut self, spec: &'static IndicatorSpec, choices: usize) -> Indicator {
        let parameters = spec
            .parameters
            .iter()
            .map(|each| (each.name.to_owned(), self.legal_value(&each.kind, choices)))
            .collect();
        Indicator::new(spec, &parameters).unwrap()
    }

    fn legal_value(&mut self, kind: &ParameterKind, choices: usize) -> Value {
        match *kind {
            ParameterKind::Integer { min, max, .. } => {
                let choices = choices.min((max - min + 1) as usize);
                Value::Integer(min + self.below(choices) as i64)
            }
            // Towards the greatest value, which is always legal.
            ParameterKind::Float { min, max, .. } => Value::Float(max - (max - min) * self.share()),
            ParameterKind::Boolean { .. } => Value::Boolean(self.bits() & 1 == 0),
            ParameterKind::Choice { options, .. } => {
                Value::Text(options[self.below(options.len())].to_owned())
            }
        }
    }
}
