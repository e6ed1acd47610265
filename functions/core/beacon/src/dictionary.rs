//! Dictionaries of structured fields (RFC 9651), as far as CMCD uses them: read in place, nothing is allocated.

/// A value, of which parameters are left out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Value<'a> {
    /// A whole number; of a decimal its whole part.
    Number(i64),
    /// What stands between quotes, escapes as they are, or a token.
    Text(&'a str),
    /// A key alone, or `?1`; `?0` is false.
    Flag(bool),
    /// A list: its numbers, as far as they fit, and its first text.
    List { numbers: [i64; LIST_MAX], count: usize, text: Option<&'a str> },
}

/// Numbers of a list that are kept: one for each kind of media.
const LIST_MAX: usize = 6;
/// Members of a list that are read.
const MEMBERS_MAX: usize = 64;

impl Value<'_> {
    /// The number, or the first number of the list: CMCD v2 has lists where v1 had numbers.
    pub(crate) fn number(&self) -> Option<i64> {
        match *self {
            Self::Number(number) => Some(number),
            Self::List { numbers, count: 1.., .. } => numbers.first().copied(),
            Self::List { .. } | Self::Text(_) | Self::Flag(_) => None,
        }
    }

    /// The sum of what is listed: a stall may be told by each kind of media.
    pub(crate) fn sum(&self) -> Option<i64> {
        match *self {
            Self::List { numbers, count: count @ 1.., .. } => Some(numbers.iter().take(count).fold(0, |sum, n| n.saturating_add(sum))),
            other => other.number(),
        }
    }
}

/// The members of a dictionary, one after the other; an error ends them.
pub(crate) struct Dictionary<'a> {
    rest: &'a str,
    first: bool,
}

/// Not a dictionary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed;

impl<'a> Dictionary<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text.trim_matches([' ', '\t', '\r']), first: true }
    }

    /// The next member; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(&'a str, Value<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        if !self.first {
            self.rest = self.rest.trim_start_matches([' ', '\t']).strip_prefix(',').ok_or(Malformed)?.trim_start_matches([' ', '\t']);
        }
        self.first = false;
        let key = self.take_while(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*'));
        if key.is_empty() {
            return Err(Malformed);
        }
        let value = if self.skip('=') { self.value()? } else { Value::Flag(true) };
        self.parameters()?;
        Ok(Some((key, value)))
    }

    fn skip(&mut self, mark: char) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'a str {
        let end = self.rest.bytes().position(|byte| !fits(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn value(&mut self) -> Result<Value<'a>, Malformed> {
        if !self.skip('(') {
            return self.item();
        }
        let (mut numbers, mut count, mut text) = ([0; LIST_MAX], 0, None);
        for _ in 0..MEMBERS_MAX {
            self.rest = self.rest.trim_start_matches(' ');
            if self.skip(')') {
                return Ok(Value::List { numbers, count, text });
            }
            match self.item()? {
                Value::Number(number) => {
                    if let Some(place) = numbers.get_mut(count) {
                        *place = number;
                        count += 1;
                    }
                }
                Value::Text(found) => text = text.or(Some(found)),
                Value::Flag(_) | Value::List { .. } => {}
            }
            self.parameters()?;
        }
        Err(Malformed)
    }

    fn item(&mut self) -> Result<Value<'a>, Malformed> {
        match self.rest.bytes().next() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'?') => {
                self.skip('?');
                if self.skip('1') {
                    Ok(Value::Flag(true))
                } else if self.skip('0') {
                    Ok(Value::Flag(false))
                } else {
                    Err(Malformed)
                }
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            // A date is a number of seconds behind `@`.
            Some(b'@') => {
                self.skip('@');
                self.number()
            }
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'*') => Ok(Value::Text(self.take_while(|b| {
                matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'/' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
            }))),
            _ => Err(Malformed),
        }
    }

    fn string(&mut self) -> Result<&'a str, Malformed> {
        let text = self.rest.get(1..).ok_or(Malformed)?;
        let mut escaped = false;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.rest = text.get(at + 1..).unwrap_or_default();
                    return text.get(..at).ok_or(Malformed);
                }
                0..=0x1f | 0x7f => return Err(Malformed),
                _ => {}
            }
        }
        Err(Malformed)
    }

    fn number(&mut self) -> Result<Value<'a>, Malformed> {
        let negative = self.skip('-');
        let digits = self.take_while(|b| b.is_ascii_digit());
        // RFC 9651 allows 15 digits.
        if digits.is_empty() || digits.len() > 15 {
            return Err(Malformed);
        }
        let number = digits.bytes().fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        if self.skip('.') {
            self.take_while(|b| b.is_ascii_digit());
        }
        Ok(Value::Number(if negative { -number } else { number }))
    }

    fn parameters(&mut self) -> Result<(), Malformed> {
        for _ in 0..MEMBERS_MAX {
            if !self.skip(';') {
                return Ok(());
            }
            self.rest = self.rest.trim_start_matches(' ');
            self.take_while(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*'));
            if self.skip('=') {
                self.item()?;
            }
        }
        Err(Malformed)
    }
}
