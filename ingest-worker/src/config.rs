use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};
use tidegate_stream::RenditionId;

use crate::{ladder::Rung, source::RtmpConfig, store};

/// Everything that can be set, each with its documented value as default: `config.toml` beside the crate is the manual.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where ffmpeg is; empty to look for it.
    pub ffmpeg: PathBuf,
    /// Accept.
    pub rtmp: RtmpConfig,
    /// Transcode.
    pub transcode: TranscodeConfig,
    /// Transcode: the rungs, beside the source itself.
    pub ladder: Vec<Rung>,
    /// Package.
    pub package: PackageConfig,
    /// Store.
    pub store: StoreConfig,
    /// A second bucket.
    pub mirror: MirrorConfig,
    /// What viewers see while a source is away.
    pub slate: SlateConfig,
    /// Another worker beside this one.
    pub twin: TwinConfig,
    /// What the worker says about itself.
    pub metrics: MetricsConfig,
}

/// How the rungs are encoded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TranscodeConfig {
    /// One ffmpeg or one for each GOP.
    pub mode: Mode,
    /// What encodes the rungs.
    pub encoder: Encoder,
    /// x264's preset.
    pub preset: String,
    /// How long the encoders have to have time to spare before a rung that was left out comes back, in s.
    pub rung_back_s: u32,
}

/// One ffmpeg or one for each GOP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What suits: continuous for a worker without a twin.
    Auto,
    /// One ffmpeg for the session.
    Continuous,
    /// A fresh one for each GOP: two workers make the same bytes.
    Exact,
}

/// What encodes the rungs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoder {
    /// The processor.
    #[default]
    X264,
    /// A GPU of NVIDIA's with an encoder. It promises nobody the same bytes twice, so a twin that goes on begins at the next segment.
    Nvenc,
}

/// How time is cut.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PackageConfig {
    /// Length of a part in ms.
    pub part_ms: u32,
    /// Length of a segment in ms, at the next key frame.
    pub segment_ms: u32,
    /// How much of the past can be played, in s.
    pub dvr_window_s: u32,
}

/// Where the bucket is. Credentials come from the environment, as for any AWS client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The bucket.
    pub bucket: String,
    /// Where the API is; empty for AWS.
    pub endpoint: String,
    /// The region; empty to take it from the environment.
    pub region: String,
    /// Memory of a stream for what the store does not take, in MB; beyond it that waits on disk.
    pub hold_mb: u32,
    /// Disk of a stream for it, in MB; beyond both the source has to wait.
    pub spool_mb: u32,
}

impl From<StoreConfig> for store::StoreConfig {
    fn from(config: StoreConfig) -> Self {
        let given = |text: String| (!text.is_empty()).then_some(text);
        Self { bucket: config.bucket, endpoint: given(config.endpoint), region: given(config.region), keys: None }
    }
}

/// A second bucket, to which everything of a stream is copied that the first has confirmed. The same credentials are used.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MirrorConfig {
    /// The bucket; empty for none.
    pub bucket: String,
    /// Where the API is; empty for AWS.
    pub endpoint: String,
    /// The region; empty to take it from the environment.
    pub region: String,
}

impl From<MirrorConfig> for store::StoreConfig {
    fn from(config: MirrorConfig) -> Self {
        let given = |text: String| (!text.is_empty()).then_some(text);
        Self { bucket: config.bucket, endpoint: given(config.endpoint), region: given(config.region), keys: None }
    }
}

/// Another worker that receives the same source, or that an encoder turns to when this one is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwinConfig {
    /// A session may be another worker's: it is looked for, followed, and gone on with.
    pub enabled: bool,
    /// How long a session whose log stands still is gone on with, in s. After that a push begins a new one.
    pub reconnect_s: u32,
}

/// What viewers see while a source is away, until it is back or the time to reconnect is over.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlateConfig {
    /// A picture, or a film of which the first 20 s are shown over and over; empty for nothing.
    pub file: PathBuf,
}

/// What the worker says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Where `/metrics`, `/healthz` and `/readyz` are; nothing for nowhere.
    #[serde(with = "address")]
    pub listen: Option<SocketAddr>,
}

