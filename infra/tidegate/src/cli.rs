use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tidegate_stream::StreamId;

use crate::{api_token::ApiTokenCommand, origin::OriginCommand, plan::PlanOptions, token::TokenCommand};

/// Live streaming with a bucket as its origin.
#[derive(Parser, Debug)]
#[command(name = "tidegate", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do; `up` when nothing is named.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the command line can do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the whole platform in this process, with a live picture to look at.
    Up(Box<UpOptions>),
    /// Make streams and stream keys in a bucket.
    #[command(subcommand)]
    Stream(StreamCommand),
    /// Make and revoke the tokens that the API is used with.
    #[command(subcommand)]
    ApiToken(ApiTokenCommand),
    /// Bring what happens to webhooks, until it is stopped. Any number may run: one sends, the others stand by.
    Webhooks(WebhooksOptions),
    /// Make, look into and call back the tokens that viewers watch with.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Show the playlists of other origins, changed as a document says.
    #[command(subcommand)]
    Origin(OriginCommand),
    /// Look whether this machine and a bucket can carry live streams, and say what to do where they cannot.
    Doctor(DoctorOptions),
    /// Test a live or recorded HLS stream, ours or any other, against the rules of the specification and of players.
    Validate(Box<ValidateOptions>),
    /// Say what so many streams and viewers ask for: requests, bytes, machines, dollars.
    Plan(Box<PlanOptions>),
}

/// Options of `tidegate doctor`.
#[derive(Args, Clone, Debug)]
pub struct DoctorOptions {
    /// The bucket to look at: `s3://NAME` with the ordinary AWS environment variables, `minio` or `embedded` (started for this only).
    /// Objects of streams called `tidegate-doctor…` are written and deleted; webhooks hear of the one that is live.
    #[arg(long, env = "TIDEGATE_STORE")]
    pub store: Option<Store>,
    /// Stream for so long through that bucket: an encoder, a worker, an edge and a viewer, all in this process; 0 for not.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub seconds: u64,
    /// Where viewers are to connect.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", env = "TIDEGATE_LISTEN")]
    pub listen: SocketAddr,
    /// Where encoders are to connect.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1935", env = "TIDEGATE_RTMP")]
    pub rtmp: SocketAddr,
    /// The address of a playlist as viewers ask for it, through the CDN: looks at its name, certificate, CORS and caching. Given twice (another
    /// edge, or the one behind the CDN), both have to give the same bytes.
    #[arg(long, value_name = "URL")]
    pub watch: Vec<String>,
    /// One JSON document in place of lines.
    #[arg(long)]
    pub json: bool,
}

/// Options of `tidegate up`. Each default is what a laptop wants.
#[derive(Args, Clone, Debug)]
pub struct UpOptions {
    /// Where viewers connect.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", env = "TIDEGATE_LISTEN")]
    pub listen: SocketAddr,
    /// Viewers connect with TLS (and HTTP/2), with a certificate made for this machine that a browser asks about once.
    #[arg(long)]
    pub tls: bool,
    /// Where encoders such as OBS connect.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1935", env = "TIDEGATE_RTMP")]
    pub rtmp: SocketAddr,
    /// Where the embedded store or MinIO answers.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000", env = "TIDEGATE_STORE_LISTEN")]
    pub store_listen: SocketAddr,
    /// The bucket: `embedded`, `minio` (starts one), or `s3://NAME` with the ordinary AWS environment variables.
    #[arg(long, default_value = "embedded", env = "TIDEGATE_STORE")]
    pub store: Store,
    /// Where the embedded store, MinIO and the stream keys are kept.
    #[arg(long, value_name = "FOLDER", env = "TIDEGATE_DATA")]
    pub data: Option<PathBuf>,
    /// Show this in place of the demo: a file (in a loop) or an `http(s)://`, `rtmp://`, `srt://` address to pull.
    #[arg(long, value_name = "FILE OR ADDRESS", conflicts_with = "no_demo")]
    pub source: Option<String>,
    /// No source of our own: wait for an encoder such as OBS.
    #[arg(long)]
    pub no_demo: bool,
    /// Length of a part. Short parts mean less delay and more requests.
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(100..=2000))]
    pub part_ms: u32,
    /// Which qualities are made: `default` (never above the source) or `none` (the source as it is).
    #[arg(long, default_value = "default")]
    pub ladder: LadderChoice,
    /// Where Prometheus reads the worker's figures (`/metrics`); nowhere unless it is given.
    #[arg(long, value_name = "ADDRESS", env = "TIDEGATE_METRICS")]
    pub metrics: Option<SocketAddr>,
    /// A database (MMDB) that says in which country viewers' addresses are; `infra/geo` gets one. May be given again.
    #[arg(long, value_name = "FILE")]
    pub geo: Vec<PathBuf>,
    /// A webhook on this machine or in a private network that may be reached; all others have to have public addresses.
    #[arg(long, value_name = "HOST:PORT", env = "TIDEGATE_WEBHOOKS_PRIVATE", value_delimiter = ',')]
    pub webhook_private: Vec<String>,
    /// Stop by itself after this long.
    #[arg(long = "for", value_name = "SECONDS", env = "TIDEGATE_UP_FOR")]
    pub seconds: Option<u64>,
    /// Say more: `info`, `debug`, or a filter such as `tidegate_host=debug`.
    #[arg(long, value_name = "FILTER", default_value = "warn", env = "TIDEGATE_LOG")]
    pub log: String,
    /// Ask the platform that runs here whether it lives, and end: for health checks of containers.
    #[arg(long)]
    pub check: bool,
}

