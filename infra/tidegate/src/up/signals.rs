//! When to stop: at Ctrl-C, at SIGTERM, or after the time that was asked for.

use std::{process, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// What a shell expects of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// A token that is cancelled by the first signal; the second one ends the process at once.
pub(crate) fn until_stopped(after: Option<Duration>) -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        let time_is_up = async {
            match after {
                Some(after) => sleep(after).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = time_is_up => {}
        }
        stopped.cancel();
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // Children end by themselves: the kernel tells them that we are gone.
        process::exit(INTERRUPTED);
    });
    Ok(stop)
}
