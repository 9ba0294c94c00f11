//! Asking for a resource: self-service first, the desk otherwise. Owns nothing but a place in the order.

mod refuse;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use millpond_core::{GiveBack, Input, Request, WaiterId};

use crate::alarm::Alarm;
use crate::common::PoolClaim;
use crate::desk::{Answer, Desk, Hub, Visit};
use crate::error::{GetError, TryGetError};
use crate::holders::Label;
use crate::manager::Manager;
use crate::pool::Pool;
use crate::pooled::Pooled;
use crate::sync::Arc;

/// The future of [`Pool::get`] and, as `Get<'static, _>`, of [`Pool::get_owned`].
///
/// Its methods say how long and in which lane it waits, and what its lease is called; they are called before it is polled.
///
/// # Panics
///
/// When polled after it has completed.
///
/// # Cancel safety
///
/// Dropping it at any time is as if it had not been polled, and costs O(1) beside its timer's O(log n): its place in the queue
/// closes up, and what was set aside for it goes to the next. A creation that was started for it goes on and serves whoever is
/// first then.
///
/// # Examples
///
/// ```no_run
/// # async fn example<M: millpond::Manager>(pool: millpond::Pool<M>) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// let resource = pool.get().timeout(Duration::from_millis(250)).label("search").await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct Get<'p, M: Manager> {
    pool: PoolRef<'p, M>,
    ask: Ask,
}

/// What keeps the pool open while a caller waits.
enum PoolRef<'p, M: Manager> {
    Borrowed(&'p Pool<M>),
    Owned(Pool<M>),
}

/// What the caller asks for, and how far it has come.
#[derive(Debug)]
struct Ask {
    caller: &'static Location<'static>,
    patience: Patience,
    /// Boxed, because who has any of it visits the desk anyway, and every other call is faster for each byte it need not move.
    rare: Option<Box<Rare>>,
    state: State,
}

/// What few callers have.
#[derive(Debug, Default)]
struct Rare {
    label: Option<Cow<'static, str>>,
    /// The name that it gave.
    lane: Option<Cow<'static, str>>,
    /// Only while it is queued.
    alarm: Alarm,
}

impl Rare {
    /// What it says of its lease, if anything.
    fn label_of(&mut self, lease: u64) -> Option<Label> {
        let (text, lane) = (self.label.take(), self.lane.take());
        (text.is_some() || lane.is_some()).then_some(Label { lease, text, lane })
    }
}

/// How long the caller waits.
#[derive(Clone, Copy, Debug)]
enum Patience {
    /// As long as `get_timeout`.
    Default,
    /// This long from the first poll.
    For(Duration),
    Until(Instant),
}

/// *Transitions:* `New` → `Done` | `Queued` → `Done`.
#[derive(Clone, Copy, Debug)]
enum State {
    New,
    Queued(WaiterId),
    Done,
}

impl<'p, M: Manager> Get<'p, M> {
    #[inline]
    pub(crate) fn borrowed(pool: &'p Pool<M>, caller: &'static Location<'static>) -> Self {
        Self { pool: PoolRef::Borrowed(pool), ask: Ask::new(caller) }
    }

    pub(crate) fn owned(pool: Pool<M>, caller: &'static Location<'static>) -> Self {
        Self { pool: PoolRef::Owned(pool), ask: Ask::new(caller) }
    }

