use alloc::{
    borrow::{Cow, ToOwned as _},
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use tidegate_function::{Answer, Fetched, Header, Input, Job, Output, Request, World};
use tidegate_stream::{MetaKey, split_token, token_prefix};
use tidegate_token::{Asked, Claims, Keys, Renewal, RenewalKind, Revocations, Token};

use crate::{
    answer::{own, redirect, refuse},
    bearer::{Bearer, COUNTRY, Carrier, HEADER, HOST, PREFIX, SCHEME, TOKEN},
    kept::Kept,
    policy::{Access, Policy, Subject},
};

/// What an instance knows of policies, keys and revocations, beside what the function behind knows.
#[derive(Debug, Default)]
pub struct State<S> {
    policies: Kept<Policy>,
    keys: Kept<Option<Keys>>,
    revocations: Kept<Option<Revocations>>,
    /// Of the function behind.
    pub inner: S,
}

/// A job in front of another.
#[derive(Debug)]
pub struct Guarded<J> {
    stage: Stage<J>,
    new: fn(Request) -> J,
    /// The object that was asked for.
    asked: Option<String>,
    /// Objects that could not be read: what is known of them has to do.
    failed: Vec<String>,
}

#[derive(Debug)]
enum Stage<J> {
    /// May this viewer watch?
    Asking { request: Request, bearer: Option<Bearer>, subject: Subject },
    /// The viewer may.
    Passed { job: J, own: Option<Own> },
    /// The viewer may not, or is led elsewhere.
    Answered(Answer),
}

/// What makes an answer this viewer's.
#[derive(Debug, Default)]
struct Own {
    /// When the token ends.
    expires_s: Option<u64>,
    headers: Vec<Header>,
}

impl<J: Job> Guarded<J> {
    /// Puts the step in front of the job that `new` makes.
    pub fn new(mut request: Request, new: fn(Request) -> J) -> Self {
        request.headers.retain(|(name, _)| name != PREFIX && name != TOKEN);
        let stage = match Subject::of(split_token(&request.path).1) {
            // A browser that asks whether it may ask carries no token.
            Some(subject) if request.method != "OPTIONS" => {
                let bearer = Bearer::take(&mut request);
                Stage::Asking { request, bearer, subject }
            }
            _ => {
                // No policy is about it: what it carries is for the function behind, but for a token in its path.
                request.path = split_token(&request.path).1.to_owned();
                Stage::Passed { job: new(request), own: None }
            }
        };
        Self { stage, new, asked: None, failed: Vec::new() }
    }

    /// Lets the function behind begin.
    fn pass(&self, mut request: Request, bearer: Option<&Bearer>, own: Option<Own>) -> Stage<J> {
        if let Some(bearer) = bearer {
            if bearer.carrier == Carrier::Path {
                request.headers.push((PREFIX.into(), token_prefix(&bearer.token)));
            }
            request.headers.push((TOKEN.into(), bearer.token.clone()));
        }
        Stage::Passed { job: (self.new)(request), own }
    }

    /// Reads what is needed, and decides.
    fn step(&mut self, state: &State<J::State>, world: &World) -> Result<Stage<J>, String> {
        let Stage::Asking { request, bearer, subject } = &self.stage else { return Ok(Stage::Answered(refuse(503, "nothing is asked"))) };
        let now_ms = world.now_utc_ms;
        let unread = || Ok(Stage::Answered(refuse(503, "the store does not answer")));
        let Some(policy) = self.known(&state.policies, &subject.document(), now_ms)? else { return unread() };
        let country = request.header(COUNTRY);
        match policy.access {
            Access::Off => return Ok(Stage::Answered(refuse(403, "this stream is switched off"))),
            Access::Nobody => return Ok(Stage::Answered(refuse(403, "nobody may watch this"))),
            Access::Public | Access::Signed | Access::Private => {}
        }
        if !policy.allows_country(country) {
            return Ok(Stage::Answered(refuse(403, "this may not be watched from this country")));
        }
        if policy.access == Access::Public {
            // What depends on the viewer's country is not for caches that do not know it.
            let own = (!policy.is_open()).then(Own::default);
            return Ok(self.pass(request.clone(), None, own));
        }
        let Some(bearer) = bearer else { return Ok(Stage::Answered(refuse(401, "this needs a playback token"))) };
        let Some(keys) = self.known(&state.keys, &keys_document(), now_ms)? else { return unread() };
        let Some(keys) = keys else { return unread() };
        let Some(revocations) = self.known(&state.revocations, &revocations_document(), now_ms)? else { return unread() };
        let Some(revocations) = revocations else { return unread() };
        let everywhere = policy.countries.is_empty() && policy.blocked_countries.is_empty();
        Ok(self.judge(request, bearer, subject, policy.access, &Known { keys, revocations, world, everywhere }))
    }

    fn judge(&self, request: &Request, bearer: &Bearer, subject: &Subject, access: Access, known: &Known<'_>) -> Stage<J> {
        let token = match Token::open(&bearer.token, known.keys) {
            Ok(token) => token,
            Err(why) => return Stage::Answered(refuse(401, why)),
        };
        let now_s = known.world.now_utc_ms / 1000;
        let asked = Asked {
            now_s,
            method: &request.method,
            scheme: request.header(SCHEME).unwrap_or_default(),
            authority: request.header(HOST).unwrap_or_default(),
            path: &request.path,
            query: &request.query,
            country: request.header(COUNTRY),
            audience: &known.keys.audience,
        };
        if let Err(why) = token.claims.allow(&asked, known.revocations) {
            use tidegate_token::Refusal::{Address, Audience, Country, Expired, Method, NotYet, Revoked};
            let status = match why {
                Expired | NotYet => 401,
                Address | Audience | Country | Method | Revoked => 403,
            };
            return Stage::Answered(refuse(status, why));
        }
        if access == Access::Private && !is_narrow(&token.claims, subject) {
            return Stage::Answered(refuse(403, "this needs a token that is for it alone, ends, and has an id"));
        }
        // What a CDN gets it keeps for all whom it lets in; who else has such a token gets the same, and may keep it as long.
        // What is private is for one viewer, and what a country decides for those of that country.
        let may_be_shared = access == Access::Signed && known.everywhere && token.claims.countries.is_empty();
        if may_be_shared && bearer.carrier == Carrier::Header && token.claims.subject.as_deref() == Some(CDN) {
            return self.pass(request.clone(), None, None);
        }
        let mut own = Own { expires_s: token.claims.expires_s, headers: Vec::new() };
        let mut id = [0; 16];
        id.iter_mut().zip(known.world.random).for_each(|(to, from)| *to = from);
        let renewed = token.claims.renew(now_s, id).and_then(|(claims, renewal)| {
            let key = known.keys.find(token.key_id.as_bytes())?;
            Some((Token::seal(&claims, key), renewal))
        });
        match (renewed, bearer.carrier) {
            (Some((new, renewal)), carrier) if leads_on(renewal, carrier) => {
                return Stage::Answered(redirect(renewal.status.unwrap_or(302), address(&new, request)));
            }
            // From here on what is relative inherits the token.
            (_, Carrier::Query) => return Stage::Answered(redirect(302, address(&bearer.token, request))),
            (Some((new, renewal)), carrier) => own.headers.extend(renewal_headers(renewal, carrier, &new)),
            (None, _) => {}
        }
        self.pass(request.clone(), Some(bearer), Some(own))
    }

    /// A document; `Err` with its key where it has to be read, `None` where it cannot be.
    fn known<'a, T>(&self, kept: &'a Kept<T>, key: &str, now_ms: u64) -> Result<Option<&'a T>, String> {
        if let Some(known) = kept.fresh(key, now_ms) {
            return Ok(Some(known));
        }
        if self.failed.iter().any(|failed| failed == key) { Ok(kept.stale(key, now_ms)) } else { Err(key.to_owned()) }
    }
}

