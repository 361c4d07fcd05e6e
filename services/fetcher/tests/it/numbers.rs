//! Numbers that look random and are the same in each run.

/// Where they begin, and where they are.
pub struct Numbers(pub u64);

impl Numbers {
    /// The next one, below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