/// TOML has no null: an empty text stands for none.
mod address {
    use std::net::SocketAddr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(address: &Option<SocketAddr>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&address.map(|address| address.to_string()).unwrap_or_default())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not TOML, an unknown key, a value of the wrong kind.
    #[error("the configuration cannot be used: {0}")]
    Toml(#[from] toml::de::Error),
    /// An environment variable of ours with a value of the wrong kind.
    #[error("{name}={value} cannot be used: {expected} is expected")]
    Environment {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A value that is well formed and makes no sense.
    #[error("{key} is {value}: it has to be {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// Each rung costs a pipe, an encoder thread and PUT bytes; nobody needs more.
const RUNGS_MAX: usize = 8;

impl Default for Config {
    fn default() -> Self {
        let rung = |name, height, bitrate_kbps| Some(Rung { name: RenditionId::parse(name).ok()?, height, bitrate_kbps });
        Self {
            ffmpeg: PathBuf::new(),
            rtmp: RtmpConfig::default(),
            transcode: TranscodeConfig::default(),
            ladder: [rung("high", 720, 2800), rung("medium", 480, 1200), rung("low", 270, 500)].into_iter().flatten().collect(),
            package: PackageConfig::default(),
            store: StoreConfig::default(),
            mirror: MirrorConfig::default(),
            slate: SlateConfig::default(),
            twin: TwinConfig::default(),
            metrics: MetricsConfig::default(),
        }
    }
}

impl Default for TranscodeConfig {
    fn default() -> Self {
        Self { mode: Mode::Auto, encoder: Encoder::X264, preset: "veryfast".into(), rung_back_s: 60 }
    }
}

impl Default for PackageConfig {
    fn default() -> Self {
        Self { part_ms: 500, segment_ms: 2000, dvr_window_s: 7200 }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { bucket: "tidegate".into(), endpoint: String::new(), region: String::new(), hold_mb: 192, spool_mb: 1024 }
    }
}

impl Default for TwinConfig {
    fn default() -> Self {
        Self { enabled: false, reconnect_s: 60 }
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from(([127, 0, 0, 1], 9464))) }
    }
}

impl Config {
    /// Reads a file's text and lays the environment over it: `[rtmp] silence_s` is `TIDEGATE_RTMP_SILENCE_S`.
    pub fn load(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut table: toml::Table = text.parse()?;
        // What can be set is what the defaults have.
        if let Ok(toml::Value::Table(defaults)) = toml::Value::try_from(Self::default()) {
            overlay(&mut table, &defaults, "TIDEGATE", &environment)?;
        }
        let config: Self = table.try_into()?;
        config.check()?;
        Ok(config)
    }

