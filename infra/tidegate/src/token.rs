//! Playback tokens: keys, minting, looking into one, calling one back.

mod document;
mod span;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use tidegate_stream::{MetaKey, OriginId, OriginPath, StreamId, token_prefix};
use tidegate_token::{Asked, Claims, Keys, Match, MatchKind, Renewal, RenewalKind, Revocations, Token, UriPart};

use self::{document::Document, span::Span};
use crate::cli::BucketOptions;

/// Commands about playback tokens.
#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    /// Make a key in front of those that are there: tokens are made with it from now on, and those of older keys stay good.
    Key {
        /// What tokens name it by; the time where it is not given.
        #[arg(long)]
        id: Option<String>,
        /// Who else gets the key: tokens that are made with it name this issuer.
        #[arg(long)]
        issuer: Option<String>,
        /// Take this key away instead: its tokens open nothing any more.
        #[arg(long, value_name = "ID", conflicts_with_all = ["id", "issuer"])]
        remove: Option<String>,
        /// The bucket.
        #[command(flatten)]
        bucket: BucketOptions,
    },
    /// Make a token for a stream and print it.
    Mint(Box<Mint>),
    /// Say what a token says and whether it opens. Without a bucket only the first.
    Inspect {
        /// The token, or an address with one.
        token: String,
        /// `s3://NAME`, with the ordinary AWS environment variables.
        #[arg(long, env = "TIDEGATE_STORE")]
        store: Option<crate::cli::Store>,
        /// The path that it is held against, as `/live/demo/index.m3u8`.
        #[arg(long)]
        path: Option<String>,
    },
    /// Call a token back, within some seconds everywhere.
    Revoke {
        /// The token, an address with one, or its id (`cti`) in hexadecimal digits.
        token: String,
        /// The bucket.
        #[command(flatten)]
        bucket: BucketOptions,
    },
}

/// What a token is to say.
#[derive(Args, Debug)]
pub struct Mint {
    /// The stream that it opens.
    #[arg(required_unless_present_any = ["origin", "path"])]
    stream: Option<StreamId>,
    /// The origin that it opens, in place of a stream.
    #[arg(long, conflicts_with = "stream")]
    origin: Option<OriginId>,
    /// What every address begins with that it opens, in place of a stream.
    #[arg(long, conflicts_with_all = ["stream", "origin"])]
    path: Option<String>,
    /// How long it is good, as `90s`, `15m`, `12h`, `30d`.
    #[arg(long = "for", default_value = "12h")]
    life: Span,
    /// Whom it is for; all tokens of a subject can be revoked at once.
    #[arg(long)]
    subject: Option<String>,
    /// Who makes it.
    #[arg(long)]
    issuer: Option<String>,
    /// Where it opens, as `DE` or `US-CA`; may be given several times. Nowhere named: everywhere.
    #[arg(long = "country")]
    countries: Vec<String>,
    /// Which methods it opens; may be given several times. None named: all.
    #[arg(long = "method")]
    methods: Vec<String>,
    /// Renew it shortly before its end, each time for as long as it is good.
    #[arg(long, value_enum)]
    renew: Option<Renew>,
    /// Print the addresses of the stream with the token in them, in place of the token alone.
    #[arg(long, value_name = "https://HOST")]
    at: Option<String>,
    /// The bucket.
    #[command(flatten)]
    bucket: BucketOptions,
}

/// How a renewed token comes to the viewer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Renew {
    Automatic,
    Cookie,
    Header,
    Redirect,
}

