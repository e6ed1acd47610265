use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tidegate_function::Turn;

use super::{
    CallError,
    instance::{Instance, Maker, TurnError},
};
use crate::objects::lock;

/// Calls that have begun in one instance and not ended: the blast radius of a trap.
const CONCURRENT: usize = 16;
/// Calls that an instance takes in its life. Its memory only grows, and what it remembers of streams is soon read again.
const TOTAL: u32 = 100_000;
/// An instance without calls is kept this long, with what it remembers.
const IDLE: Duration = Duration::from_secs(30);

/// Instances that calls share: no more of them than have turns at the same moment.
pub(super) struct Pool {
    maker: Maker,
    most: usize,
    /// The first is used first, and remembers most.
    rooms: Mutex<Vec<Arc<Room>>>,
    for_ever: bool,
}

/// One instance and the calls in it.
struct Room {
    instance: tokio::sync::Mutex<Instance>,
    /// Calls that have begun and not ended.
    open: AtomicUsize,
    /// The number of the last call.
    calls: AtomicU32,
    lost: AtomicBool,
    /// Calls that were given up, of which the instance is told with the next turn.
    given_up: Mutex<Vec<u32>>,
    used: Mutex<Instant>,
}

/// The place of one call in an instance.
pub(super) struct Seat {
    room: Arc<Room>,
    number: u32,
    begun: bool,
}

impl Pool {
    pub(super) fn new(maker: Maker, most: usize) -> Self {
        Self { maker, most, rooms: Mutex::default(), for_ever: false }
    }

    /// Instances that end with the pool alone.
    pub(super) fn for_ever(self) -> Self {
        Self { for_ever: true, ..self }
    }

    /// A place in an instance that nobody has a turn in, else in a new one, else in the one with the fewest calls.
    pub(super) async fn enter(&self) -> Result<Seat, CallError> {
        if let Some(seat) = self.seat(|room| room.instance.try_lock().is_ok()) {
            return Ok(seat);
        }
        if lock(&self.rooms).len() < self.most {
            match Room::new(&self.maker).await {
                Ok(room) => {
                    // Others may have come as far at the same time: a few instances more than `most` are no harm.
                    lock(&self.rooms).push(room.clone());
                    return Ok(Seat::take(&room));
                }
                Err(error) if lock(&self.rooms).is_empty() => return Err(error),
                Err(_) => {}
            }
        }
        self.seat(|_| true).ok_or(CallError::Overloaded)
    }

    fn seat(&self, fits: impl Fn(&Room) -> bool) -> Option<Seat> {
        let mut rooms = lock(&self.rooms);
        rooms.retain(|room| !room.lost.load(Relaxed) && (self.for_ever || room.calls.load(Relaxed) < TOTAL));
        let room = rooms.iter().find(|room| room.open.load(Relaxed) < CONCURRENT && fits(room))?;
        Some(Seat::take(room))
    }

    /// Lets instances go that nobody has needed for a while.
    pub(super) fn tidy(&self) {
        lock(&self.rooms).retain(|room| room.open.load(Relaxed) > 0 || lock(&room.used).elapsed() < IDLE);
    }
}

impl Room {
    async fn new(maker: &Maker) -> Result<Arc<Self>, CallError> {
        // What is missing is a place in the engine's pool, and that comes back.
        let instance = maker.make().await.map_err(|error| {
            tracing::debug!(error = format!("{error:#}"), "there is no instance of the functions for now");
            CallError::Overloaded
        })?;
        Ok(Arc::new(Self {
            instance: tokio::sync::Mutex::new(instance),
            open: AtomicUsize::new(0),
            calls: AtomicU32::new(0),
            lost: AtomicBool::new(false),
            given_up: Mutex::default(),
            used: Mutex::new(Instant::now()),
        }))
    }
}

impl Seat {
    fn take(room: &Arc<Room>) -> Self {
        room.open.fetch_add(1, Relaxed);
        let number = room.calls.fetch_add(1, Relaxed);
        Self { room: room.clone(), number, begun: false }
    }

    /// A place in an instance of its own.
    pub(super) async fn alone(maker: &Maker) -> Result<Self, CallError> {
        Ok(Self::take(&Room::new(maker).await?))
    }

    /// What the call is named by in its instance.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// One turn of the call, for no longer than `time` once the instance is free.
    pub(super) async fn turn(&mut self, turn: &Turn, time: Duration) -> Result<Vec<u8>, TurnError> {
        let message = turn.write();
        let room = &self.room;
        let mut instance = room.instance.lock().await;
        self.begun = true;
        // Should this be dropped in the middle of a turn, the instance says so itself.
        let given_up = std::mem::take(&mut *lock(&room.given_up));
        for call in given_up {
            let _ = instance.turn(Turn::Forget { call }.write(), time).await;
        }
        let said = instance.turn(message, time).await;
        if instance.is_lost() {
            room.lost.store(true, Relaxed);
        }
        said
    }

    /// The call has its answer; the instance knows nothing of it any more.
    pub(super) fn answered(&mut self) {
        self.begun = false;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let room = &self.room;
        if self.begun {
            lock(&room.given_up).push(self.number);
            // Nobody has the instance: was it left in the middle of a turn?
            if room.instance.try_lock().is_ok_and(|instance| instance.is_lost()) {
                room.lost.store(true, Relaxed);
            }
        }
        *lock(&room.used) = Instant::now();
        room.open.fetch_sub(1, Relaxed);
    }
}