impl<J: Job> Job for Guarded<J> {
    type State = State<J::State>;

    fn poll(&mut self, state: &mut Self::State, world: &World) -> Output {
        if matches!(self.stage, Stage::Asking { .. }) {
            match self.step(state, world) {
                Ok(stage) => self.stage = stage,
                Err(key) => {
                    self.asked = Some(key.clone());
                    return Output::Fetch { key, range: None, fresh: false, ahead: Vec::new() };
                }
            }
        }
        match &mut self.stage {
            Stage::Passed { job, own: mine } => match job.poll(&mut state.inner, world) {
                Output::Answer(mut answer) => {
                    if let Some(mine) = mine {
                        own(&mut answer, mine.expires_s.map(|s| s.saturating_sub(world.now_utc_ms / 1000)), &mine.headers);
                    }
                    Output::Answer(answer)
                }
                other => other,
            },
            Stage::Answered(answer) => Output::Answer(answer.clone()),
            Stage::Asking { .. } => Output::Answer(refuse(503, "nothing was decided")),
        }
    }

    fn handle(&mut self, state: &mut Self::State, world: &World, input: Input) {
        if let Stage::Passed { job, .. } = &mut self.stage {
            job.handle(&mut state.inner, world, input);
            return;
        }
        let (Some(key), Input::Fetched(fetched)) = (self.asked.take(), input) else { return };
        let now_ms = world.now_utc_ms;
        let bytes = match fetched {
            Fetched::Got { bytes, .. } => Some(bytes),
            Fetched::Missing => None,
            Fetched::Failed => {
                self.failed.push(key);
                return;
            }
        };
        if key == keys_document() {
            // Without keys no token is right. A document that cannot be read is nobody's word for that.
            let keys = bytes.map_or_else(|| Some(Keys::default()), |bytes| serde_json::from_slice(&bytes).ok());
            state.keys.put(&key, now_ms, keys);
        } else if key == revocations_document() {
            let revocations = bytes.map_or_else(|| Some(Revocations::default()), |bytes| serde_json::from_slice(&bytes).ok());
            state.revocations.put(&key, now_ms, revocations);
        } else {
            // A stream that nobody described is open, as one that is made by publishing it.
            state.policies.put(&key, now_ms, bytes.map_or(Policy::OPEN, |bytes| Policy::read(&bytes)));
        }
    }
}

