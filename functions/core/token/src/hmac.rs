use sha2::{Digest as _, Sha256};

/// HMAC-SHA-256 (RFC 2104).
pub(crate) fn hmac_sha256(key: &[u8], pieces: &[&[u8]]) -> [u8; 32] {
    let mut block = [0; 64];
    let hashed: [u8; 32];
    let short: &[u8] = if key.len() > block.len() {
        hashed = Sha256::digest(key).into();
        &hashed
    } else {
        key
    };
    for (to, from) in block.iter_mut().zip(short) {
        *to = *from;
    }
    let mut inner = Sha256::new_with_prefix(block.map(|b| b ^ 0x36));
    for piece in pieces {
        inner.update(piece);
    }
    let mut outer = Sha256::new_with_prefix(block.map(|b| b ^ 0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

/// Whether two codes are the same, in a time that does not tell where they differ.
pub(crate) fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    // The barrier keeps the loop from ending early.
    let difference = a.iter().zip(b).fold(0, |difference, (a, b)| core::hint::black_box(difference | (a ^ b)));
    core::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String, vec};

    use super::*;

    fn hex(code: [u8; 32]) -> String {
        code.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn the_codes_of_rfc_4231() {
        assert_eq!(hex(hmac_sha256(&[0x0b; 20], &[b"Hi ", b"There"])), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(
            hex(hmac_sha256(b"Jefe", &[b"what do ya want for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let long = vec![0xaa; 131];
        assert_eq!(
            hex(hmac_sha256(&long, &[b"Test Using Larger Than Block-Size Key - Hash Key First"])),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn one_bit_makes_codes_differ() {
        let code = hmac_sha256(b"k", &[b"m"]);
        assert!(same(&code, &code.clone()));
        for at in 0..32 {
            let mut other = code;
            other[at] ^= 1 << (at % 8);
            assert!(!same(&code, &other));
        }
    }
}
