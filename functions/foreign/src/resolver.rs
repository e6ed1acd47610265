use std::{
    error::Error,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    vec,
};

use hyper_util::client::legacy::connect::dns::Name;

use crate::address::is_public;

/// Resolves names. What it returns is what is connected to, so that a name cannot mean one address when it is checked and another
/// when it is used.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resolver {
    /// A name that has an address which is not public is refused.
    Guarded,
    /// Every address will do.
    Open,
}

/// A name that stands for an address which is not public.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` has an address that is not public")]
pub(crate) struct Private(pub(crate) String);

impl tower_service::Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guarded = matches!(self, Self::Guarded);
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if guarded && addresses.iter().any(|address| !is_public(address.ip())) {
                return Err(Private(name.as_str().to_owned()).into());
            }
            Ok(addresses.into_iter())
        })
    }
}
