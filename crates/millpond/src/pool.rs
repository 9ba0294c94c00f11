//! The handle users hold.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use millpond_core::Input;

use crate::add::{self, AddError};
use crate::builder::Builder;
use crate::close::{self, CloseReport, Event, Watch};
use crate::desk::Hub;
use crate::error::{GetError, TryGetError};
use crate::get::{self, Get};
use crate::holders::Holder;
use crate::manager::{Manager, Metrics};
use crate::pooled::Pooled;
use crate::retain::{self, RetainReport};
use crate::status::Status;
use crate::sync::Arc;
use crate::weak::WeakPool;

/// A pool of resources. Clones are handles to the same pool; when the last is dropped, the pool closes.
///
/// See the [crate documentation](crate) for the model behind it.
///
/// # Examples
///
/// ```no_run
/// # use millpond::{Manager, Pool, Runtime};
/// # async fn example<M: Manager>(manager: M, runtime: impl Runtime) -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::builder(manager).max_size(4).build(runtime)?;
/// let resource = pool.get().await?;
/// drop(resource); // Goes back to the pool.
/// # Ok(())
/// # }
/// ```
pub struct Pool<M: Manager> {
    /// The same as in the handle, one step nearer.
    hub: Arc<Hub<M>>,
    handle: Arc<Handle<M>>,
}

/// What the clones share: its end is the end of the last of them.
pub(crate) struct Handle<M: Manager> {
    hub: Arc<Hub<M>>,
}

