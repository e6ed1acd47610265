//! CBOR (RFC 8949) as far as tokens need it: definite lengths only.
use alloc::{string::String, vec::Vec};

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    Integer(i64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Tag(u64, alloc::boxed::Box<Self>),
    /// A number with a fraction, or one that no integer holds.
    Float(f64),
    /// `false`, `true`, `null`, `undefined`.
    Simple(u8),
}

/// Values in values. A token has: tag, tag, array, map; its claims: map, map, map, array.
const DEPTH: usize = 8;
/// Pairs of one map: each is compared with those before it.
const PAIRS: usize = 32;

impl Value {
    /// Reads one value, which has to be all there is.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader { bytes };
        let value = reader.value(DEPTH)?;
        reader.bytes.is_empty().then_some(value)
    }

    /// Writes in the shortest form, the order of maps as it is.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(number) if *number >= 0 => head(out, 0, number.unsigned_abs()),
            Self::Integer(number) => head(out, 1, number.unsigned_abs() - 1),
            Self::Bytes(bytes) => {
                head(out, 2, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Self::Text(text) => {
                head(out, 3, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Array(values) => {
                head(out, 4, values.len() as u64);
                values.iter().for_each(|value| value.encode(out));
            }
            Self::Map(pairs) => {
                head(out, 5, pairs.len() as u64);
                for (key, value) in pairs {
                    key.encode(out);
                    value.encode(out);
                }
            }
            Self::Tag(tag, value) => {
                head(out, 6, *tag);
                value.encode(out);
            }
            Self::Float(number) => {
                out.push(0xfb);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Simple(simple) => head(out, 7, u64::from(*simple)),
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn array(&self) -> Option<&[Self]> {
        if let Self::Array(values) = self { Some(values) } else { None }
    }

    pub(crate) fn map(&self) -> Option<&[(Self, Self)]> {
        if let Self::Map(pairs) = self { Some(pairs) } else { None }
    }
}

pub(crate) fn head(out: &mut Vec<u8>, major: u8, number: u64) {
    let major = major << 5;
    let bytes = number.to_be_bytes();
    let (info, width) = match number {
        0..=23 => {
            out.push(major | bytes[7]);
            return;
        }
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    out.push(major | info);
    out.extend_from_slice(bytes.get(8 - width..).unwrap_or_default());
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        let first = *self.take(1)?.first()?;
        let (major, info) = (first >> 5, first & 31);
        if major == 7 {
            return self.simple(info);
        }
        let number = match info {
            0..=23 => u64::from(info),
            24..=27 => self.take(1 << (info - 24))?.iter().fold(0, |number, b| number << 8 | u64::from(*b)),
            _ => return None,
        };
        Some(match major {
            0 => i64::try_from(number).map_or_else(|_| Value::Float(number as f64), Value::Integer),
            1 => i64::try_from(number).map_or_else(|_| Value::Float(-1.0 - number as f64), |number| Value::Integer(-1 - number)),
            2 => Value::Bytes(self.take(usize::try_from(number).ok()?)?.to_vec()),
            3 => Value::Text(core::str::from_utf8(self.take(usize::try_from(number).ok()?)?).ok()?.into()),
            // A value has a byte at least, so a count beyond the bytes that are left cannot be true.
            4 => {
                let count = usize::try_from(number).ok().filter(|count| *count <= self.bytes.len())?;
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(depth)?);
                }
                Value::Array(values)
            }
            5 => {
                let count = usize::try_from(number).ok().filter(|count| *count <= PAIRS)?;
                let mut pairs: Vec<(Value, Value)> = Vec::new();
                for _ in 0..count {
                    let key = self.value(depth)?;
                    if pairs.iter().any(|(known, _)| *known == key) {
                        // Which of the two counts would be a matter of taste.
                        return None;
                    }
                    pairs.push((key, self.value(depth)?));
                }
                Value::Map(pairs)
            }
            _ => Value::Tag(number, self.value(depth)?.into()),
        })
    }

    fn simple(&mut self, info: u8) -> Option<Value> {
        Some(match info {
            20..=23 => Value::Simple(info),
            25 => Value::Float(half(self.take(2)?.try_into().ok()?)),
            26 => whole(f64::from(f32::from_be_bytes(self.take(4)?.try_into().ok()?))),
            27 => whole(f64::from_be_bytes(self.take(8)?.try_into().ok()?)),
            _ => return None,
        })
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }
}

/// Writers that know no integers write whole numbers as floats.
fn whole(number: f64) -> Value {
    let limit = 9_007_199_254_740_992.0;
    let integer = number as i64;
    if number > -limit && number < limit && integer as f64 == number { Value::Integer(integer) } else { Value::Float(number) }
}

fn half(bytes: [u8; 2]) -> f64 {
    let bits = u16::from_be_bytes(bytes);
    let (sign, exponent, fraction) = (bits >> 15, (bits >> 10) & 31, f64::from(bits & 0x3ff));
    let power = |n: i32| if n < 0 { 1.0 / f64::from(1_u32 << -n) } else { f64::from(1_u32 << n) };
    let size = match exponent {
        0 => fraction / 1024.0 * power(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1.0 + fraction / 1024.0) * power(i32::from(exponent) - 15),
    };
    if sign == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use alloc::{boxed::Box, vec};

    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn examples_of_rfc_8949_appendix_a() {
        for (bytes, value) in [
            ("00", Value::Integer(0)),
            ("1818", Value::Integer(24)),
            ("1b000000e8d4a51000", Value::Integer(1_000_000_000_000)),
            ("3903e7", Value::Integer(-1000)),
            ("4401020304", Value::Bytes(vec![1, 2, 3, 4])),
            ("62c3bc", Value::Text("ü".into())),
            (
                "8301820203820405",
                Value::Array(vec![
                    Value::Integer(1),
                    Value::Array(vec![Value::Integer(2), Value::Integer(3)]),
                    Value::Array(vec![Value::Integer(4), Value::Integer(5)]),
                ]),
            ),
            ("a201020304", Value::Map(vec![(Value::Integer(1), Value::Integer(2)), (Value::Integer(3), Value::Integer(4))])),
            ("c11a514b67b0", Value::Tag(1, Box::new(Value::Integer(1_363_896_240)))),
            ("fb3ff199999999999a", Value::Float(1.1)),
            ("f5", Value::Simple(21)),
        ] {
            assert_eq!(Value::decode(&hex(bytes)).as_ref(), Some(&value), "{bytes}");
            let mut written = Vec::new();
            value.encode(&mut written);
            assert_eq!(written, hex(bytes));
        }
        assert_eq!(Value::decode(&hex("f93e00")), Some(Value::Float(1.5)));
        assert_eq!(Value::decode(&hex("fb41da5c3f00000000")), Some(Value::Integer(1_769_012_224)));
    }

    #[test]
    fn what_claims_more_than_it_has_is_refused() {
        for bad in [
            "",
            "18",
            "5f",
            "9f",
            "bf",
            "ff",
            "5b7fffffffffffffff",
            "9b00000000ffffffff",
            "bb00000000ffffffff00",
            "6180",
            "a2010101",
            "a201010102",
            "0000",
            "1c",
        ] {
            assert_eq!(Value::decode(&hex(bad)), None, "{bad}");
        }
        assert_eq!(Value::decode(&[0x81; 1000]), None);
        assert_eq!(Value::decode(&[0xc1; 1000]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_read_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(value) = Value::decode(&bytes) {
                let mut written = Vec::new();
                value.encode(&mut written);
                let again = Value::decode(&written);
                // NaN is not equal to itself.
                let is_nan = alloc::format!("{value:?}").contains("NaN");
                prop_assert!(is_nan || again.as_ref() == Some(&value));
            }
        }
    }
}