struct Known<'a> {
    keys: &'a Keys,
    revocations: &'a Revocations,
    world: &'a World,
    /// The policy names no country.
    everywhere: bool,
}

/// The subject of a token with which a CDN asks that has checked its viewers' tokens itself.
const CDN: &str = "cdn";

fn keys_document() -> String {
    MetaKey::PlaybackKeys.to_string()
}

fn revocations_document() -> String {
    MetaKey::Revocations.to_string()
}

/// The address of a request with a token in its path.
fn address(token: &str, request: &Request) -> String {
    let question = if request.query.is_empty() { "" } else { "?" };
    format!("{}{}{question}{}", token_prefix(token), request.path, request.query)
}

/// Whether a token opens this and nothing else, ends, and can be called back.
fn is_narrow(claims: &Claims, subject: &Subject) -> bool {
    claims.expires_s.is_some() && claims.id.is_some() && claims.is_bound_to(&subject.folder())
}

/// Whether the renewed token comes by a redirect: it was asked for so, or there is no other way, since the old one is in the address.
fn leads_on(renewal: &Renewal, carrier: Carrier) -> bool {
    match renewal.kind {
        RenewalKind::Redirect => true,
        RenewalKind::Automatic => matches!(carrier, Carrier::Path | Carrier::Query),
        RenewalKind::Cookie | RenewalKind::Header => false,
    }
}

/// The new token as a cookie or as a header. Both have the name under which tokens are looked for here, whatever the old one wishes.
fn renewal_headers(renewal: &Renewal, carrier: Carrier, token: &str) -> Vec<Header> {
    let is_cookie = renewal.kind == RenewalKind::Cookie || (renewal.kind == RenewalKind::Automatic && carrier == Carrier::Cookie);
    if !is_cookie {
        // Scripts of other sites read it only if they may.
        return Vec::from([(HEADER, Cow::Owned(token.to_owned())), ("access-control-expose-headers", Cow::Borrowed(HEADER))]);
    }
    let mut value = format!("{HEADER}={token}");
    if renewal.parameters.is_empty() {
        value.push_str("; Path=/; Secure; HttpOnly; SameSite=None");
    }
    for parameter in &renewal.parameters {
        value.push_str("; ");
        value.push_str(parameter);
    }
    Vec::from([("set-cookie", Cow::Owned(value))])
}
