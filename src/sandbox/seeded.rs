//! Numbers that depend on nothing but the seed and what they are for, so that the same seed gives the same LinkedIn.

/// SplitMix64's finaliser.
fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number for a purpose (`salt`) and an index.
pub(super) fn mix(seed: u64, salt: u64, index: u64) -> u64 {
    let seed = scramble(seed.wrapping_add(0x9e37_79b9_7f4a_7c15));
    scramble(
        scramble(seed ^ salt.wrapping_mul(0xd6e8_feb8_6659_fd93))
            .wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    )
}

/// A number below `bound` (0 for a bound of 0).
pub(super) fn below(seed: u64, salt: u64, index: u64, bound: u64) -> u64 {
    if bound == 0 {
        0
    } else {
        mix(seed, salt, index) % bound
    }
}

/// One of a list; the lists are the module's own and never empty.
pub(super) fn pick<T: Copy>(list: &[T], number: u64, otherwise: T) -> T {
    let index = (number % list.len().max(1) as u64) as usize;
    list.get(index).copied().unwrap_or(otherwise)
}

/// `length` characters of base64url text.
pub(super) fn text(seed: u64, salt: u64, index: u64, length: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..length as u64)
        .map(|at| {
            char::from(pick(
                ALPHABET,
                mix(seed, salt ^ index.rotate_left(17), at),
                b'A',
            ))
        })
        .collect()
}
