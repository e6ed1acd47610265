//! Events as AWS writes them.
use serde_json::{Value, json};

/// Who sends the event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    FunctionUrl,
    /// An HTTP API with a stage in its path.
    Gateway,
    LoadBalancer,
}

pub(crate) const SOURCES: [Source; 3] = [Source::FunctionUrl, Source::Gateway, Source::LoadBalancer];

/// A request of a viewer.
pub(crate) fn event(source: Source, method: &str, target: &str, headers: &[(String, String)], body: Option<(&str, bool)>) -> Value {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut fields = json!({ "host": "live.example", "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9" });
    for (name, value) in headers {
        fields[name] = json!(value);
    }
    let (body, base64) = body.map_or((Value::Null, false), |(body, base64)| (json!(body), base64));
    let stage = if matches!(source, Source::Gateway) { "prod" } else { "$default" };
    match source {
        Source::FunctionUrl | Source::Gateway => json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": if stage == "prod" { format!("/prod{path}") } else { path.to_owned() },
            "rawQueryString": query,
            "headers": fields,
            "requestContext": {
                "accountId": "anonymous", "apiId": "abc", "domainName": "abc.lambda-url.eu-west-1.on.aws", "domainPrefix": "abc",
                "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9", "userAgent": "test" },
                "requestId": "1", "routeKey": "$default", "stage": stage, "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1_773_342_238_000_u64,
            },
            "body": body,
            "isBase64Encoded": base64,
        }),
        Source::LoadBalancer => {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let pairs: serde_json::Map<String, Value> = pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect();
            json!({
                "requestContext": { "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/edge/1" } },
                "httpMethod": method,
                "path": path,
                "queryStringParameters": pairs,
                "headers": fields,
                "body": body.as_str().unwrap_or_default(),
                "isBase64Encoded": base64,
            })
        }
    }
}
