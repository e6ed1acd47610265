//! What opens streams and the API: whether the documents in the bucket read, and what has ended.

use tidegate_ingest_worker::store::Bucket;
use tidegate_stream::{ApiTokens, Key, MetaKey, StreamId};
use tidegate_token::{Keys, Revocations, Token};

use super::finding::Finding;
use crate::token;

/// Long enough to be opened here.
const LIFE_S: u64 = 60;

pub(crate) async fn examine(store: &impl Bucket, now_ms: u64) -> Vec<Finding> {
    let read = async |check, key: MetaKey, judge: fn(Option<&[u8]>, u64) -> Finding| {
        let key: Key = key.into();
        match store.get(&key).await {
            Ok(object) => judge(object.as_ref().map(|object| &*object.bytes), now_ms),
            Err(error) => Finding::failed(check, format!("{key} cannot be read: {error}"), "give the keys the right to get under meta/"),
        }
    };
    vec![
        read("tokens.playback", MetaKey::PlaybackKeys, |document, _| judge_keys(document)).await,
        read("tokens.revoked", MetaKey::Revocations, |document, _| judge_revocations(document)).await,
        read("tokens.api", MetaKey::Tokens, judge_api).await,
    ]
}

fn judge_keys(document: Option<&[u8]>) -> Finding {
    let check = "tokens.playback";
    let Some(document) = document else {
        return Finding::skipped(check, "there are no playback keys: signed streams open for nobody until `tidegate token key` makes one");
    };
    let advice = "nobody can watch a signed stream: put the document right, or take it away and make keys anew with `tidegate token key`";
    let keys = match serde_json::from_slice::<Keys>(document) {
        Ok(keys) => keys,
        Err(error) => return Finding::failed(check, format!("the playback keys do not read: {error}"), advice),
    };
    let Some(key) = keys.first() else { return Finding::failed(check, "the document of playback keys has none", advice) };
    let made =
        StreamId::parse("tidegate-doctor").map_err(anyhow::Error::from).and_then(|stream| token::for_stream(&stream, &keys, key, LIFE_S));
    match made.map_err(|error| error.to_string()).and_then(|token| Token::open(&token, &keys).map_err(|error| error.to_string())) {
        Ok(_) => Finding::fine(check, format!("a token of the newest playback key, {}, opens", key.id)),
        Err(why) => Finding::failed(check, format!("a token of the playback key {} does not open: {why}", key.id), advice),
    }
}

fn judge_revocations(document: Option<&[u8]>) -> Finding {
    let check = "tokens.revoked";
    match document.map(serde_json::from_slice::<Revocations>) {
        None => Finding::fine(check, "no playback token was called back"),
        Some(Ok(_)) => Finding::fine(check, "the list of tokens that were called back reads"),
        // Edges open nothing that asks for a token when they cannot read it.
        Some(Err(error)) => Finding::failed(
            check,
            format!("the list of tokens that were called back does not read: {error}"),
            "edges open no signed stream without it: restore the document, or take it away and revoke anew",
        ),
    }
}

fn judge_api(document: Option<&[u8]>, now_ms: u64) -> Finding {
    let check = "tokens.api";
    let Some(document) = document else {
        return Finding::skipped(check, "there is no API token: `tidegate api-token create` makes one, the dashboard asks for it");
    };
    let Some(tokens) = ApiTokens::parse(document) else {
        return Finding::failed(
            check,
            "the document of API tokens does not read",
            "nobody is let in to the API: restore meta/tokens.json, or take it away and make tokens anew",
        );
    };
    let (good, ended): (Vec<_>, Vec<_>) =
        tokens.all().iter().partition(|token| token.expires_utc_ms.is_none_or(|expires| now_ms < expires));
    let endless = good.iter().filter(|token| token.expires_utc_ms.is_none()).count();
    let seen = format!("{} API tokens are good, {} have ended, {endless} never end", good.len(), ended.len());
    if good.is_empty() {
        Finding::warned(check, seen, "nobody is let in to the API: tidegate api-token create")
    } else {
        Finding::fine(check, seen)
    }
}