impl<M: Manager> Pool<M> {
    /// Begins to build a pool of what `manager` opens.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use millpond::{Disposition, Manager, Metrics, Pool, Returned};
    /// # struct Numbers;
    /// # impl Manager for Numbers {
    /// #     type Resource = u32;
    /// #     type Error = Infallible;
    /// #     async fn create(&self) -> Result<u32, Infallible> { Ok(7) }
    /// #     fn on_return(&self, _: &mut u32, _: Returned, _: &Metrics) -> Disposition { Disposition::Reuse }
    /// # }
    /// # fn example(runtime: impl millpond::Runtime) -> Result<(), millpond::BuildError> {
    /// let pool = Pool::builder(Numbers).name("numbers").max_size(4).build(runtime)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(manager: M) -> Builder<M> {
        Builder::new(manager)
    }

    pub(crate) fn new(hub: Arc<Hub<M>>) -> Self {
        Self { hub: Arc::clone(&hub), handle: Arc::new(Handle { hub }) }
    }

    pub(crate) fn from_parts(hub: Arc<Hub<M>>, handle: Arc<Handle<M>>) -> Self {
        Self { hub, handle }
    }

    #[inline]
    pub(crate) fn hub(&self) -> &Arc<Hub<M>> {
        &self.hub
    }

    /// Takes a resource, waiting for one at most as long as `get_timeout`.
    ///
    /// If one lies idle and is fresh, this costs one atomic operation: no lock, no clock, no allocation. Otherwise the caller
    /// queues; a resource that comes back and one that is newly created are equally welcome to the first in the queue.
    ///
    /// # Errors
    ///
    /// [`GetError`] says which phase the time was spent in, what the pool looked like, and why the last creation failed.
    ///
    /// # Fairness
    ///
    /// First come, first served within a [`Lane`](crate::Lane). A caller that was offered a resource and is not polled for a
    /// second loses it to the next, and returns to the front once. If one after the other does not come, each has half as long as
    /// the one before, down to a millisecond.
    ///
    /// # Cancel safety
    ///
    /// See [`Get`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example<M: millpond::Manager>(pool: millpond::Pool<M>) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let resource = pool.get().await?;
    /// let another = pool.get().timeout(Duration::from_millis(100)).label("report").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[track_caller]
    pub fn get(&self) -> Get<'_, M> {
        Get::borrowed(self, Location::caller())
    }

    /// [`get`](Self::get) as a `'static` future, which holds a clone of the pool: while it waits, the pool does not close with
    /// its last other handle.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    ///
    /// # Cancel safety
    ///
    /// See [`Get`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use millpond::{Manager, Pool};
    /// use std::future::Future;
    ///
    /// fn boxed<M: Manager>(pool: &Pool<M>) -> impl Future<Output = bool> + Send + 'static {
    ///     let get = pool.get_owned();
    ///     async move { get.await.is_ok() }
    /// }
    /// ```
    #[track_caller]
    pub fn get_owned(&self) -> Get<'static, M> {
        Get::owned(self.clone(), Location::caller())
    }

    /// Takes a resource if one can be had at once.
    ///
    /// If none can, what may help the next caller is started in the background: a creation, or the check that an idle
    /// resource needs.
    ///
    /// # Errors
    ///
    /// [`TryGetError`] tells what stands in the way.
    ///
    /// # Fairness
    ///
    /// Never overtakes a caller that waits.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example<M: millpond::Manager>(pool: millpond::Pool<M>) -> Result<(), Box<dyn std::error::Error>> {
    /// use millpond::TryGetError;
    ///
    /// match pool.try_get() {
    ///     Ok(resource) => drop(resource),
    ///     Err(TryGetError::Creating | TryGetError::Checking) => { /* Soon; the next who asks may have it. */ }
    ///     Err(busy) => return Err(busy.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn try_get(&self) -> Result<Pooled<M>, TryGetError> {
        get::try_get(self.hub(), Location::caller())
    }

    /// Takes a resource, runs `body` with it, and gives it back.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); then `body` does not run.
    ///
    /// # Cancel safety
    ///
    /// Dropped before `body` begins, it is as if it had not been called. Dropped after, or if `body` panics, the resource goes
    /// through `reset` or is closed, and never straight to the next borrower.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example<M: millpond::Manager<Resource = Vec<u8>>>(pool: millpond::Pool<M>) -> Result<(), Box<dyn std::error::Error>> {
    /// let length = pool.with(async |buffer| buffer.len()).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn with<T, F>(&self, body: F) -> impl Future<Output = Result<T, GetError<M::Error>>>
    where
        F: AsyncFnOnce(&mut M::Resource) -> T,
    {
        let get = self.get();
        async move {
            let mut pooled = get.await?;
            Ok(Pooled::run(&mut pooled, body).await)
        }
    }

    /// The pool in numbers. Takes the desk's lock for as long as it takes to count, so it is for gauges and not for each
    /// checkout.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn example<M: millpond::Manager>(pool: millpond::Pool<M>) {
    /// let status = pool.status();
    /// if status.oldest_wait.is_some_and(|wait| wait > Duration::from_secs(1)) {
    ///     eprintln!("{} wait, {} of {} are lent", status.waiting, status.leased, status.max);
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn status(&self) -> Status {
        let mut visit = self.hub().visit();
        let now = visit.now;
        self.hub().status(&visit.desk().core, now)
    }

    /// Who holds what, the longest first.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn example<M: millpond::Manager>(pool: millpond::Pool<M>) {
    /// for holder in pool.holders() {
    ///     eprintln!("held {holder}"); // for 3s by src/report.rs:42:17 (nightly report)
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn holders(&self) -> Vec<Holder> {
        self.hub().visit().holders()
    }

    /// Changes the greatest number of resources, zero included.
    ///
    /// What is too many is closed as it comes home, the idle first; until then nothing is created.
    ///
    /// # Errors
    ///
    /// [`ResizeError`] if `max_size` is greater than [`Builder::GREATEST_SIZE`]; nothing has changed then.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn example<M: millpond::Manager>(pool: millpond::Pool<M>) -> Result<(), millpond::ResizeError> {
    /// pool.resize(2)?; // While the server has little to give.
    /// pool.resize(16)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn resize(&self, max_size: usize) -> Result<(), ResizeError> {
        let max =
            u32::try_from(max_size).ok().filter(|max| *max as usize <= Builder::<M>::GREATEST_SIZE);
        let max = max.ok_or(ResizeError { max_size })?;
        self.tell_and_drive(Input::Resize(max));
        Ok(())
    }

    /// Makes callers wait until [`resume`](Self::resume), their timeouts running. What is lent stays lent, what comes home lies
    /// idle, and nothing is created. Pausing twice is pausing once.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn example<M: millpond::Manager>(pool: millpond::Pool<M>) {
    /// pool.pause();
    /// // Whatever the server should not see callers during: a switch-over, say.
    /// pool.resume();
    /// # }
    /// ```
    pub fn pause(&self) {
        self.tell_and_drive(Input::Pause);
    }

    /// Ends a [`pause`](Self::pause). Those who wait are served in the order in which they came.
    pub fn resume(&self) {
        self.tell_and_drive(Input::Resume);
    }

    /// Begins a new epoch, as after a change of credentials or of the server.
    ///
    /// With a `spread` of zero nothing that is open now, and nothing that is being opened now, is lent after this call has
    /// returned: what is idle is closed, what is lent is closed as it comes home. With a longer one, what is open now may still
    /// be lent until it is closed at a random moment within the spread, so that not everything is replaced at once; what is
    /// being opened now is still void.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn example<M: millpond::Manager>(pool: millpond::Pool<M>, password: &std::sync::Mutex<String>) {
    /// *password.lock().expect("nobody panics with it") = "new".to_owned(); // The manager reads it in `create`.
    /// pool.retire_all(Duration::ZERO);
    /// # }
    /// ```
    pub fn retire_all(&self, spread: Duration) {
        self.tell_and_drive(Input::RetireAll { spread });
    }

    /// Looks through what lies idle and closes what `keep` does not want to keep. Says how many stay, and what is known of those
    /// that do not.
    ///
    /// One resource at a time is taken out of the pool and counts as lent, by the caller of this method, while `keep` looks at
    /// it; what is not idle when its turn comes is passed over. A look is no use: it changes neither how long a resource has
    /// lain idle nor how often it was lent. No lock is held, so `keep` may use the pool.
    ///
    /// # Panics
    ///
    /// If `keep` does; what it was looking at is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example<M: millpond::Manager>(pool: &millpond::Pool<M>) {
    /// // Give the server back what a peak left behind.
    /// let report = pool.retain(|_, metrics| metrics.last_used().elapsed().as_secs() < 60);
    /// println!("{} stay, {} go", report.kept, report.removed.len());
    /// # }
    /// ```
    #[track_caller]
    pub fn retain(&self, keep: impl FnMut(&mut M::Resource, &Metrics) -> bool) -> RetainReport {
        let report = retain::retain(self.hub(), Location::caller(), keep);
        let _ = self.hub().ensure_driver();
        report
    }

    /// Takes in a resource that was opened elsewhere. It goes to whoever waits, or lies idle; from now on it is like any other:
    /// of the present epoch, its life begins now, and the manager checks, cleans and closes it.
    ///
    /// # Errors
    ///
    /// [`AddError`] gives the resource back if there are as many as may be, or if the pool is closing.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example<M: millpond::Manager>(pool: &millpond::Pool<M>, resource: M::Resource) {
    /// if let Err(refused) = pool.add(resource) {
    ///     println!("{refused}");
    ///     drop(refused.into_resource());
    /// }
    /// # }
    /// ```
    pub fn add(&self, resource: M::Resource) -> Result<(), AddError<M::Resource>> {
        add::add(self.hub(), resource)?;
        let _ = self.hub().ensure_driver();
        Ok(())
    }

    /// A handle that does not keep the pool open.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example<M: millpond::Manager>(pool: millpond::Pool<M>) {
    /// let weak = pool.downgrade();
    /// drop(pool);
    /// assert!(weak.upgrade().is_none());
    /// # }
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakPool<M> {
        WeakPool::new(Arc::downgrade(&self.hub), Arc::downgrade(&self.handle))
    }

    /// Closes the pool: callers are refused, also those that wait; what is idle is closed; what is lent is closed as it comes
    /// home. Waits for the last resource to be gone, at most as long as `patience`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll, the pool stays closed and drains by itself.
    ///
    /// # Without a runtime
    ///
    /// Waiting needs a timer. Where there is no runtime to start one on, the report comes at once; [`drained`](Self::drained)
    /// waits anywhere.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example<M: millpond::Manager>(pool: millpond::Pool<M>) {
    /// let report = pool.close(Duration::from_secs(10)).await;
    /// if !report.drained {
    ///     eprintln!("{report}"); // Who still holds what.
    /// }
    /// # }
    /// ```
    pub fn close(&self, patience: Duration) -> impl Future<Output = CloseReport> + Send + use<M> {
        close::close(Arc::clone(self.hub()), patience)
    }

    /// Waits until the pool begins to close: for those who hold a resource for long, to give it back in time.
    ///
    /// # Cancel safety
    ///
    /// May be dropped and called again at any time.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example<M: millpond::Manager>(pool: millpond::Pool<M>) -> Result<(), Box<dyn std::error::Error>> {
    /// use futures::future::{Either, select};
    /// use std::pin::pin;
    ///
    /// let listener = pool.get().await?;
    /// let listening = pin!(async { /* for hours */ });
    /// if let Either::Right(_) = select(listening, pin!(pool.closing())).await {
    ///     drop(listener);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<M> {
        Watch::new(Arc::clone(self.hub()), Event::Closing)
    }

    /// Waits until the pool is closed and its last resource is gone, however long that takes.
    ///
    /// # Cancel safety
    ///
    /// May be dropped and called again at any time.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # async fn example<M: millpond::Manager>(pool: millpond::Pool<M>) {
    /// let closed = pool.close(Duration::ZERO).await; // Begins it.
    /// pool.drained().await;
    /// # }
    /// ```
    pub fn drained(&self) -> impl Future<Output = ()> + Send + use<M> {
        Watch::new(Arc::clone(self.hub()), Event::Drained)
    }

    fn tell_and_drive(&self, input: Input) {
        drop(self.hub().tell(input));
        // If there is no runtime here, what is to be closed waits for the next caller that has one.
        let _ = self.hub().ensure_driver();
    }
}

impl<M: Manager> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self { hub: Arc::clone(&self.hub), handle: Arc::clone(&self.handle) }
    }
}

impl<M: Manager> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.hub().common.name)
            .field("status", &self.status())
            .finish()
    }
}

impl<M: Manager> Drop for Handle<M> {
    fn drop(&mut self) {
        drop(self.hub.tell(Input::Close));
        // The driver closes what is open and lives until the last guard is home. Without a runtime, what is left is dropped.
        let _ = self.hub.ensure_driver();
    }
}

/// A size that no pool can have; see [`Pool::resize`]. The message names it and the greatest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("max_size is {max_size}, but a pool holds at most {}", crate::builder::GREATEST_SIZE)]
pub struct ResizeError {
    max_size: usize,
}