    /// Waits at most this long, counted from the first poll. `Duration::MAX` waits for ever. Zero takes what is idle, or fails
    /// at once.
    ///
    /// It bounds the wait and says nothing of what comes after: a caller whose turn comes in the last moment is served. If the
    /// work itself has to end by some time, say so by [`deadline`](Self::deadline). Of the two, the one called last holds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.ask.patience = Patience::For(timeout);
        self
    }

    /// Says by when the whole work has to be done that the resource is for, on the pool's clock, which is that of its
    /// [`Runtime`](crate::Runtime).
    ///
    /// The wait ends by then, as with a [`timeout`](Self::timeout); beyond that, the caller is refused in its turn
    /// ([`ShedReason::DeadlineTooClose`](crate::ShedReason)) if less time is left than nine of ten leases take, as measured of
    /// late: the resource would only be spent on work that comes too late. If it has to be expected on arrival, the caller is not
    /// even queued (`PredictedTooLate`). But if so many leases take longer than all the time that it had when it came, that is its
    /// own affair, and only the wait counts. Under [`Overload::Fifo`](crate::Overload) it is served in any case. What lies idle is
    /// taken even after the deadline.
    ///
    /// It takes the place of `get_timeout`, and of the two the one called last holds.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example<M: millpond::Manager>(pool: millpond::Pool<M>, arrived: std::time::Instant) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// // Whoever sent the request has given up on it two seconds after.
    /// let resource = pool.get().deadline(arrived + Duration::from_secs(2)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.ask.patience = Patience::Until(deadline);
        self
    }

    /// Asks in the lane of this name, see [`Lane`](crate::Lane). A lane that the pool was not built with is an error,
    /// [`GetError::UnknownLane`]. Costs a visit to the desk.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example<M: millpond::Manager>(pool: millpond::Pool<M>) -> Result<(), Box<dyn std::error::Error>> {
    /// let resource = pool.get().lane("checkout").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn lane(mut self, lane: impl Into<Cow<'static, str>>) -> Self {
        self.ask.rare.get_or_insert_default().lane = Some(lane.into());
        self
    }

    /// Names the lease, for `holders` and for the errors of those who wait meanwhile. Costs a visit to the desk.
    pub fn label(mut self, label: impl Into<Cow<'static, str>>) -> Self {
        self.ask.rare.get_or_insert_default().label = Some(label.into());
        self
    }
}

impl<M: Manager> Future for Get<'_, M> {
    type Output = Result<Pooled<M>, GetError<M::Error>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.ask.poll(this.pool.hub(), cx)
    }
}

impl<M: Manager> Drop for Get<'_, M> {
    #[inline]
    fn drop(&mut self) {
        if let State::Queued(id) = self.ask.state {
            // mutate:
            cancel(self.pool.hub(), id);
        }
    }
}

impl<M: Manager> fmt::Debug for Get<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get")
            .field("pool", &self.pool.hub().common.name)
            .field("ask", &self.ask)
            .finish()
    }
}

impl<M: Manager> PoolRef<'_, M> {
    #[inline]
    fn hub(&self) -> &Arc<Hub<M>> {
        match self {
            Self::Borrowed(pool) => pool.hub(),
            Self::Owned(pool) => pool.hub(),
        }
    }
}

impl Ask {
    #[inline]
    fn new(caller: &'static Location<'static>) -> Self {
        Self { caller, patience: Patience::Default, rare: None, state: State::New }
    }