/// What is said of a token in the address that viewers ask for; `None` where it has none.
pub(crate) fn in_address(url: &str, now_ms: u64) -> Option<Finding> {
    let check = "edge.token";
    let token = token::token_in(url);
    if token == url || !(url.contains("/~") || url.contains("token=")) {
        return None;
    }
    let advice = "make an address with a new one: tidegate token mint STREAM --at ADDRESS";
    Some(match Token::peek(token) {
        Err(error) => Finding::failed(check, format!("the token in the address is none: {error}"), advice),
        Ok(claims) => match claims.expires_s.map(|expires| i64::try_from(expires).unwrap_or(i64::MAX) - (now_ms / 1000) as i64) {
            None => Finding::warned(check, "the token in the address never ends", "give tokens an end: --for 12h"),
            Some(left @ 1..) => Finding::fine(check, format!("the token in the address ends in {} min", left / 60)),
            Some(over) => Finding::failed(check, format!("the token in the address has ended {} min ago", -over / 60), advice),
        },
    })
}

#[cfg(test)]
mod tests {
    use tidegate_stream::{ApiToken, KeyHash, Scope};
    use tidegate_token::{Claims, Key as PlaybackKey};

    use super::*;
    use crate::doctor::finding::Outcome;

    const NOW_MS: u64 = 1_790_000_000_000;

    fn keys() -> Keys {
        Keys::new(vec![PlaybackKey::new("k1", vec![7; 32]).unwrap()]).unwrap()
    }

    #[test]
    fn documents_that_do_not_read_fail_and_missing_ones_do_not() {
        let good = serde_json::to_vec(&keys()).unwrap();
        assert_eq!(judge_keys(Some(&good)).outcome, Outcome::Fine);
        assert_eq!(judge_keys(None).outcome, Outcome::Skipped);
        for bad in [&b"{}"[..], b"", br#"{"keys":[]}"#, br#"{"keys":[{"id":"a","secret":"short"}]}"#] {
            assert_eq!(judge_keys(Some(bad)).outcome, Outcome::Failed, "{}", String::from_utf8_lossy(bad));
        }
        assert_eq!((judge_revocations(None).outcome, judge_revocations(Some(b"[")).outcome), (Outcome::Fine, Outcome::Failed));
        assert_eq!((judge_api(None, 0).outcome, judge_api(Some(b"{"), 0).outcome), (Outcome::Skipped, Outcome::Failed));
    }

    #[test]
    fn api_tokens_that_have_all_ended_let_nobody_in() {
        let token = |expires_utc_ms| ApiToken {
            id: "a".into(),
            name: "n".into(),
            scopes: vec![Scope::StreamsRead],
            hash: KeyHash::of("x"),
            created_utc_ms: NOW_MS - 1000,
            expires_utc_ms,
        };
        let judge = |expires: Option<u64>| {
            let mut tokens = ApiTokens::default();
            assert!(tokens.add(token(expires)));
            judge_api(Some(&tokens.to_bytes()), NOW_MS).outcome
        };
        assert_eq!(judge(None), Outcome::Fine);
        assert_eq!(judge(Some(NOW_MS + 60_000)), Outcome::Fine);
        assert_eq!(judge(Some(NOW_MS - 1)), Outcome::Warned);
    }

    #[test]
    fn the_end_of_a_token_in_an_address_is_said() {
        let address = |expires_s| {
            let claims = Claims { expires_s, ..Claims::default() };
            let keys = keys();
            format!("https://h/~{}/live/demo/index.m3u8", Token::seal(&claims, keys.first().unwrap()))
        };
        let outcome = |url: &str| in_address(url, NOW_MS).map(|finding| finding.outcome);
        assert_eq!(outcome("https://h/live/demo/index.m3u8"), None);
        assert_eq!(outcome(&address(Some(NOW_MS / 1000 + 600))), Some(Outcome::Fine));
        assert_eq!(outcome(&address(Some(NOW_MS / 1000 - 600))), Some(Outcome::Failed));
        assert_eq!(outcome(&address(None)), Some(Outcome::Warned));
        assert_eq!(outcome("https://h/~nonsense/live/demo/index.m3u8"), Some(Outcome::Failed));
    }
}