pub(crate) async fn run(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Key { id: _, issuer: _, remove: Some(id), bucket } => {
            let mut document = Document::<Keys>::read(&bucket, MetaKey::PlaybackKeys.into()).await?;
            if !document.value.remove(&id) {
                bail!("there is no key {id}");
            }
            document.write().await?;
            println(&format!("the key {id} is gone; edges know it within some seconds"));
        }
        TokenCommand::Key { id, issuer, remove: None, bucket } => {
            let mut document = Document::<Keys>::read(&bucket, MetaKey::PlaybackKeys.into()).await?;
            let id = id.unwrap_or_else(|| format!("k{}", now_s()));
            let mut key = tidegate_token::Key::new(&id, document::random::<32>()?.to_vec())?;
            key.issuer = issuer;
            let secret = key.secret_text();
            document.value.rotate(key)?;
            document.write().await?;
            println(&format!("id      {id}\nsecret  {secret}"));
        }
        TokenCommand::Mint(mint) => println(&mint.run().await?),
        TokenCommand::Inspect { token, store, path } => {
            let bucket = store.map(|store| BucketOptions { store });
            println(&inspect(token_in(&token), bucket.as_ref(), path.as_deref()).await?);
        }
        TokenCommand::Revoke { token, bucket } => {
            let token = token_in(&token);
            let id = match Token::peek(token) {
                Ok(claims) => claims.id.context("the token has no id (`cti`): take its key away, or wait until it ends")?,
                Err(_) => from_hex(token).context("this is neither a token nor the id of one in hexadecimal digits")?,
            };
            let mut document = Document::<Revocations>::read(&bucket, MetaKey::Revocations.into()).await?;
            document.value.revoke(&id)?;
            document.write().await?;
            println(&format!("the token {} is revoked; edges know it within some seconds", hex(&id)));
        }
    }
    Ok(())
}

impl Mint {
    async fn run(self) -> anyhow::Result<String> {
        let document = Document::<Keys>::read(&self.bucket, MetaKey::PlaybackKeys.into()).await?;
        let key = document.value.first().context("there is no key yet: `tidegate token key` makes one")?;
        let folder = match (&self.stream, &self.origin, &self.path) {
            (Some(stream), ..) => format!("/live/{stream}/"),
            (_, Some(origin), _) => OriginPath::folder(origin),
            (_, _, Some(path)) => path.clone(),
            (None, None, None) => bail!("name a stream, an --origin or a --path"),
        };
        let now_s = now_s();
        let life_s = self.life.0;
        let kind = self.renew.map(|renew| match renew {
            Renew::Automatic => RenewalKind::Automatic,
            Renew::Cookie => RenewalKind::Cookie,
            Renew::Header => RenewalKind::Header,
            Renew::Redirect => RenewalKind::Redirect,
        });
        let renewal = kind.map(|kind| Renewal { kind, adds_s: life_s, deadline_s: None, name: None, parameters: Vec::new(), status: None });
        let claims = Claims {
            issuer: self.issuer.clone().or_else(|| key.issuer.clone()),
            subject: self.subject.clone(),
            audience: Some(&document.value.audience).filter(|audience| !audience.is_empty()).cloned().into_iter().collect(),
            expires_s: Some(now_s.saturating_add(life_s)),
            not_before_s: None,
            issued_s: Some(now_s),
            id: Some(document::random::<16>()?.to_vec()),
            uri: vec![Match { part: UriPart::Path, kind: MatchKind::Prefix, text: folder.clone() }],
            methods: self.methods.clone(),
            countries: self.countries.iter().map(|country| country.to_ascii_uppercase()).collect(),
            renewal,
        };
        let token = Token::seal(&claims, key);
        Ok(match &self.at {
            Some(host) => format!("{}{}{folder}index.m3u8", host.trim_end_matches('/'), token_prefix(&token)),
            None => token,
        })
    }
}

/// A token that opens a stream for so long, made with a key of the document.
pub(crate) fn for_stream(stream: &StreamId, keys: &Keys, key: &tidegate_token::Key, life_s: u64) -> anyhow::Result<String> {
    let now_s = now_s();
    let claims = Claims {
        issuer: key.issuer.clone(),
        audience: Some(&keys.audience).filter(|audience| !audience.is_empty()).cloned().into_iter().collect(),
        expires_s: Some(now_s.saturating_add(life_s)),
        issued_s: Some(now_s),
        id: Some(document::random::<16>()?.to_vec()),
        uri: vec![Match { part: UriPart::Path, kind: MatchKind::Prefix, text: format!("/live/{stream}/") }],
        ..Claims::default()
    };
    Ok(Token::seal(&claims, key))
}

