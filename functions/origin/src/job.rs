use alloc::{
    format,
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};

use tidegate_function::{Answer, Input, Loaded, Output, Request, World};
use tidegate_rewrite::{Format, SteeringAnswer, dash, hls, is_multivariant, sniff};
use tidegate_stream::{MetaKey, OriginId, OriginPath};

use crate::{
    State,
    address::{file_url, redirected},
    answer::{Keep, json, playlist, preflight, refusal},
    document::Document,
    places::{Fetched, places, steering},
    state::{Known, Playlist},
    viewer::{DRAWN, Viewer},
};

/// The largest playlist that is taken: a recording of a day in segments of 2 s, with long addresses.
const BODY_BYTES: usize = 8 << 20;
/// How long an origin may take; a blocking reload of LL-HLS takes up to three target durations.
const TIMEOUT_MS: u32 = 10_000;
/// Redirects that are followed.
const REDIRECTS: usize = 4;
/// Seconds that a playlist is kept where its origin says nothing.
const KEEP_S: u64 = 1;
/// The longest that a playlist is kept, whatever its origin says.
const LONGEST_KEEP_S: u64 = 3600;

/// One request on its way to an answer.
#[derive(Debug)]
pub struct Job {
    plan: Plan,
    viewer: Viewer,
}

#[derive(Debug)]
enum Plan {
    Done(Answer),
    /// The document is to be read first.
    Document(OriginPath),
    /// The playlist is to be loaded.
    Load {
        name: OriginId,
        document: Arc<Known>,
        asked: String,
        url: String,
        redirects: usize,
    },
}

impl Job {
    /// Starts on a request.
    #[must_use]
    pub fn new(request: Request) -> Self {
        let viewer = Viewer::new(&request);
        let plan = match request.method.as_str() {
            "GET" | "HEAD" => match OriginPath::parse(request.path.strip_prefix('/').unwrap_or(&request.path)) {
                Some(path) => Plan::Document(path),
                None => Plan::Done(refusal(404, "this is no address of an origin")),
            },
            "OPTIONS" => Plan::Done(preflight()),
            _ => Plan::Done(refusal(405, "only GET, HEAD and OPTIONS are answered here")),
        };
        Self { plan, viewer }
    }

    /// What to do once the document is known.
    fn begin(&self, path: &OriginPath, known: &Arc<Known>, state: &State, world: &World) -> Plan {
        let name = match path {
            OriginPath::File { name, .. } | OriginPath::Steer { name } => name,
        };
        let document = match &**known {
            Known::Missing => return Plan::Done(refusal(404, format_args!("there is no origin {name}"))),
            Known::Bad(why) => return Plan::Done(refusal(503, format_args!("the origin {name} cannot be used: {why}"))),
            Known::Document(document) => document,
        };
        let OriginPath::File { file, .. } = path else { return Plan::Done(self.steer(name, document, world)) };
        let Some(url) = file_url(document, file, &self.viewer.query) else {
            return Plan::Done(refusal(403, "this address is not below the origin's base, or on a network that is not public"));
        };
        match state.playlist(&url, world.now_utc_ms) {
            Some(kept) => Plan::Done(self.show(name, document, &kept)),
            None => Plan::Load { name: name.clone(), document: known.clone(), asked: url.clone(), url, redirects: 0 },
        }
    }

    fn steer(&self, name: &OriginId, document: &Document, world: &World) -> Answer {
        let Some(steering) = &document.steering else { return refusal(404, format_args!("the origin {name} is not steered")) };
        let [random, ..] = world.random;
        let drawn = self.viewer.drawn().unwrap_or_else(|| u32::from(random) * 100 / 256).min(99);
        let reload = format!("{}{}?tidegate.{DRAWN}={drawn}", self.viewer.prefix, OriginPath::steer(name));
        let pathways: Vec<_> = steering
            .pathways
            .iter()
            .map(|pathway| tidegate_rewrite::Pathway { base: self.viewer.with_token(&pathway.base), ..pathway.clone() })
            .collect();
        let is_dash = self.viewer.query.contains("_DASH_");
        let answer = SteeringAnswer::new(&pathways, steering.ttl_s, reload, drawn, !is_dash);
        serde_json::to_vec(&answer).map_or_else(|_| refusal(503, "the steering answer cannot be written"), json)
    }

    /// The playlist as this viewer gets it.
    fn show(&self, name: &OriginId, document: &Document, kept: &Playlist) -> Answer {
        let rules = match self.viewer.rules(document) {
            Ok(rules) => rules,
            Err(why) => return refusal(400, why),
        };
        let text = &kept.body[..];
        let Some(format) = sniff(text) else { return refusal(502, "the origin sent something that is no playlist") };
        let is_multivariant = format == Format::Dash || is_multivariant(text);
        let places = places(document, name, &self.viewer, &Fetched { asked: &kept.asked, url: &kept.url, is_multivariant });
        let tag = steering(document, name, &self.viewer);
        let rewritten = match format {
            Format::Hls => hls(text, &rules, &places, tag.as_ref()),
            Format::Dash => dash(text, &rules, &places, tag.as_ref()),
        };
        let keep = if self.viewer.token.is_empty() { Keep::Seconds(kept.keep_s) } else { Keep::Own(kept.keep_s) };
        match rewritten {
            Ok(body) => playlist(format, body, keep),
            Err(why) => refusal(404, why),
        }
    }

