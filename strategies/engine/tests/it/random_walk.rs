//! Random bars of every kind that a market or a broken feed may give, and random legal parameters,
//! from a seed.

use strategies::indicators::{Bar, Indicator, IndicatorSpec, ParameterKind, Value};

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
        let usual: &[f64] = &[1.0, 100.0, 1.0, 100.0, 1.3];
        let wide: &[f64] = &[1.0, 100.0, 1.3, 1e-8, 1e12, 1e-300, 1e300];
        let wild: &[f64] = &[
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
        let scales = [usual, wide, wide, wild][self.below(4)];
        let mut price = scales[self.below(scales.len())];
        let (mut flat, mut silent, gaps) = (0, 0, self.bits() & 1 == 0);
        let mut walk = Vec::with_capacity(rows);
        for _ in 0..rows {
            match self.below(60) {
                0 => flat = self.below(30),
                1 => silent = self.below(30),
                2 => price *= 1.0 + self.share(),
                3 => price = scales[self.below(scales.len())],
                _ => {}
            }
            let step = if flat > 0 { 0.0 } else { 0.02 };
            flat = usize::saturating_sub(flat, 1);
            let open = price;
            price *= 1.0 + step * (self.share() - 0.5);
            let (above, below) = (open.max(price), open.min(price));
            let high = above + above.abs() * (step * self.share() * 0.5);
            let low = below - below.abs() * (step * self.share() * 0.5);
            let volume = if silent > 0 {
                0.0
            } else {
                (self.share() * 1e6).floor()
            };
            silent = usize::saturating_sub(silent, 1);
            let mut bar = Bar {
                open,
                high,
                low,
                close: price,
                volume,
            };
            match if gaps { self.below(120) } else { 120 } {
                0 => bar.close = f64::NAN,
                1 => bar.volume = f64::NAN,
                2 => bar.high = f64::INFINITY,
                3 => {
                    bar = Bar {
                        open: f64::NAN,
                        high: f64::NAN,
                        low: f64::NAN,
                        close: f64::NAN,
                        volume: f64::NAN,
                    };
                }
                4 => bar.low = f64::NEG_INFINITY,
                5 => (bar.high, bar.low) = (bar.low, bar.high),
                6 => bar.volume = -1.0,
                7 => bar.volume = 1e308,
                _ => {}
            }
            walk.push(bar);
        }
        walk
    }

    /// The type with legal parameters, periods short enough for a short walk.
    pub fn indicator(&mut self, spec: &'static IndicatorSpec) -> Indicator {
        self.indicator_within(spec, 9)
    }

    /// The type with legal parameters, each whole number one of its lowest `choices`.
    pub fn indicator_within(&mut self, spec: &'static IndicatorSpec, choices: usize) -> Indicator {
        let value = |parameter: &ParameterKind, random: &mut Self| match *parameter {
            ParameterKind::Integer { min, max, .. } => {
                Value::Integer(min + random.below(choices.min((max - min + 1) as usize)) as i64)
            }
            ParameterKind::Float { min, max, .. } => {
                Value::Float(max - (max - min) * random.share())
            }
            ParameterKind::Boolean { .. } => Value::Boolean(random.bits() & 1 == 0),
            ParameterKind::Choice { options, .. } => {
                Value::Text(options[random.below(options.len())].to_owned())
            }
        };
        let parameters = spec
            .parameters
            .iter()
            .map(|each| (each.name.to_owned(), value(&each.kind, self)))
            .collect();
        Indicator::new(spec, &parameters).unwrap()
    }
}