async fn inspect(token: &str, bucket: Option<&BucketOptions>, path: Option<&str>) -> anyhow::Result<String> {
    let claims = Token::peek(token)?;
    let mut said = describe(&claims);
    said["kid"] = tidegate_token::kid_of(token).map(|kid| String::from_utf8_lossy(&kid).into_owned()).into();
    if let Some(bucket) = bucket {
        let keys = Document::<Keys>::read(bucket, MetaKey::PlaybackKeys.into()).await?.value;
        let revocations = Document::<Revocations>::read(bucket, MetaKey::Revocations.into()).await?.value;
        // Without a path, against the first that it opens.
        let own = claims.uri.iter().find(|condition| condition.part == UriPart::Path).map(|condition| condition.text.as_str());
        let path = path.or(own).unwrap_or("/");
        let country = claims.countries.first().map(String::as_str);
        let method = claims.methods.first().map_or("GET", String::as_str);
        let asked = Asked { now_s: now_s(), method, scheme: "https", authority: "", path, query: "", country, audience: &keys.audience };
        let verdict = match Token::open(token, &keys) {
            Err(why) => why.to_string(),
            Ok(token) => token.claims.allow(&asked, &revocations).map_or_else(|why| why.to_string(), |()| format!("it opens {path}")),
        };
        said["verdict"] = verdict.into();
    }
    Ok(serde_json::to_string_pretty(&said)?)
}

/// The claims by their names in the specifications.
fn describe(claims: &Claims) -> serde_json::Value {
    let uri = claims.uri.iter().map(|Match { part, kind, text }| format!("{part:?} {kind:?} {text}").to_lowercase());
    let mut said = json!({
        "iss": claims.issuer,
        "sub": claims.subject,
        "aud": claims.audience,
        "exp": claims.expires_s,
        "nbf": claims.not_before_s,
        "iat": claims.issued_s,
        "cti": claims.id.as_deref().map(hex),
        "catu": uri.collect::<Vec<_>>(),
        "catm": claims.methods,
        "catgeoiso3166": claims.countries,
        "catr": claims.renewal.as_ref().map(|renewal| format!("{:?}, {} s", renewal.kind, renewal.adds_s).to_lowercase()),
    });
    if let Some(fields) = said.as_object_mut() {
        fields.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    }
    said
}

/// The token in an address that has one, or the text itself.
pub(crate) fn token_in(text: &str) -> &str {
    let after = text.split_once("/~").or_else(|| text.split_once("token=")).map_or(text, |(_, after)| after);
    after.split(['/', '&', '?', '#']).next().unwrap_or(after).trim()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[allow(clippy::print_stdout, reason = "the answer to the command")]
fn println(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_in_addresses() {
        for text in ["abc", "https://h/~abc/live/demo/index.m3u8", "/live/demo/index.m3u8?a=1&token=abc&b", "/~abc"] {
            assert_eq!(token_in(text), "abc", "{text}");
        }
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        assert_eq!(from_hex(&hex(&[0, 255, 16])), Some(vec![0, 255, 16]));
        for bad in ["", "a", "xy", "é0"] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_is_described_by_the_names_of_its_claims() {
        let claims = Claims {
            expires_s: Some(5),
            uri: vec![Match { part: UriPart::Path, kind: MatchKind::Prefix, text: "/live/demo/".into() }],
            ..Claims::default()
        };
        assert_eq!(describe(&claims), json!({ "exp": 5, "catu": ["path prefix /live/demo/"] }));
    }
}