    /// Refuses what makes no sense; also to be called when flags have changed something.
    pub fn check(&self) -> Result<(), ConfigError> {
        let within = |key, value: u32, range: core::ops::RangeInclusive<u32>, expected| {
            if range.contains(&value) { Ok(()) } else { Err(ConfigError::Value { key, value: value.to_string(), expected }) }
        };
        within("package.part_ms", self.package.part_ms, 100..=2000, "100 to 2000")?;
        within("package.segment_ms", self.package.segment_ms, 1000..=10_000, "1000 to 10000")?;
        within("package.dvr_window_s", self.package.dvr_window_s, 10..=86_400, "10 to 86400")?;
        within("transcode.rung_back_s", self.transcode.rung_back_s, 1..=3600, "1 to 3600")?;
        within("store.hold_mb", self.store.hold_mb, 8..=4096, "8 to 4096")?;
        within("store.spool_mb", self.store.spool_mb, 0..=65_536, "0 to 65536")?;
        if self.package.segment_ms < 2 * self.package.part_ms {
            return Err(ConfigError::Value {
                key: "package.segment_ms",
                value: self.package.segment_ms.to_string(),
                expected: "at least two parts long",
            });
        }
        if self.transcode.encoder == Encoder::Nvenc && self.transcode.mode == Mode::Exact {
            return Err(ConfigError::Value {
                key: "transcode.mode",
                value: "exact".into(),
                expected: "auto or continuous with nvenc: only x264 makes the same bytes twice",
            });
        }
        if self.ladder.len() > RUNGS_MAX {
            return Err(ConfigError::Value {
                key: "ladder",
                value: format!("{} rungs long", self.ladder.len()),
                expected: "at most 8 rungs long",
            });
        }
        let mut names: Vec<_> = self.ladder.iter().map(|rung| rung.name.as_str()).collect();
        names.extend(["source", "audio"]);
        names.sort_unstable();
        if let Some([name, _]) = names.windows(2).filter_map(|pair| pair.first_chunk::<2>()).find(|[a, b]| a == b) {
            return Err(ConfigError::Value {
                key: "ladder.name",
                value: (*name).into(),
                expected: "unlike all others, `source` and `audio`",
            });
        }
        for rung in &self.ladder {
            within("ladder.height", rung.height, 32..=4320, "32 to 4320")?;
            within("ladder.bitrate_kbps", rung.bitrate_kbps, 50..=100_000, "50 to 100000")?;
        }
        Ok(())
    }
}

fn overlay(
    table: &mut toml::Table,
    defaults: &toml::Table,
    prefix: &str,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<(), ConfigError> {
    use toml::Value;
    for (key, default) in defaults {
        let name = format!("{prefix}_{}", key.to_uppercase());
        if let Value::Table(defaults) = default {
            let entry = table.entry(key.clone()).or_insert_with(|| Value::Table(toml::Table::new()));
            if let Value::Table(inner) = entry {
                overlay(inner, defaults, &name, environment)?;
            }
            continue;
        }
        let Some(value) = environment(&name) else { continue };
        let (parsed, expected) = match default {
            Value::String(_) => (Some(Value::String(value.clone())), "text"),
            Value::Integer(_) => (value.parse().ok().map(Value::Integer), "a whole number"),
            Value::Boolean(_) => (value.parse().ok().map(Value::Boolean), "true or false"),
            Value::Float(_) => (value.parse().ok().map(Value::Float), "a number"),
            // The ladder is a table in the file only.
            Value::Array(_) | Value::Datetime(_) | Value::Table(_) => continue,
        };
        let parsed = parsed.ok_or(ConfigError::Environment { name, value, expected })?;
        table.insert(key.clone(), parsed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = include_str!("../config.toml");

    fn nothing(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_reference_file_is_the_default() {
        assert_eq!(Config::load(REFERENCE, nothing).unwrap(), Config::default());
        assert_eq!(Config::load("", nothing).unwrap(), Config::default());
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let environment = |name: &str| match name {
            "TIDEGATE_RTMP_SILENCE_S" => Some("3".to_owned()),
            "TIDEGATE_TRANSCODE_MODE" => Some("exact".to_owned()),
            "TIDEGATE_STORE_BUCKET" => Some("other".to_owned()),
            _ => None,
        };
        let config = Config::load("[rtmp]\nsilence_s = 5\nconnections = 7\n", environment).unwrap();
        assert_eq!((config.rtmp.silence_s, config.rtmp.connections), (3, 7));
        assert_eq!(config.transcode.mode, Mode::Exact);
        assert_eq!(config.store.bucket, "other");
        let wrong = |name: &str| (name == "TIDEGATE_RTMP_SILENCE_S").then(|| "soon".to_owned());
        assert_eq!(
            Config::load("", wrong).unwrap_err().to_string(),
            "TIDEGATE_RTMP_SILENCE_S=soon cannot be used: a whole number is expected"
        );
    }

    #[test]
    fn unknown_keys_and_senseless_values_are_refused() {
        for bad in ["x = 1", "[rtmp]\nport = 1935", "[[ladder]]\nname = 'a'\nheight = 1\nwidth = 1\nbitrate_kbps = 1"] {
            assert!(matches!(Config::load(bad, nothing), Err(ConfigError::Toml(_))), "{bad}");
        }
        let twice = "[[ladder]]\nname='a'\nheight=360\nbitrate_kbps=500\n[[ladder]]\nname='a'\nheight=720\nbitrate_kbps=900";
        let gpu = "[transcode]\nencoder = 'nvenc'\n";
        assert_eq!(Config::load(gpu, nothing).unwrap().transcode.encoder, Encoder::Nvenc);
        assert!(matches!(Config::load(&format!("{gpu}mode = 'exact'"), nothing), Err(ConfigError::Value { .. })));
        for bad in ["[package]\npart_ms = 10", "[package]\npart_ms = 2000", "[[ladder]]\nname='audio'\nheight=360\nbitrate_kbps=500", twice]
        {
            assert!(matches!(Config::load(bad, nothing), Err(ConfigError::Value { .. })), "{bad}");
        }
    }
}
