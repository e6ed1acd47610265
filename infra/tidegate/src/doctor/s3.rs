//! What edges and browsers need of a bucket beyond what the worker does: ranges, 304, a clock that agrees.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::PresigningConfig;
use tidegate_ingest_worker::store::{Bucket as _, Condition, Etag, Store};

use super::{bucket::Probe, edge, finding::Finding};
use crate::validate::client::Client;

/// Signatures are refused beyond 15 minutes; dates in playlists are off long before that is seen.
const SKEW_WARNED: Duration = Duration::from_secs(2);
const SKEW_FAILED: Duration = Duration::from_secs(300);

/// How long the address that is asked for as a page would is good.
const SIGNED: Duration = Duration::from_secs(60);

pub(crate) async fn examine(store: &Store, probe: &Probe) -> Vec<Finding> {
    vec![
        range(store, probe).await,
        unchanged(store, probe).await,
        list(store, probe).await,
        clock(store, probe).await,
        open_to_pages(store, probe).await,
        append(store, probe).await,
    ]
}

async fn range(store: &Store, probe: &Probe) -> Finding {
    let check = "store.range";
    let key = probe.head();
    if let Err(error) = store.put(&key, "0123456789".into(), Condition::Any).await {
        return Finding::failed(check, format!("a document cannot be written: {error}"), "see the checks above");
    }
    match store.get_range(&key, 2, 4).await {
        Ok(Some(part)) if part.bytes == "234" => Finding::fine(check, "a range of an object is that range"),
        Ok(Some(part)) => Finding::failed(
            check,
            format!("a range of 3 bytes came as {} bytes", part.bytes.len()),
            "segments are ranges of bundles: use a store, or a proxy in front of it, that understands Range",
        ),
        Ok(None) => Finding::failed(check, "an object that was just written is missing", "see the checks above"),
        Err(error) => Finding::failed(check, format!("a range cannot be read: {error}"), "use a store that understands Range"),
    }
}

async fn unchanged(store: &Store, probe: &Probe) -> Finding {
    let check = "store.304";
    let key = probe.head();
    let Ok(Some(object)) = store.get(&key).await else {
        return Finding::failed(check, "a document cannot be read", "see the checks above");
    };
    let Etag(etag) = object.etag;
    let again = store.client().get_object().bucket(store.bucket()).key(key.to_string()).if_none_match(etag).send().await;
    let status = match again {
        Ok(_) => 200,
        Err(error) => error.raw_response().map_or(0, |answer| answer.status().as_u16()),
    };
    match status {
        304 => Finding::fine(check, "what has not changed is not sent again"),
        status => Finding::warned(
            check,
            format!("If-None-Match on an unchanged object is answered {status}, not 304"),
            "edges will read snapshots and playlists again and again: more bytes, nothing worse",
        ),
    }
}

/// What adds up viewers, and who cleans up, list what was written a moment ago.
async fn list(store: &Store, probe: &Probe) -> Finding {
    let check = "store.list";
    let key = probe.head();
    if let Err(error) = store.put(&key, "listed".into(), Condition::Any).await {
        return Finding::failed(check, format!("a document cannot be written: {error}"), "see the checks above");
    }
    let name = key.to_string();
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let listed = store.client().list_objects_v2().bucket(store.bucket()).prefix(format!("{folder}/")).send().await;
    match listed {
        Ok(listed) if listed.contents().iter().any(|object| object.key() == Some(name.as_str())) => {
            Finding::fine(check, "an object that was just written is listed")
        }
        Ok(_) => Finding::failed(
            check,
            "an object that was just written is not listed",
            "viewers would be counted late or not at all: use a store whose lists are consistent",
        ),
        Err(error) => Finding::failed(
            check,
            format!("nothing can be listed: {}", error.raw_response().map_or(0, |answer| answer.status().as_u16())),
            "give the keys the right to list (s3:ListBucket): without it a missing object is 403 and not 404",
        ),
    }
}

/// A page of another site that reads the bucket itself, as it does where no edge answers.
async fn open_to_pages(store: &Store, probe: &Probe) -> Finding {
    let check = "store.cors";
    let advice = "without edges no page could play from the bucket: give it a CORS rule (GET and HEAD from your pages' sites; the module `storage` has one)";
    let asked = async {
        // Signed in the address, so that the answer is that of an object that may be read.
        let object = store.client().get_object().bucket(store.bucket()).key(probe.head().to_string());
        let signed = object.presigned(PresigningConfig::expires_in(SIGNED)?).await?;
        let client = Client::new(false)?;
        edge::get(&client, signed.uri()).await.map_err(|failure| anyhow::anyhow!("{failure:?}"))
    };
    match asked.await {
        Ok(answer) if answer.status != 200 => {
            Finding::warned(check, format!("an object that is read by a signed address is answered {}", answer.status), advice)
        }
        Ok(answer) => match answer.header("access-control-allow-origin") {
            Some(who) => Finding::fine(check, format!("pages may read the bucket: {who}")),
            None => Finding::warned(check, "the bucket lets no page of another site read", advice),
        },
        Err(error) => Finding::warned(check, format!("it could not be asked: {error:#}"), advice),
    }
}

