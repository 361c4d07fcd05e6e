//! Damaged bytes by a seed: bits flipped, pieces cut out, repeated, put elsewhere, numbers at their
//! limits. The same seed damages in the same way.

/// Most damages of one text.
const DAMAGES_MAX: usize = 5;
/// Signs that a number or a frame is not ready for.
const LIMITS: [&[u8]; 10] = [
    b"-1",
    b"0",
    b"1e308",
    b"-1e-308",
    b"99999999999999999999",
    b"9223372036854775807",
    b"null",
    b"[]",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
];

/// These bytes with one to five damages.
pub fn damaged(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut random = Random(seed | 1);
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(DAMAGES_MAX) {
        damage_once(&mut bytes, &mut random);
    }
    bytes
}

fn damage_once(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        bytes.push(random.byte());
        return;
    }
    let place = random.below(bytes.len());
    let end = (place + 1 + random.below(32)).min(bytes.len());

    match random.below(8) {
        0 | 1 => {
            let flip = 1 << random.below(8);
            let byte = bytes.get(place).copied().unwrap_or_default();
            bytes.splice(place..=place, [byte ^ flip]);
        }
        2 => drop(bytes.splice(place..=place, [random.byte()])),
        3 => drop(bytes.drain(place..end)),
        4 => {
            let piece = bytes.get(place..end).unwrap_or_default().to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, piece);
        }
        5 | 6 => {
            let limit = LIMITS.get(random.below(LIMITS.len())).copied();
            bytes.splice(place..end, limit.unwrap_or_default().iter().copied());
        }
        _ => bytes.truncate(place),
    }
}

/// xorshift64*: enough randomness for this.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn byte(&mut self) -> u8 {
        self.next()
            .to_be_bytes()
            .first()
            .copied()
            .unwrap_or_default()
    }

    /// A number below `end`, which is above 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0) % end
    }
}