    #[inline(always)]
    fn poll<M: Manager>(
        &mut self,
        hub: &Arc<Hub<M>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Pooled<M>, GetError<M::Error>>> {
        let stale = if matches!(self.state, State::New) && self.rare.is_none() {
            match take(hub, self.caller) {
                Taken::Fresh(pooled) => {
                    self.state = State::Done;
                    return Poll::Ready(Ok(pooled));
                }
                Taken::Stale(claim) => Some(claim),
                Taken::Nothing => None,
            }
        } else {
            None
        };
        let polled = self.poll_desk(hub, stale, cx);
        polled.map_ok(|claim| Pooled::new(claim, hub.common.strict_return))
    }

    /// `stale`: taken by self-service, but the desk has to look at it first.
    #[cold]
    fn poll_desk<M: Manager>(
        &mut self,
        hub: &Arc<Hub<M>>,
        stale: Option<PoolClaim<M>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<PoolClaim<M>, GetError<M::Error>>> {
        if let Some(claim) = stale {
            hub.give_back(claim, GiveBack::Unused);
        }
        let waker = cx.waker().clone();
        let mut visit = match self.state {
            State::New => {
                let task = hub.task();
                match hub.enter_to_wait(waker) {
                    Some(visit) => visit.of_task(task),
                    None => return Poll::Ready(Err(self.forked(hub))),
                }
            }
            State::Queued(id) => hub.visit_again(id, waker).of_waiter(id),
            State::Done => panic!("`Get` was polled after it had completed"),
        };
        let mut answer = match self.state {
            State::New => match self.request(hub, visit.now) {
                Some(request) => visit.step(Input::Wait(request)),
                None => return Poll::Ready(Err(self.in_no_lane(&mut visit))),
            },
            State::Queued(id) => visit.step(Input::Claim(id)),
            State::Done => Answer::None,
        };
        if let Answer::Queued(id) = answer {
            self.state = State::Queued(id);
            visit.keep_task(id);
            // A resource may have come home between the look at the bits and the flag that stops it.
            // mutate-lines 2: answer = Answer::None;
            answer =
                if visit.desk().is_woken(id) { visit.step(Input::Claim(id)) } else { Answer::None };
        }
        let settled = self.settle(hub, &mut visit, answer);
        let mut deadline = None;
        if let State::Queued(id) = self.state {
            // mutate:
            visit.keep_waker(id);
            deadline = visit.desk().core.deadline(id);
        }
        let needs_driver = visit.needs_driver();
        let mut home = visit.desk().home();
        drop(visit);
        // Who was served or refused leaves work behind, too: a creation for the next, or a flag that only a driver lowers.
        // mutate: let driven = true;
        let driven = !needs_driver || hub.ensure_driver().is_ok();
        match (settled, self.state) {
            (Some(result), _) => Poll::Ready(result),
            (None, State::Queued(id)) if !driven => Poll::Ready(self.settle_here(hub, id)),
            (None, _) => {
                if needs_driver {
                    home = hub.read(Desk::home);
                }
                let alarm = Alarm::new(hub, home, deadline, cx);
                if alarm.is_set() || self.rare.is_some() {
                    self.rare.get_or_insert_default().alarm = alarm;
                }
                Poll::Pending
            }
        }
    }

    /// There is nobody to wait for: takes what can be had without a runtime, or gives up.
    fn settle_here<M: Manager>(
        &mut self,
        hub: &Arc<Hub<M>>,
        id: WaiterId,
    ) -> Result<PoolClaim<M>, GetError<M::Error>> {
        hub.check_here();
        let Some(visit) = hub.enter() else { return Err(self.forked(hub)) };
        let mut visit = visit.of_waiter(id);
        let answer = visit.step(Input::Claim(id));
        if let Some(result) = self.settle(hub, &mut visit, answer) {
            return result;
        }
        self.state = State::Done;
        visit.forget_waker(id);
        visit.step(Input::Cancel(id));
        Err(self.driven_by_nobody(hub, &mut visit))
    }

    /// The outcome, if the desk has answered with one.
    fn settle<M: Manager>(
        &mut self,
        hub: &Arc<Hub<M>>,
        visit: &mut Visit<'_, M>,
        answer: Answer<PoolClaim<M>>,
    ) -> Option<Result<PoolClaim<M>, GetError<M::Error>>> {
        let result = match answer {
            Answer::Lent(claim) => {
                Ok(lend(hub, visit, claim, self.caller, self.rare.as_deref_mut()))
            }
            Answer::Refused(refusal) => Err(self.refused(hub, visit, &refusal)),
            Answer::None | Answer::Queued(_) | Answer::Proceed | Answer::Adopt(_) => return None,
        };
        if let State::Queued(id) = std::mem::replace(&mut self.state, State::Done) {
            visit.forget_waker(id);
        }
        Some(result)
    }

    /// What it says at the desk; nothing if there is no such lane.
    fn request<M: Manager>(&self, hub: &Hub<M>, now: Instant) -> Option<Request> {
        let lane = self.lane(hub)?;
        let deadline = match self.patience {
            Patience::Default => hub.care.get_timeout.and_then(|timeout| now.checked_add(timeout)),
            Patience::For(timeout) => now.checked_add(timeout),
            Patience::Until(deadline) => Some(deadline),
        };
        Some(Request { lane, deadline, covers_lease: matches!(self.patience, Patience::Until(_)) })
    }

    /// The number of its lane, if there is one of that name.
    fn lane<M: Manager>(&self, hub: &Hub<M>) -> Option<u32> {
        match self.rare.as_ref().and_then(|rare| rare.lane.as_deref()) {
            Some(name) => hub.care.lanes.find(name),
            None => Some(0),
        }
    }
}

/// What self-service found.
enum Taken<M: Manager> {
    Fresh(Pooled<M>),
    /// The desk has to look at it first.
    Stale(PoolClaim<M>),
    Nothing,
}

/// Self-service: one atomic step. Inlined with its callers, because moving its result through memory costs more than making
/// it (29 against 22 ns a checkout: the guard is written in small pieces and would be read back in large ones).
#[inline(always)]
fn take<M: Manager>(hub: &Hub<M>, caller: &'static Location<'static>) -> Taken<M> {
    let Some((claim, facts)) = hub.shelves.take() else { return Taken::Nothing };
    // mutate: if false {
    if !hub.common.is_fresh(facts) {
        return Taken::Stale(claim);
    }
    facts.lent(hub.common.tick(), caller);
    Taken::Fresh(Pooled::new(claim, hub.common.strict_return))
}

/// Takes a resource without waiting.
#[inline(always)]
pub(crate) fn try_get<M: Manager>(
    hub: &Arc<Hub<M>>,
    caller: &'static Location<'static>,
) -> Result<Pooled<M>, TryGetError> {
    let stale = match take(hub, caller) {
        Taken::Fresh(pooled) => return Ok(pooled),
        Taken::Stale(claim) => Some(claim),
        Taken::Nothing => None,
    };
    try_get_at_desk(hub, stale, caller).map(|claim| Pooled::new(claim, hub.common.strict_return))
}

#[cold]
fn try_get_at_desk<M: Manager>(
    hub: &Arc<Hub<M>>,
    stale: Option<PoolClaim<M>>,
    caller: &'static Location<'static>,
) -> Result<PoolClaim<M>, TryGetError> {
    if let Some(claim) = stale {
        hub.give_back(claim, GiveBack::Unused);
    }
    let (result, needs_driver) = try_once(hub, caller);
    // Without a runtime, a check may still be possible here; a creation waits for the next caller that has one.
    if needs_driver && hub.ensure_driver().is_err() && result.is_err() {
        hub.check_here();
        return try_once(hub, caller).0;
    }
    result
}

fn try_once<M: Manager>(
    hub: &Arc<Hub<M>>,
    caller: &'static Location<'static>,
) -> (Result<PoolClaim<M>, TryGetError>, bool) {
    let task = hub.task();
    let Some(visit) = hub.enter() else { return (Err(TryGetError::Forked), false) };
    let mut visit = visit.of_task(task);
    let result = match visit.step(Input::Try) {
        Answer::Lent(claim) => Ok(lend(hub, &mut visit, claim, caller, None)),
        Answer::Refused(refusal) => Err(TryGetError::new(refusal.why)),
        _ => Err(TryGetError::Exhausted),
    };
    (result, visit.needs_driver())
}

/// Hands over what the desk lent.
fn lend<M: Manager>(
    hub: &Arc<Hub<M>>,
    visit: &mut Visit<'_, M>,
    claim: PoolClaim<M>,
    caller: &'static Location<'static>,
    rare: Option<&mut Rare>,
) -> PoolClaim<M> {
    let lease = claim.facts().lent(hub.common.to_tick(visit.now), caller);
    visit.keep_taker(claim.index(), lease);
    if let Some(label) = rare.and_then(|rare| rare.label_of(lease)) {
        visit.desk().label(claim.index(), label);
    }
    claim
}

#[cold]
fn cancel<M: Manager>(hub: &Hub<M>, id: WaiterId) {
    let Some(mut visit) = hub.enter() else { return };
    visit.forget_waker(id);
    visit.step(Input::Cancel(id));
}
