//! Which request goes where. The table is also what the description of the API is made from.

use alloc::{string::String, vec::Vec};

use tidegate_function::Answer;
use tidegate_stream::Scope;

use crate::{
    answer::{Refusal, preflight, problem, with_header},
    call::{Call, Go},
    openapi,
    resource::{audit, cues, keys, list, live, playback, sessions, streams, tokens, viewers, webhooks},
    schema::Field,
};

/// One address with one method.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// Below `/`; what stands in braces is a place.
    pub(crate) path: &'static str,
    /// What an API token has to allow; `None`: anybody may ask.
    pub(crate) scope: Option<Scope>,
    /// The status where all goes well.
    pub(crate) status: u16,
    pub(crate) about: &'static str,
    pub(crate) body: Option<&'static [Field]>,
    pub(crate) query: &'static [&'static str],
    /// Needs If-Match.
    pub(crate) guarded: bool,
    run: fn(&mut Call<'_>) -> Go<Answer>,
}

const fn get(path: &'static str, scope: Scope, about: &'static str, run: fn(&mut Call<'_>) -> Go<Answer>) -> Route {
    Route { method: "GET", path, scope: Some(scope), status: 200, about, body: None, query: &[], guarded: false, run }
}

const fn post(
    path: &'static str,
    scope: Scope,
    about: &'static str,
    body: Option<&'static [Field]>,
    run: fn(&mut Call<'_>) -> Go<Answer>,
) -> Route {
    Route { method: "POST", path, scope: Some(scope), status: 201, about, body, query: &[], guarded: false, run }
}

const fn delete(path: &'static str, scope: Scope, about: &'static str, run: fn(&mut Call<'_>) -> Go<Answer>) -> Route {
    Route { method: "DELETE", path, scope: Some(scope), status: 204, about, body: None, query: &[], guarded: false, run }
}

pub(crate) const PAGE: &[&str] = &["limit", "cursor"];

/// Every route.
pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "api/v1/openapi.json",
        scope: None,
        status: 200,
        about: "This description",
        body: None,
        query: &[],
        guarded: false,
        run: openapi::serve,
    },
    Route { query: list::QUERY, ..get("api/v1/streams", Scope::StreamsRead, "List and search streams, newest first", list::list) },
    post("api/v1/streams", Scope::StreamsWrite, "Make a stream", Some(streams::NEW), streams::create),
    get("api/v1/streams/{stream}", Scope::StreamsRead, "What a stream is called and how it is treated", streams::get),
    Route {
        method: "PUT",
        body: Some(streams::FIELDS),
        guarded: true,
        ..get("api/v1/streams/{stream}", Scope::StreamsWrite, "Replace what a stream is called and how it is treated", streams::put)
    },
    Route {
        method: "PATCH",
        body: Some(streams::FIELDS),
        guarded: true,
        ..get("api/v1/streams/{stream}", Scope::StreamsWrite, "Change some of it (JSON merge patch)", streams::patch)
    },
    Route {
        guarded: true,
        ..delete("api/v1/streams/{stream}", Scope::StreamsWrite, "Delete a stream, its keys and playback ids", streams::delete)
    },
    get("api/v1/streams/{stream}/live", Scope::StreamsRead, "Whether a stream is live, and how well", live::get),
    Route {
        scope: None,
        ..get("api/v1/streams/{stream}/viewers", Scope::AnalyticsRead, "Viewers at this moment; more with `analytics:read`", viewers::now)
    },
    Route {
        query: viewers::QUERY,
        ..get("api/v1/streams/{stream}/analytics", Scope::AnalyticsRead, "Figures about viewers over time", viewers::figures)
    },
    Route {
        query: PAGE,
        ..get("api/v1/streams/{stream}/sessions", Scope::StreamsRead, "The sessions of a stream, newest first", sessions::list)
    },
    get("api/v1/streams/{stream}/sessions/{session}", Scope::StreamsRead, "One session", sessions::get),
    get("api/v1/streams/{stream}/keys", Scope::StreamsRead, "The stream keys, without the keys", keys::list),
    post("api/v1/streams/{stream}/keys", Scope::KeysWrite, "Make a stream key, which is shown once", Some(keys::FIELDS), keys::create),
    post("api/v1/streams/{stream}/keys/{key}/rotate", Scope::KeysWrite, "Replace a stream key by a new one", None, keys::rotate),
    delete("api/v1/streams/{stream}/keys/{key}", Scope::KeysWrite, "Revoke a stream key", keys::revoke),
    post(
        "api/v1/streams/{stream}/publish-tokens",
        Scope::KeysWrite,
        "Sign a token that publishes for a while",
        Some(keys::SIGN),
        keys::sign,
    ),
    get("api/v1/streams/{stream}/playback-ids", Scope::StreamsRead, "The playback ids of a stream", playback::list),
    post("api/v1/streams/{stream}/playback-ids", Scope::StreamsWrite, "Make a playback id", Some(playback::FIELDS), playback::create),
    delete("api/v1/streams/{stream}/playback-ids/{id}", Scope::StreamsWrite, "Withdraw a playback id", playback::withdraw),
    get("api/v1/playback-ids/{id}", Scope::StreamsRead, "Which stream a playback id shows", playback::get),
    post(
        "api/v1/streams/{stream}/cues",
        Scope::CuesWrite,
        "Say something at a moment of the live session",
        Some(cues::FIELDS),
        cues::create,
    ),
    get("api/v1/tokens", Scope::TokensWrite, "The API tokens, without the tokens", tokens::list),
    post("api/v1/tokens", Scope::TokensWrite, "Make an API token, which is shown once", Some(tokens::FIELDS), tokens::create),
    delete("api/v1/tokens/{token}", Scope::TokensWrite, "Revoke an API token", tokens::revoke),
    get("api/v1/webhooks", Scope::WebhooksWrite, "Where events are sent", webhooks::list),
    post(
        "api/v1/webhooks",
        Scope::WebhooksWrite,
        "Send events to an address; the secret is shown once",
        Some(webhooks::FIELDS),
        webhooks::create,
    ),
    delete("api/v1/webhooks/{webhook}", Scope::WebhooksWrite, "Send no more events there", webhooks::remove),
    Route {
        status: 202,
        ..post("api/v1/webhooks/{webhook}/test", Scope::WebhooksWrite, "Send an event to see whether it arrives", None, webhooks::test)
    },
    Route {
        query: PAGE,
        ..get("api/v1/undelivered", Scope::WebhooksWrite, "Deliveries that were given up, newest first", webhooks::undelivered)
    },
    Route { query: PAGE, ..get("api/v1/audit", Scope::AuditRead, "Who changed what, newest first", audit::list) },
    Route {
        method: "GET",
        path: "live/{stream}/info.json",
        scope: None,
        status: 200,
        about: "What viewers see of a stream",
        body: None,
        query: &[],
        guarded: false,
        run: live::info,
    },
];

/// Answers a request, or says what has to be read or written first.
pub(crate) fn answer(call: &mut Call<'_>) -> Go<Answer> {
    let request = call.request;
    let path = request.path.strip_prefix('/').unwrap_or(&request.path);
    let here: Vec<(&Route, Vec<&str>)> = ROUTES.iter().filter_map(|route| Some((route, places(route.path, path)?))).collect();
    if here.is_empty() {
        return Ok(problem(Refusal::NotFound, "this is no address of the API: see /api/v1/openapi.json"));
    }
    let method = if request.method == "HEAD" { "GET" } else { request.method.as_str() };
    let allowed = || {
        let methods: Vec<&str> = here.iter().map(|(route, _)| route.method).chain(["OPTIONS"]).collect();
        methods.join(", ")
    };
    if method == "OPTIONS" {
        return Ok(preflight(allowed()));
    }
    let Some((route, places)) = here.iter().find(|(route, _)| route.method == method) else {
        let allow: String = allowed();
        return Ok(with_header(problem(Refusal::Method, format_args!("there are {allow}")), "allow", allow));
    };
    call.places.clone_from(places);
    if let Some(scope) = route.scope {
        call.authorize(scope)?;
    }
    if route.query.is_empty() && !request.query.is_empty() {
        return Ok(problem(Refusal::Malformed, "this address has no query"));
    }
    (route.run)(call)
}

/// What stands in the places of a pattern, where a path fits it.
fn places<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut places = Vec::new();
    let mut words = path.split('/');
    for expected in pattern.split('/') {
        let word = words.next()?;
        match expected.starts_with('{') {
            true if word.is_empty() => return None,
            true => places.push(word),
            false if word != expected => return None,
            false => {}
        }
    }
    words.next().is_none().then_some(places)
}
