//! The description of the API, made from the tables that the API itself works by.

use alloc::{
    format,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use tidegate_function::Answer;
use tidegate_stream::Json;

use crate::{
    answer::cached,
    call::{Call, Go},
    route::{ROUTES, Route},
    schema,
};

/// How long copies are kept, in s.
const KEPT_S: u32 = 300;

pub(crate) fn serve(_: &mut Call<'_>) -> Go<Answer> {
    Ok(cached(&openapi(), KEPT_S))
}

/// The API as OpenAPI 3.1.
#[must_use]
pub fn openapi() -> Json {
    let mut paths = Json::object();
    for route in ROUTES {
        let path = format!("/{}", route.path);
        let mut methods = paths.get(&path).cloned().unwrap_or_else(Json::object);
        methods.set(&route.method.to_lowercase(), operation(route));
        paths.set(&path, methods);
    }
    let info = Json::object().with("title", "Tidegate metadata").with("version", "1").with(
        "description",
        "Streams, keys, tokens, webhooks and cues. Changes of a stream need If-Match with the ETag that was read: 428 without, 412 where somebody else came first. POST takes an Idempotency-Key.",
    );
    let problem = Json::object().with("type", "object").with("required", vec!["title".into(), "status".into(), "detail".into()]);
    let bearer = Json::object().with("type", "http").with("scheme", "bearer");
    let components = Json::object()
        .with("schemas", Json::object().with("Problem", problem))
        .with("securitySchemes", Json::object().with("token", bearer));
    Json::object().with("openapi", "3.1.0").with("info", info).with("paths", paths).with("components", components)
}

fn operation(route: &Route) -> Json {
    let mut operation = Json::object().with("summary", route.about).with("operationId", name(route));
    let mut parameters: Vec<Json> = Vec::new();
    for place in route.path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}')) {
        parameters.push(parameter("path", place, Json::object().with("type", "string").with("minLength", 1u32)).with("required", true));
    }
    for name in route.query {
        let schema = match *name {
            "limit" => Json::object().with("type", "integer").with("minimum", 1u32).with("maximum", 100u32),
            "live" => Json::object().with("type", "boolean"),
            _ => Json::object().with("type", "string").with("maxLength", 200u32),
        };
        parameters.push(parameter("query", name, schema));
    }
    if route.guarded {
        parameters.push(parameter("header", "If-Match", Json::object().with("type", "string")));
    }
    if route.method == "POST" {
        parameters.push(parameter("header", "Idempotency-Key", Json::object().with("type", "string").with("minLength", 1u32)));
    }
    if !parameters.is_empty() {
        operation.set("parameters", parameters);
    }
    if let Some(fields) = route.body {
        // A patch may leave everything out; what is null goes back to its default.
        let is_patch = route.method == "PATCH";
        let schema = if is_patch { Json::object().with("type", "object") } else { schema::describe(fields) };
        let media = if is_patch { "application/merge-patch+json" } else { "application/json" };
        let content = Json::object().with(media, Json::object().with("schema", schema));
        operation.set("requestBody", Json::object().with("required", true).with("content", content));
    }
    let answer = match route.status {
        204 => Json::object().with("description", "Done"),
        _ => {
            let schema = Json::object().with("schema", Json::object().with("type", "object"));
            Json::object().with("description", route.about).with("content", Json::object().with("application/json", schema))
        }
    };
    let problem = Json::object().with("$ref", "#/components/schemas/Problem");
    // What the host refuses before any function sees it (an address that is too long, too many requests at once) is a line of text.
    let line = Json::object().with("schema", Json::object().with("type", "string"));
    let problem = Json::object().with("application/problem+json", Json::object().with("schema", problem)).with("text/plain", line);
    let problem = Json::object().with("description", "What is wrong, and what to do").with("content", problem);
    let responses = Json::object().with(&route.status.to_string(), answer).with("4XX", problem.clone()).with("503", problem);
    operation.set("responses", responses);
    if let Some(scope) = route.scope {
        operation.set("security", vec![Json::object().with("token", Vec::<Json>::new())]);
        operation.set("x-scope", scope.as_str());
    }
    operation
}

fn parameter(place: &str, name: &str, schema: Json) -> Json {
    Json::object().with("in", place).with("name", name).with("schema", schema)
}

/// `GET api/v1/streams/{stream}/keys` is `get_streams_stream_keys`.
fn name(route: &Route) -> String {
    let words = route.path.split('/').skip_while(|word| matches!(*word, "api" | "v1"));
    let words: Vec<String> = words.map(|word| word.replace(['{', '}'], "").replace(['-', '.'], "_")).collect();
    format!("{}_{}", route.method.to_lowercase(), words.join("_"))
}
