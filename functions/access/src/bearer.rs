use alloc::{
    borrow::ToOwned as _,
    string::{String, ToString as _},
    vec::Vec,
};

use tidegate_function::Request;
use tidegate_stream::split_token;

/// Where the viewer is, as the edge knows it: `DE` or `US-CA`. Only shells write it.
pub const COUNTRY: &str = "viewer-country";
/// The host, with its port, that the viewer asked. Only shells write it.
pub const HOST: &str = "viewer-host";
/// `http` or `https`, as the edge was asked. Only shells write it.
pub const SCHEME: &str = "viewer-scheme";
/// What stands in front of the path of this viewer's addresses: `/~<token>`, or nothing. For the function behind.
pub const PREFIX: &str = "viewer-prefix";
/// The viewer's token. For the function behind.
pub const TOKEN: &str = "viewer-token";

/// The header and the cookie of CTA-5007.
const NAME: &str = "cta-common-access-token";
/// The parameters that a first address may carry a token in.
const PARAMETERS: [&str; 3] = ["token", "cat", "CAT"];
/// How a token came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// `/~<token>/live/…`: what is relative in a playlist inherits it.
    Path,
    /// `CTA-Common-Access-Token: <token>`.
    Header,
    /// `Authorization: Bearer <token>`.
    Authorization,
    /// `Cookie: cta-common-access-token=<token>`.
    Cookie,
    /// `?token=<token>`: for a first address; the answer leads to the one with the token in its path.
    Query,
}

/// A token on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bearer {
    /// The token.
    pub token: String,
    /// How it came.
    pub carrier: Carrier,
}

impl Bearer {
    /// Takes the token out of a request: the function behind never sees it, and equal requests are equal. Of several the first in
    /// the order of [`Carrier`] counts.
    #[must_use]
    pub fn take(request: &mut Request) -> Option<Self> {
        let (in_path, path) = split_token(&request.path);
        let in_path = in_path.map(str::to_owned);
        request.path = path.to_owned();
        let mut in_query = None;
        if PARAMETERS.iter().any(|name| request.query.contains(name)) {
            let (tokens, others): (Vec<_>, Vec<_>) = request.query.split('&').partition(|pair| {
                let name = pair.split('=').next().unwrap_or_default();
                PARAMETERS.contains(&name)
            });
            in_query = tokens.first().and_then(|pair| pair.split_once('=')).map(|(_, token)| token.to_owned());
            request.query = others.join("&");
        }
        let header = |name: &str| request.header(name).map(|value| value.trim().to_owned());
        let bearer = |value: String| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        };
        let cookie = |value: String| {
            let pairs = value.split(';').filter_map(|pair| pair.trim().split_once('='));
            pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(NAME)).map(|(_, token)| token.to_string())
        };
        let found = [
            (in_path, Carrier::Path),
            (header(NAME), Carrier::Header),
            (header("authorization").and_then(bearer), Carrier::Authorization),
            (header("cookie").and_then(cookie), Carrier::Cookie),
            (in_query, Carrier::Query),
        ];
        request.headers.retain(|(name, _)| !matches!(name.as_str(), NAME | "authorization" | "cookie"));
        found.into_iter().find_map(|(token, carrier)| Some(Self { token: token?, carrier }))
    }
}

pub(crate) const HEADER: &str = NAME;