/// Which bucket is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Store {
    /// Our own S3 server on this disk.
    Embedded,
    /// A real MinIO on this disk, started and stopped by us.
    Minio,
    /// Any S3, by the ordinary AWS environment variables.
    S3 {
        /// The bucket.
        bucket: String,
    },
}

impl std::str::FromStr for Store {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "embedded" => Ok(Self::Embedded),
            "minio" => Ok(Self::Minio),
            _ => match text.strip_prefix("s3://").map(|name| name.trim_end_matches('/')) {
                Some(bucket) if !bucket.is_empty() && !bucket.contains('/') => Ok(Self::S3 { bucket: bucket.into() }),
                _ => Err("use embedded, minio, or s3://NAME".into()),
            },
        }
    }
}

/// Which rungs are encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LadderChoice {
    /// Low, medium and high, as far as they are below the source.
    Default,
    /// The source as it is, and nothing else.
    None,
}

/// Commands about streams.
#[derive(Subcommand, Debug)]
pub enum StreamCommand {
    /// Write the document of a stream, so that it has a title.
    Create {
        /// The name of the stream in addresses: a-z, 0-9, `-` and `_`.
        stream: StreamId,
        /// One line for people.
        #[arg(long, default_value = "")]
        title: String,
        /// The bucket.
        #[command(flatten)]
        bucket: BucketOptions,
    },
    /// Make a stream key, which lets an encoder publish the stream. It is shown once; the bucket keeps its hash.
    Key {
        /// The name of the stream.
        stream: StreamId,
        /// The bucket.
        #[command(flatten)]
        bucket: BucketOptions,
    },
}

/// Which bucket a command speaks to.
#[derive(Args, Clone, Debug)]
pub struct BucketOptions {
    /// `s3://NAME`, with the ordinary AWS environment variables (AWS_ENDPOINT_URL for any S3 that is not AWS).
    #[arg(long, env = "TIDEGATE_STORE")]
    pub store: Store,
}

/// Options of `tidegate webhooks`.
#[derive(Args, Clone, Debug)]
pub struct WebhooksOptions {
    /// The bucket.
    #[command(flatten)]
    pub bucket: BucketOptions,
    /// A webhook in a private network that may be reached; all others have to have public addresses.
    #[arg(long = "private", value_name = "HOST:PORT", env = "TIDEGATE_WEBHOOKS_PRIVATE", value_delimiter = ',')]
    pub private: Vec<String>,
}

/// Options of `tidegate validate`. It ends with 0 where the stream is fine, 1 where it has errors, 2 where it could not be tested.
#[derive(Args, Clone, Debug)]
pub struct ValidateOptions {
    /// The address of a multivariant or media playlist.
    #[arg(value_name = "URL", required_unless_present = "list")]
    pub url: Option<String>,
    /// Follow a live stream for this long.
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub seconds: u64,
    /// Say it as JSON.
    #[arg(long)]
    pub json: bool,
    /// Warnings count as errors.
    #[arg(long)]
    pub strict: bool,
    /// Accept any certificate.
    #[arg(long)]
    pub insecure: bool,
    /// Print the rules in place of testing anything.
    #[arg(long)]
    pub list: bool,
}

impl Default for Command {
    fn default() -> Self {
        // The defaults live in one place, the attributes above; a bare `up` reads them there.
        let cli = Cli::parse_from(["tidegate", "up"]);
        cli.command.unwrap_or_else(|| unreachable!("`up` is a command"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_options_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_means_up_with_its_defaults() {
        let Command::Up(options) = Command::default() else { panic!("`up` is the default") };
        assert_eq!((options.store, options.part_ms, options.ladder), (Store::Embedded, 500, LadderChoice::Default));
    }

    #[test]
    fn buckets_are_named_as_everywhere() {
        assert_eq!("s3://films/".parse(), Ok(Store::S3 { bucket: "films".into() }));
        for bad in ["", "s3://", "s3://a/b", "films", "http://x"] {
            assert!(bad.parse::<Store>().is_err(), "{bad}");
        }
    }
}
