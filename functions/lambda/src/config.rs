use std::fmt;

use aws_credential_types::Credentials;
use tidegate_function::Reach;

/// What the function is told by its environment.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The bucket (`TIDEGATE_STORE_BUCKET`).
    pub bucket: String,
    /// An S3 that is not AWS (`AWS_ENDPOINT_URL`).
    pub endpoint: Option<String>,
    /// `AWS_REGION`, which Lambda sets.
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, which Lambda sets from the role of the function.
    pub keys: (String, String, Option<String>),
    /// What playlists list (`TIDEGATE_PLAYLISTS`): `segments` (the default), or `parts`.
    pub reach: Reach,
    /// How answers go out (`TIDEGATE_RESPONSE`).
    pub response: Response,
    /// The header, in lower case, in which the CDN says where a viewer is (`TIDEGATE_COUNTRY_HEADER`).
    pub country_header: Option<String>,
    /// The header, in lower case, in which it says a viewer's address (`TIDEGATE_ADDRESS_HEADER`); without it what Lambda says counts.
    pub address_header: Option<String>,
    /// The header, in lower case, in which it says a viewer's network (`TIDEGATE_NETWORK_HEADER`).
    pub network_header: Option<String>,
    /// The header, in lower case, in which the CDN says which host the viewer asked (`TIDEGATE_HOST_HEADER`); without it `host`.
    pub host_header: Option<String>,
    /// Foreign origins (`host:port`) that may be read though their addresses are not public (`TIDEGATE_PRIVATE_ORIGINS`, with commas).
    pub private_origins: Vec<String>,
    /// The delivery stream of Amazon Data Firehose that takes lines of reports beside their being counted (`TIDEGATE_RAW_FIREHOSE`).
    pub firehose: Option<String>,
    /// Where Firehose is, where that is not AWS (`TIDEGATE_RAW_FIREHOSE_ENDPOINT`).
    pub firehose_endpoint: Option<String>,
}

/// How answers go out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Response {
    /// `buffer`: as one JSON document of at most 6 MB, media in base64. API Gateway and load balancers know no other.
    #[default]
    Buffer,
    /// `stream`: as bytes, up to 200 MB. For function URLs with `RESPONSE_STREAM`.
    Stream,
}

/// Why the function cannot start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfigError {
    /// A variable that has to be there.
    Missing(&'static str, &'static str),
    /// A value that is none of those that there are.
    Value(&'static str, String, &'static str),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name, what) => write!(f, "{name} is not set: {what}"),
            Self::Value(name, value, known) => write!(f, "{name} is `{value}`: it can be {known}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let found = |name: &str| variable(name).filter(|value| !value.is_empty());
        let need = |name: &'static str, what: &'static str| found(name).ok_or(ConfigError::Missing(name, what));
        let role = "Lambda sets it from the role of the function";
        let reach = match found("TIDEGATE_PLAYLISTS").as_deref() {
            None | Some("segments") => Reach::Segments,
            Some("parts") => Reach::Parts,
            Some(other) => return Err(ConfigError::Value("TIDEGATE_PLAYLISTS", other.to_owned(), "`segments` or `parts`")),
        };
        let response = match found("TIDEGATE_RESPONSE").as_deref() {
            None | Some("buffer") => Response::Buffer,
            Some("stream") => Response::Stream,
            Some(other) => return Err(ConfigError::Value("TIDEGATE_RESPONSE", other.to_owned(), "`buffer` or `stream`")),
        };
        let lower = |name: &str| found(name).map(|value| value.to_ascii_lowercase());
        Ok(Self {
            bucket: need("TIDEGATE_STORE_BUCKET", "it names the bucket that the worker writes to")?,
            endpoint: found("AWS_ENDPOINT_URL_S3").or_else(|| found("AWS_ENDPOINT_URL")),
            region: need("AWS_REGION", "Lambda sets it")?,
            keys: (need("AWS_ACCESS_KEY_ID", role)?, need("AWS_SECRET_ACCESS_KEY", role)?, found("AWS_SESSION_TOKEN")),
            reach,
            response,
            country_header: lower("TIDEGATE_COUNTRY_HEADER"),
            address_header: lower("TIDEGATE_ADDRESS_HEADER"),
            network_header: lower("TIDEGATE_NETWORK_HEADER"),
            host_header: lower("TIDEGATE_HOST_HEADER"),
            private_origins: found("TIDEGATE_PRIVATE_ORIGINS").map_or_else(Vec::new, |list| list.split(',').map(str::to_owned).collect()),
            firehose: found("TIDEGATE_RAW_FIREHOSE"),
            firehose_endpoint: found("TIDEGATE_RAW_FIREHOSE_ENDPOINT"),
        })
    }

    /// Who signs.
    pub(crate) fn credentials(&self) -> Credentials {
        let (access, secret, session) = self.keys.clone();
        Credentials::new(access, secret, session, None, "lambda")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    const LAMBDA: [(&str, &str); 4] =
        [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("TIDEGATE_STORE_BUCKET", "live")];

    #[test]
    fn segments_in_one_piece_are_the_default() {
        let config = read(&LAMBDA).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((config.reach, config.response, config.endpoint), (Reach::Segments, Response::Buffer, None));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let error = |pairs: &[(&str, &str)]| read(pairs).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error(&LAMBDA[..3]).contains("TIDEGATE_STORE_BUCKET is not set"));
        assert!(error(&LAMBDA[1..]).contains("AWS_REGION"));
        for (name, value) in [("TIDEGATE_PLAYLISTS", "blocking"), ("TIDEGATE_RESPONSE", "x")] {
            let text = error(&[LAMBDA.as_slice(), &[(name, value)]].concat());
            assert!(text.contains(name) && text.contains(value), "{text}");
        }
    }
}
