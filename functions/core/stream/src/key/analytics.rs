use core::fmt;

use super::{Key, parse_padded};
use crate::StreamId;

/// The keys of what is known about viewers, below `analytics/`: for the edges that count, the compactor that adds up, and the query API.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AnalyticsKey {
    /// 32 random bytes with which viewers of one day are told apart. Write-once; deleted two days later, and nobody can tell then.
    Salt {
        /// Days since 1970.
        day: u64,
    },
    /// What an instance has counted in a minute that is not over. Replaced every few seconds.
    Open {
        /// The instance.
        instance: InstanceId,
    },
    /// What an instance counted in a minute, of all streams. Write-once; expires after some days.
    Minute {
        /// Minutes since 1970.
        minute: u64,
        /// The instance.
        instance: InstanceId,
    },
    /// JSON: viewers at this moment. Replaced every few seconds while there are any.
    Latest {
        /// The stream.
        stream: StreamId,
    },
    /// The minutes of an hour. Replaced each minute, and no more when the hour has been over for some minutes.
    Hour {
        /// The stream.
        stream: StreamId,
        /// Hours since 1970.
        hour: u64,
    },
    /// The hours of a day. Replaced each hour.
    Day {
        /// The stream.
        stream: StreamId,
        /// Days since 1970.
        day: u64,
    },
    /// Parquet: a row for each stream and minute of an hour.
    HourTable {
        /// Hours since 1970.
        hour: u64,
    },
    /// Parquet: a row for each stream and hour of a day.
    DayTable {
        /// Days since 1970.
        day: u64,
    },
    /// JSON: who adds up, until when, and how far it is. Replaced (If-Match).
    Lease,
}

/// One process, or one instance of the functions, that counts: drawn by chance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct InstanceId(pub u64);

impl InstanceId {
    /// Reads 16 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_hex.then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl AnalyticsKey {
    /// Below it lie the open minutes of all instances.
    pub const OPEN_FOLDER: &'static str = "analytics/open/";

    /// Below it lies what all instances counted in a minute.
    #[must_use]
    pub fn minute_folder(minute: u64) -> alloc::string::String {
        alloc::format!("analytics/minute/{minute:010}/")
    }

    /// Below it lie the hours of all streams.
    #[must_use]
    pub fn hour_folder(hour: u64) -> alloc::string::String {
        alloc::format!("analytics/hour/{hour:010}/")
    }

    /// Below it lie the days of all streams.
    #[must_use]
    pub fn day_folder(day: u64) -> alloc::string::String {
        alloc::format!("analytics/day/{day:010}/")
    }

    /// Parses what stands behind `analytics/`, in words.
    pub(super) fn parse(words: &[&str]) -> Option<Self> {
        let stream = |text| StreamId::parse(text).ok();
        Some(match *words {
            ["salt", day] => Self::Salt { day: parse_padded(day)? },
            ["open", instance] => Self::Open { instance: InstanceId::parse(instance)? },
            ["minute", minute, instance] => Self::Minute { minute: parse_padded(minute)?, instance: InstanceId::parse(instance)? },
            ["latest", file] => Self::Latest { stream: stream(file.strip_suffix(".json")?)? },
            ["hour", hour, s] => Self::Hour { stream: stream(s)?, hour: parse_padded(hour)? },
            ["day", day, s] => Self::Day { stream: stream(s)?, day: parse_padded(day)? },
            ["hourly", file] => Self::HourTable { hour: parse_padded(file.strip_suffix(".parquet")?)? },
            ["daily", file] => Self::DayTable { day: parse_padded(file.strip_suffix(".parquet")?)? },
            ["lease.json"] => Self::Lease,
            _ => return None,
        })
    }

    /// Whether the object under this key never changes once it is there.
    #[must_use]
    pub fn is_write_once(&self) -> bool {
        match self {
            Self::Salt { .. } | Self::Minute { .. } => true,
            Self::Open { .. }
            | Self::Latest { .. }
            | Self::Hour { .. }
            | Self::Day { .. }
            | Self::HourTable { .. }
            | Self::DayTable { .. }
            | Self::Lease => false,
        }
    }

    /// The media type that the object is stored with.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Latest { .. } | Self::Lease => "application/json",
            Self::HourTable { .. } | Self::DayTable { .. } => "application/vnd.apache.parquet",
            Self::Salt { .. } | Self::Open { .. } | Self::Minute { .. } | Self::Hour { .. } | Self::Day { .. } => {
                "application/octet-stream"
            }
        }
    }
}

impl From<AnalyticsKey> for Key {
    fn from(key: AnalyticsKey) -> Self {
        Self::Analytics(key)
    }
}

impl fmt::Display for AnalyticsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Salt { day } => write!(f, "analytics/salt/{day:010}"),
            Self::Open { instance } => write!(f, "{}{instance}", Self::OPEN_FOLDER),
            Self::Minute { minute, instance } => write!(f, "{}{instance}", Self::minute_folder(*minute)),
            Self::Latest { stream } => write!(f, "analytics/latest/{stream}.json"),
            Self::Hour { stream, hour } => write!(f, "{}{stream}", Self::hour_folder(*hour)),
            Self::Day { stream, day } => write!(f, "{}{stream}", Self::day_folder(*day)),
            Self::HourTable { hour } => write!(f, "analytics/hourly/{hour:010}.parquet"),
            Self::DayTable { day } => write!(f, "analytics/daily/{day:010}.parquet"),
            Self::Lease => f.write_str("analytics/lease.json"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in crate::key) fn any_analytics_key() -> impl Strategy<Value = AnalyticsKey> {
        ("[a-z0-9][a-z0-9_-]{0,20}", any::<u64>(), any::<u64>(), 0..9u8).prop_map(|(s, number, instance, kind)| {
            let (stream, instance) = (StreamId::parse(&s).unwrap(), InstanceId(instance));
            match kind {
                0 => AnalyticsKey::Salt { day: number },
                1 => AnalyticsKey::Open { instance },
                2 => AnalyticsKey::Minute { minute: number, instance },
                3 => AnalyticsKey::Latest { stream },
                4 => AnalyticsKey::Hour { stream, hour: number },
                5 => AnalyticsKey::Day { stream, day: number },
                6 => AnalyticsKey::HourTable { hour: number },
                7 => AnalyticsKey::DayTable { day: number },
                _ => AnalyticsKey::Lease,
            }
        })
    }
}
