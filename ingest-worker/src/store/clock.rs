//! The time that the writer goes by. Tests run it in virtual time, without tokio's own: that is a feature of tokio, with which
//! everything that depends on tokio would be built a second time.

use std::time::Duration;

/// How long this process has run.
pub(super) fn now() -> Duration {
    #[cfg(test)]
    if let Some(now) = virtual_time::now() {
        return now;
    }
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// Waits.
pub(super) async fn sleep(duration: Duration) {
    #[cfg(test)]
    if virtual_time::now().is_some() {
        return virtual_time::Sleep::new(duration).await;
    }
    tokio::time::sleep(duration).await;
}

/// Runs what blocks, as disks do, on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    #[cfg(test)]
    if virtual_time::now().is_some() {
        return Some(work());
    }
    tokio::task::spawn_blocking(work).await.ok()
}

/// The result of a future, if it is there in time.
pub(super) async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = sleep(duration) => None,
    }
}

#[cfg(test)]
pub(super) mod virtual_time {
    use std::{
        cell::RefCell,
        collections::BTreeMap,
        pin::Pin,
        task::{Context, Poll, Waker},
        time::Duration,
    };

    thread_local! {
        static CLOCK: RefCell<Option<Clock>> = const { RefCell::new(None) };
    }

    #[derive(Default)]
    struct Clock {
        now: Duration,
        next: u64,
        sleepers: BTreeMap<(Duration, u64), Waker>,
    }

    /// Each round lets every task that can run do so; the longest chain of tasks that wake each other is far shorter.
    const ROUNDS: usize = 50;

    /// Runs a test in a time that passes only while nothing can run.
    pub(in crate::store) fn run<F: Future>(test: F) -> F::Output {
        CLOCK.set(Some(Clock::default()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let output = runtime.block_on(async {
            tokio::select! {
                output = test => output,
                () = pass() => panic!("everything waits, and nothing for the time"),
            }
        });
        drop(runtime);
        CLOCK.set(None);
        output
    }

    async fn pass() {
        loop {
            for _ in 0..ROUNDS {
                tokio::task::yield_now().await;
            }
            let first = CLOCK.with_borrow_mut(|clock| {
                let clock = clock.as_mut()?;
                let ((at, _), waker) = clock.sleepers.pop_first()?;
                clock.now = clock.now.max(at);
                Some(waker)
            });
            let Some(first) = first else { return };
            first.wake();
        }
    }

    pub(super) fn now() -> Option<Duration> {
        CLOCK.with_borrow(|clock| clock.as_ref().map(|clock| clock.now))
    }

    pub(super) struct Sleep {
        at: Duration,
        place: Option<u64>,
    }

    impl Sleep {
        pub(super) fn new(duration: Duration) -> Self {
            Self { at: now().unwrap_or_default() + duration, place: None }
        }
    }

    impl Future for Sleep {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            CLOCK.with_borrow_mut(|clock| {
                let Some(clock) = clock.as_mut().filter(|clock| clock.now < self.at) else { return Poll::Ready(()) };
                let place = *self.place.get_or_insert_with(|| {
                    clock.next += 1;
                    clock.next
                });
                clock.sleepers.insert((self.at, place), context.waker().clone());
                Poll::Pending
            })
        }
    }

    impl Drop for Sleep {
        fn drop(&mut self) {
            let _ = CLOCK.try_with(|clock| {
                if let (Some(clock), Some(place)) = (clock.borrow_mut().as_mut(), self.place) {
                    clock.sleepers.remove(&(self.at, place));
                }
            });
        }
    }
}
