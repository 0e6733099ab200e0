//! A secret that is compared without telling anything, and never shown.

use std::fmt;
use subtle::ConstantTimeEq;

/// Longest secret, in bytes.
pub const MAX_SECRET_BYTES: usize = 256;

/// A password or a token. Its `Debug` hides it.
///
/// It stands padded in a block, and so is every guess: all comparisons take the same time, whatever the
/// secret, its length and the place of the first wrong byte. Copying the guess takes longer the longer
/// the guess is, which whoever sent it knows already.
pub struct Secret {
    block: [u8; MAX_SECRET_BYTES],
    length: usize,
}

impl Secret {
    /// `None` when `bytes` are none, or more than [`MAX_SECRET_BYTES`].
    pub fn new(bytes: &[u8]) -> Option<Secret> {
        (1..=MAX_SECRET_BYTES)
            .contains(&bytes.len())
            .then(|| Secret {
                block: padded(bytes),
                length: bytes.len(),
            })
    }

    /// True when `guess` is the secret.
    pub fn is(&self, guess: &[u8]) -> bool {
        let is_same = self.block.ct_eq(&padded(guess)) & self.length.ct_eq(&guess.len());
        is_same.into()
    }
}

fn padded(bytes: &[u8]) -> [u8; MAX_SECRET_BYTES] {
    let mut block = [0; MAX_SECRET_BYTES];
    let length = bytes.len().min(MAX_SECRET_BYTES);
    block[..length].copy_from_slice(&bytes[..length]);
    block
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_same_bytes_are_the_secret() {
        let secret = Secret::new(b"open sesame").expect("a secret");
        assert!(secret.is(b"open sesame"));
        for wrong in [
            &b""[..],
            b"open sesam",
            b"open sesame\0",
            b"Open sesame",
            b"open sesamf",
        ] {
            assert!(!secret.is(wrong), "{wrong:?}");
        }
        let longest = Secret::new(&[b'a'; MAX_SECRET_BYTES]).expect("as long as may be");
        assert!(longest.is(&[b'a'; MAX_SECRET_BYTES]));
        assert!(!longest.is(&[b'a'; MAX_SECRET_BYTES + 1]));
        assert!(Secret::new(b"").is_none() && Secret::new(&[b'a'; MAX_SECRET_BYTES + 1]).is_none());
    }

    #[test]
    fn a_secret_is_not_shown() {
        let shown = format!("{:?}", Secret::new(b"sesame"));
        assert_eq!(shown, "Some(Secret(…))");
    }
}