/// S3 Express One Zone appends; others refuse the offset or take no notice of it, and then the object is the new piece alone.
async fn append(store: &Store, probe: &Probe) -> Finding {
    let check = "store.append";
    let key = probe.head();
    let (first, more) = ("0123456789", "ab");
    if let Err(error) = store.put(&key, first.into(), Condition::Any).await {
        return Finding::failed(check, format!("a document cannot be written: {error}"), "see the checks above");
    }
    let put = store.client().put_object().bucket(store.bucket()).key(key.to_string());
    let answer = put.write_offset_bytes(first.len() as i64).body(more.as_bytes().to_vec().into()).send().await;
    let there = store.get(&key).await.ok().flatten().map(|object| object.bytes);
    judge_append(check, answer.is_ok(), there.as_deref(), (first, more))
}

fn judge_append(check: &'static str, taken: bool, there: Option<&[u8]>, (first, more): (&str, &str)) -> Finding {
    let whole = format!("{first}{more}");
    match there {
        Some(there) if taken && there == whole.as_bytes() => Finding::fine(check, "objects can be appended to; nothing here asks for it"),
        Some(there) if !taken && there == first.as_bytes() => Finding::fine(check, "an append is refused; nothing here asks for it"),
        Some(there) if taken && there == more.as_bytes() => {
            Finding::fine(check, "an append overwrites, as if it were no append; nothing here asks for it")
        }
        _ => Finding::failed(
            check,
            "an append left neither what was there, nor that with the new end, nor the new end",
            "objects of this store are not what was written: use another",
        ),
    }
}

async fn clock(store: &Store, probe: &Probe) -> Finding {
    let check = "store.clock";
    let before = SystemTime::now();
    let head = store.client().head_object().bucket(store.bucket()).key(probe.head().to_string()).send().await;
    let Some(modified) = head.ok().and_then(|head| head.last_modified().copied()) else {
        return Finding::warned(check, "the store does not say when an object was written", "compare the clocks by other means");
    };
    let Ok(modified) = SystemTime::try_from(modified) else {
        return Finding::warned(check, "the store's date does not read", "compare the clocks by other means");
    };
    judge_clock(check, before, modified)
}

fn judge_clock(check: &'static str, ours: SystemTime, theirs: SystemTime) -> Finding {
    // Dates of S3 have whole seconds, so an object of a moment ago may seem a second old.
    let apart = ours.duration_since(theirs).unwrap_or_else(|error| error.duration()).saturating_sub(Duration::from_secs(1));
    let seen = format!("the clocks of this machine and of the store are {:.0} s apart", apart.as_secs_f64());
    let advice = "let an NTP client set the clock: requests are refused beyond 15 minutes, and dates in playlists come from it";
    if apart > SKEW_FAILED {
        Finding::failed(check, seen, advice)
    } else if apart > SKEW_WARNED {
        Finding::warned(check, seen, advice)
    } else {
        Finding::fine(check, "the clocks of this machine and of the store agree")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Outcome;

    #[test]
    fn clocks_that_are_apart_are_seen_either_way() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let judge = |theirs| judge_clock("store.clock", now, theirs).outcome;
        assert_eq!(judge(now - Duration::from_millis(1900)), Outcome::Fine);
        assert_eq!(judge(now + Duration::from_secs(30)), Outcome::Warned);
        assert_eq!(judge(now - Duration::from_secs(600)), Outcome::Failed);
    }

    #[test]
    fn an_append_may_be_taken_refused_or_a_write_but_nothing_else() {
        let judge = |taken, there| judge_append("store.append", taken, there, ("0123", "ab")).outcome;
        assert_eq!(judge(true, Some(&b"0123ab"[..])), Outcome::Fine);
        assert_eq!(judge(false, Some(&b"0123"[..])), Outcome::Fine);
        assert_eq!(judge(true, Some(&b"ab"[..])), Outcome::Fine);
        assert_eq!(judge(false, Some(&b"ab"[..])), Outcome::Failed, "refused, and gone all the same");
        assert_eq!(judge(true, Some(&b"0123"[..])), Outcome::Failed, "taken, and not there");
        assert_eq!(judge(true, None), Outcome::Failed);
    }
}
