use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use tidegate_rewrite::{BadRules, Parts, Pathway, Rules, host_is_private};

/// `meta/origins/<name>.json`: another origin, and what is changed in its playlists.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Document {
    /// What every address of the origin begins with; ends with a slash. Nothing else is fetched.
    pub base: String,
    /// Other bases that the origin's redirects may lead to.
    pub redirects: Vec<String>,
    /// The origin may be on a private network. Hosts ask for a permission of their own beside this.
    pub private: bool,
    /// Headers for the origin, as `["authorization", "…"]`.
    pub headers: Vec<(String, String)>,
    /// Who may watch: the step in front reads it, here it only has its place.
    #[serde(skip_serializing_if = "Playback::is_none")]
    pub playback: Playback,
    /// Where other playlists of the origin lead.
    pub playlists: Lead,
    /// Where its media leads.
    pub media: Lead,
    /// Parameters for the addresses of media, as `token={token}`; `{token}` stands for the viewer's token.
    pub media_query: String,
    /// What is changed.
    pub rules: Rules,
    /// Viewers may narrow the filter and the start, with `tidegate.max_height=720` and the like.
    pub viewers_choose: bool,
    /// Several ways to the media.
    pub steering: Option<Steering>,
}

/// Where addresses lead.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lead {
    /// Here: through this function. For playlists, which then are rewritten too.
    Edge,
    /// To the origin itself.
    #[default]
    Origin,
    /// To this base address in place of the origin's; `{token}` stands for the viewer's token. Ends with a slash.
    To(String),
}

/// Content steering: several bases with the same files, and which of them viewers are to take.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steering {
    /// Seconds until a player asks again.
    #[serde(default = "ttl_s")]
    pub ttl_s: u32,
    /// The ways, best first. In HLS they differ by nothing but their hosts.
    pub pathways: Vec<Pathway>,
}

fn ttl_s() -> u32 {
    300
}

/// Whatever stands there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Playback;

impl Playback {
    fn is_none(&self) -> bool {
        true
    }
}

impl Serialize for Playback {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Playback {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Why a document cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadDocument {
    /// Not JSON, or with a field that is not known.
    #[error("the document cannot be read: {0}")]
    Json(String),
    /// A base that is not one.
    #[error("{0} is a base address: http or https, a host, no query, and a slash at the end")]
    Base(&'static str),
    /// A base on a private network without permission.
    #[error("{0} is on a private network: the document has to say `private`")]
    Private(&'static str),
    /// Media would go through the function.
    #[error("media cannot lead through the edge function: let it lead to the origin or to a base address")]
    MediaAtEdge,
    /// Not a header.
    #[error("a header for the origin has a name of letters, digits and hyphens, and a value without control characters")]
    Header,
    /// Not enough, too many, or names that are not.
    #[error(
        "steering has 1 to {MOST} pathways, each with a name of letters, digits, `-`, `_` and `.`, which is there once, and a ttl_s of at least 1"
    )]
    Steering,
    /// More than a document should hold.
    #[error("a document has at most {MOST} redirects and headers")]
    TooMany,
    /// Rules that would break a playlist.
    #[error(transparent)]
    Rules(#[from] BadRules),
}

/// Redirects, headers, pathways: of each at most this many.
const MOST: usize = 16;

impl Document {
    /// Reads a document and checks that it can be used.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadDocument> {
        let document: Self = serde_json::from_slice(bytes).map_err(|error| BadDocument::Json(alloc::format!("{error}")))?;
        document.check()?;
        Ok(document)
    }

    fn check(&self) -> Result<(), BadDocument> {
        self.base_at("base", &self.base)?;
        if self.redirects.len() > MOST || self.headers.len() > MOST {
            return Err(BadDocument::TooMany);
        }
        self.redirects.iter().try_for_each(|base| self.base_at("a redirect", base))?;
        match &self.media {
            Lead::Edge => return Err(BadDocument::MediaAtEdge),
            Lead::Origin => {}
            Lead::To(base) => is_base(base).then_some(()).ok_or(BadDocument::Base("media"))?,
        }
        if let Lead::To(base) = &self.playlists {
            is_base(base).then_some(()).ok_or(BadDocument::Base("playlists"))?;
        }
        if self.media_query.contains(['"', '\n', '\r', '#', ' ']) {
            return Err(BadDocument::Rules(BadRules::Text("media_query")));
        }
        for (name, value) in &self.headers {
            let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !named || value.chars().any(char::is_control) {
                return Err(BadDocument::Header);
            }
        }
        if let Some(steering) = &self.steering {
            steering.check()?;
        }
        Ok(self.rules.check()?)
    }

    fn base_at(&self, what: &'static str, base: &str) -> Result<(), BadDocument> {
        if !is_base(base) || base.contains('{') {
            return Err(BadDocument::Base(what));
        }
        if !self.private && Parts::of(base).host().is_none_or(host_is_private) {
            return Err(BadDocument::Private(what));
        }
        Ok(())
    }
}

impl Steering {
    fn check(&self) -> Result<(), BadDocument> {
        let is_name =
            |id: &str| !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        let mut ids: Vec<_> = self.pathways.iter().map(|pathway| pathway.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() || ids.len() < self.pathways.len() || ids.len() > MOST || !ids.iter().all(|id| is_name(id)) || self.ttl_s == 0 {
            return Err(BadDocument::Steering);
        }
        self.pathways.iter().all(|pathway| is_base(&pathway.base)).then_some(()).ok_or(BadDocument::Base("the base of a pathway"))
    }
}

/// Whether a text can stand in front of a file's path.
fn is_base(base: &str) -> bool {
    let parts = Parts::of(base);
    parts.is_http()
        && parts.host().is_some_and(|host| !host.is_empty())
        && !parts.authority.is_some_and(|authority| authority.contains('@'))
        && parts.path.ends_with('/')
        && parts.query.is_none()
        && parts.fragment.is_none()
        && !base.contains(['"', '\n', '\r', ' ', '\\', '<', '>'])
        && !parts.path.split('/').any(|word| word == "." || word == "..")
}
