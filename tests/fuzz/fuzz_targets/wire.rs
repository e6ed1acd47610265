//! What host and component say to each other: whatever a component says, the host reads keys that lead nowhere else, and no message reads
//! as more than it is.
#![no_main]
#![allow(dead_code, reason = "the modules are the host's own, and have more than is tried here")]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tidegate_function::{Said, Turn};

#[path = "../../../functions/host/src/objects/key.rs"]
mod key;
#[path = "../../../functions/host/src/wire.rs"]
mod wire;
mod objects {
    pub(crate) use crate::key::ObjectKey;
}

use wire::Reply;

fn sound(key: &objects::ObjectKey) {
    let key = key.as_str();
    assert!(!key.is_empty() && !key.starts_with('/') && !key.split('/').any(|word| matches!(word, "" | "." | "..")), "{key}");
    assert!(http::Uri::try_from(format!("http://objects.internal/{key}")).is_ok_and(|uri| uri.path()[1..] == *key && uri.query().is_none()));
}

fuzz_target!(|message: Vec<u8>| {
    if let Some(turn) = Turn::read(message.clone()) {
        assert_eq!(Turn::read(turn.write()), Some(turn));
    }
    let message = Bytes::from(message);
    let Some(said) = Said::read(&message) else { return };
    match Reply::read(&said, &message) {
        Ok(Reply::Wait(wait)) => sound(&wait.key),
        Ok(Reply::Send { pieces, headers }) => {
            assert!(headers.keys().all(|name| !name.as_str().starts_with("tidegate-")));
            for piece in pieces {
                sound(&piece.key);
                assert!(piece.range.is_none_or(|(first, last)| first <= last));
            }
        }
        Ok(Reply::Respond { headers, .. }) => assert!(headers.keys().all(|name| !name.as_str().starts_with("viewer-"))),
        Err(_) => {}
    }
});