    fn loaded(&self, state: &mut State, world: &World, load: Load<'_>, loaded: Loaded) -> Plan {
        let Load { name, known, asked, url, redirects } = load;
        let Known::Document(document) = &**known else { return Plan::Done(refusal(503, "the origin is not known any more")) };
        let done = |status, why: &str| Plan::Done(refusal(status, why));
        let (status, headers, body) = match loaded {
            Loaded::Got { status, headers, body } => (status, headers, body),
            Loaded::TooLarge => return done(502, "the origin sent more than a playlist can be"),
            Loaded::Denied => return done(403, "the origin is on a network that this edge does not reach"),
            Loaded::Failed => return done(504, "the origin does not answer, or not in time"),
        };
        let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match status {
            200 => {}
            301 | 302 | 303 | 307 | 308 => {
                if redirects == REDIRECTS {
                    return done(502, "the origin redirects again and again");
                }
                let Some(url) = header("location").and_then(|location| redirected(document, url, location)) else {
                    return done(502, "the origin redirects to an address that is not allowed");
                };
                return Plan::Load { name: name.clone(), document: known.clone(), asked: asked.into(), url, redirects: redirects + 1 };
            }
            404 | 410 => return done(404, "the origin has no such playlist"),
            429 | 503 => return done(503, "the origin is busy"),
            status => return Plan::Done(refusal(502, format_args!("the origin answers with {status}"))),
        }
        let keep_s = keep_s(header("cache-control"));
        let until_ms = world.now_utc_ms.saturating_add(keep_s.saturating_mul(1000));
        let kept = Playlist { asked: asked.into(), url: url.into(), body: Arc::new(body), keep_s, until_ms };
        let answer = self.show(name, document, &kept);
        if keep_s > 0 && sniff(&kept.body).is_some() {
            state.put_playlist(kept);
        }
        Plan::Done(answer)
    }
}

/// A load that was asked for.
struct Load<'a> {
    name: &'a OriginId,
    known: &'a Arc<Known>,
    asked: &'a str,
    url: &'a str,
    redirects: usize,
}

impl tidegate_function::Job for Job {
    type State = State;

    fn poll(&mut self, state: &mut State, world: &World) -> Output {
        if let Plan::Document(path) = &self.plan {
            let name = match path {
                OriginPath::File { name, .. } | OriginPath::Steer { name } => name,
            };
            match state.document(name, world.now_utc_ms) {
                Some(known) => self.plan = self.begin(path, &known, state, world),
                None => {
                    return Output::Fetch {
                        key: MetaKey::Origin { name: name.clone() }.to_string(),
                        range: None,
                        fresh: false,
                        ahead: Vec::new(),
                    };
                }
            }
        }
        match &self.plan {
            Plan::Done(answer) => Output::Answer(answer.clone()),
            Plan::Load { document, url, .. } => {
                let own = match &**document {
                    Known::Document(document) => document.headers.as_slice(),
                    Known::Missing | Known::Bad(_) => &[],
                };
                // What is for the origin is not for those it redirects to.
                let is_own = matches!(&**document, Known::Document(document) if url.starts_with(&document.base));
                let headers = own.iter().filter(|_| is_own).cloned().collect();
                Output::Load { url: url.clone(), headers, max_bytes: BODY_BYTES, timeout_ms: TIMEOUT_MS }
            }
            Plan::Document(_) => Output::Answer(refusal(503, "the origin is not known")),
        }
    }

    fn handle(&mut self, state: &mut State, world: &World, input: Input) {
        use tidegate_function::Fetched as Read;
        match (&self.plan, input) {
            (Plan::Document(OriginPath::File { name, .. } | OriginPath::Steer { name }), Input::Fetched(fetched)) => {
                let known = match fetched {
                    Read::Got { bytes, .. } => {
                        Document::parse(&bytes).map_or_else(|why| Known::Bad(why.to_string()), |document| Known::Document(document.into()))
                    }
                    Read::Missing => Known::Missing,
                    Read::Failed => {
                        self.plan = Plan::Done(refusal(503, "the store does not answer"));
                        return;
                    }
                };
                state.put_document(&name.clone(), world.now_utc_ms, known);
            }
            (Plan::Load { name, document, asked, url, redirects }, Input::Loaded(loaded)) => {
                let load = Load { name, known: document, asked, url, redirects: *redirects };
                self.plan = self.loaded(state, world, load, loaded);
            }
            _ => {}
        }
    }
}

/// How long caches may keep what came with this Cache-Control, in seconds.
fn keep_s(cache_control: Option<&str>) -> u64 {
    let Some(value) = cache_control else { return KEEP_S };
    let value = value.to_ascii_lowercase();
    let words = value.split(',').map(str::trim);
    if words.clone().any(|word| matches!(word, "no-store" | "no-cache" | "private")) {
        return 0;
    }
    let age = |name: &str| words.clone().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok());
    let age = age("s-maxage").or_else(|| age("max-age"));
    age.unwrap_or(KEEP_S).min(LONGEST_KEEP_S)
}
