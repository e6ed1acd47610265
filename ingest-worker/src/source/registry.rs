use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tidegate_stream::StreamId;
use tokio::sync::mpsc;

/// Which streams have a publisher: one at a time, and a new connection may go on where a lost one stopped.
#[derive(Debug)]
pub(crate) struct Registry<C> {
    streams: Arc<Mutex<BTreeMap<StreamId, Entry<C>>>>,
}

#[derive(Debug)]
enum Entry<C> {
    /// Somebody is publishing.
    Live,
    /// The connection is lost; the session waits for the next one.
    Waiting(mpsc::Sender<C>),
}

/// The place of a publisher; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot<C> {
    stream: StreamId,
    streams: Arc<Mutex<BTreeMap<StreamId, Entry<C>>>>,
}

/// What a new publisher gets.
#[derive(Debug)]
pub(crate) enum Claim<C> {
    /// The stream is free: begin a session.
    New(Slot<C>),
    /// A session waits: hand the connection over.
    Continue(mpsc::Sender<C>),
    /// Somebody else publishes this stream.
    Busy,
}

impl<C> Default for Registry<C> {
    fn default() -> Self {
        Self { streams: Arc::default() }
    }
}

impl<C> Clone for Registry<C> {
    fn clone(&self) -> Self {
        Self { streams: Arc::clone(&self.streams) }
    }
}

impl<C> Registry<C> {
    /// Takes the place of the stream's publisher, where it is free.
    pub(crate) fn claim(&self, stream: &StreamId) -> Claim<C> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        match streams.insert(stream.clone(), Entry::Live) {
            None => Claim::New(Slot { stream: stream.clone(), streams: Arc::clone(&self.streams) }),
            Some(Entry::Waiting(session)) => Claim::Continue(session),
            Some(Entry::Live) => Claim::Busy,
        }
    }
}

impl<C> Slot<C> {
    /// The stream whose place this is.
    pub(crate) fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// Lets the next connection of this stream come here.
    pub(crate) fn wait(&self) -> mpsc::Receiver<C> {
        let (sender, receiver) = mpsc::channel(1);
        self.set(Entry::Waiting(sender));
        receiver
    }

    /// Waits no more; a connection that was handed over just before is still in the receiver.
    pub(crate) fn close(&self) {
        self.set(Entry::Live);
    }

    fn set(&self, entry: Entry<C>) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).insert(self.stream.clone(), entry);
    }
}

impl<C> Drop for Slot<C> {
    fn drop(&mut self) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_one_publisher_until_its_place_is_free() {
        let registry = Registry::<u8>::default();
        let stream = StreamId::parse("demo").unwrap();
        let Claim::New(slot) = registry.claim(&stream) else { panic!("free") };
        assert!(matches!(registry.claim(&stream), Claim::Busy));
        drop(slot);
        assert!(matches!(registry.claim(&stream), Claim::New(_)));
    }

    #[test]
    fn a_waiting_session_gets_the_next_connection_and_only_one() {
        let registry = Registry::<u8>::default();
        let stream = StreamId::parse("demo").unwrap();
        let Claim::New(slot) = registry.claim(&stream) else { panic!("free") };
        let mut handed = slot.wait();
        let Claim::Continue(session) = registry.claim(&stream) else { panic!("waiting") };
        assert!(matches!(registry.claim(&stream), Claim::Busy));
        session.try_send(7).unwrap();
        assert_eq!(handed.try_recv(), Ok(7));
    }
}
