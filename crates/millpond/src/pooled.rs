//! A lent resource: a guard that gives it back.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};

use millpond_core::GiveBack;

use crate::common::{PoolClaim, contained, dispose};
use crate::manager::{Disposition, Manager, Metrics, Returned};

/// A resource on loan from a [`Pool`](crate::Pool). Dereferences to it, and gives it back when dropped.
///
/// Dropping it never blocks, spawns or panics, and needs no runtime: it is legal on any thread, at any time, also after the
/// pool was closed or dropped. What may take time, such as cleaning and closing, is left to the tasks of the pool.
///
/// The operations are associated functions, so that they cannot be taken for methods of the resource.
///
/// # Examples
///
/// ```no_run
/// # async fn example<M: millpond::Manager<Resource = Vec<u8>>>(pool: millpond::Pool<M>) -> Result<(), Box<dyn std::error::Error>> {
/// let mut buffer = pool.get().await?;
/// buffer.push(1); // As if it were the resource itself.
/// drop(buffer);
/// # Ok(())
/// # }
/// ```
pub struct Pooled<M: Manager> {
    /// *Transitions:* `Some` until it is given back, discarded or detached.
    claim: Option<PoolClaim<M>>,
    /// Uses by [`run`](Self::run) that began and did not complete.
    in_flight: u32,
    /// Whether a use counts as incomplete until it is called complete.
    strict: bool,
    /// Whether the last use was called complete.
    finished: AtomicBool,
}

impl<M: Manager> Pooled<M> {
    #[inline]
    pub(crate) fn new(claim: PoolClaim<M>, strict: bool) -> Self {
        Self { claim: Some(claim), in_flight: 0, strict, finished: AtomicBool::new(false) }
    }

    /// Uses the resource in a way that shows the pool whether the use was completed.
    ///
    /// # Cancel safety
    ///
    /// If the returned future is dropped before it completes, or its body panics, the resource counts as used half-way for
    /// good: once the guard is dropped it goes through `reset` or is closed, and never straight to the next borrower.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example<M: millpond::Manager<Resource = Vec<u8>>>(pool: millpond::Pool<M>) -> Result<(), Box<dyn std::error::Error>> {
    /// use millpond::Pooled;
    ///
    /// let mut buffer = pool.get().await?;
    /// let length = Pooled::run(&mut buffer, async |buffer| {
    ///     buffer.push(1);
    ///     buffer.len()
    /// })
    /// .await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run<T>(this: &mut Self, body: impl AsyncFnOnce(&mut M::Resource) -> T) -> T {
        this.in_flight += 1;
        let result = body(this).await;
        this.in_flight -= 1;
        this.finished.store(true, Ordering::Relaxed);
        result
    }

    /// Gives the resource back, saying that its use is complete. The same as dropping the guard, except in
    /// [strict mode](crate::Builder::strict_return).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use millpond::Pooled;
    /// # async fn example<M: millpond::Manager>(pool: millpond::Pool<M>) -> Result<(), Box<dyn std::error::Error>> {
    /// let resource = pool.get().await?;
    /// // All that was asked of it is answered.
    /// Pooled::finish(resource);
    /// # Ok(())
    /// # }
    /// ```
    pub fn finish(this: Self) {
        this.finished.store(true, Ordering::Relaxed);
    }

    /// Gives the resource back as broken: the pool closes it, and [`Manager::on_return`] is not asked.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use millpond::Pooled;
    /// # async fn example<M: millpond::Manager<Resource = std::net::TcpStream>>(pool: millpond::Pool<M>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut connection = pool.get().await?;
    /// if connection.take_error()?.is_some() {
    ///     Pooled::discard(connection);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn discard(mut this: Self) {
        if let Some(claim) = this.claim.take() {
            give_back_by_desk(claim, GiveBack::Discard);
        }
    }

    /// Gives the resource back as it came, without a word to the manager.
    pub(crate) fn put_back(mut this: Self) {
        if let Some(claim) = this.claim.take() {
            give_back_by_desk(claim, GiveBack::Unused);
        }
    }

    /// Keeps the resource for good: the pool forgets it, and may open another in its place.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use millpond::Pooled;
    /// # async fn example<M: millpond::Manager>(pool: millpond::Pool<M>) -> Result<(), Box<dyn std::error::Error>> {
    /// // One connection to listen on, outside the pool's accounts.
    /// let listener: M::Resource = Pooled::detach(pool.get().await?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "the resource is dropped, without `Manager::close`, if it is not kept"]
    pub fn detach(mut this: Self) -> M::Resource {
        let mut claim = this.claim.take().expect(LENT);
        let resource = claim.resource_mut().take().expect(LENT);
        give_back_by_desk(claim, GiveBack::Detached);
        resource
    }

    /// What the pool knows of the resource.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use millpond::Pooled;
    /// # async fn example<M: millpond::Manager>(pool: millpond::Pool<M>) -> Result<(), Box<dyn std::error::Error>> {
    /// let resource = pool.get().await?;
    /// if Pooled::metrics(&resource).uses() == 1 {
    ///     // Nobody had it before.
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn metrics(this: &Self) -> Metrics {
        let claim = this.claim.as_ref().expect(LENT);
        claim.link().common.metrics(claim.facts())
    }

    #[inline]
    fn returned(&self) -> Returned {
        if std::thread::panicking() {
            Returned::Panicked
        } else if self.in_flight > 0 || (self.strict && !self.finished.load(Ordering::Relaxed)) {
            Returned::Cancelled
        } else {
            Returned::Finished
        }
    }
}

impl<M: Manager> Deref for Pooled<M> {
    type Target = M::Resource;

    #[inline]
    fn deref(&self) -> &M::Resource {
        // A use that nobody has called complete yet; many resources are used by `&self`.
        if self.strict {
            self.finished.store(false, Ordering::Relaxed);
        }
        self.claim.as_ref().and_then(|claim| claim.resource()).expect(LENT)
    }
}

impl<M: Manager> DerefMut for Pooled<M> {
    #[inline]
    fn deref_mut(&mut self) -> &mut M::Resource {
        if self.strict {
            self.finished.store(false, Ordering::Relaxed);
        }
        self.claim.as_mut().and_then(|claim| claim.resource_mut().as_mut()).expect(LENT)
    }
}

impl<M: Manager> Drop for Pooled<M> {
    #[inline]
    fn drop(&mut self) {
        let returned = self.returned();
        if let Some(claim) = self.claim.take() {
            give_back(claim, returned);
        }
    }
}

impl<M: Manager> fmt::Debug for Pooled<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pooled = f.debug_struct("Pooled");
        if let Some(claim) = &self.claim {
            let common = &claim.link().common;
            pooled.field("pool", &common.name).field("slot", &claim.index());
            if let Some(lease) = claim.facts().lease() {
                pooled.field("held_by", &format_args!("{}", lease.holder));
            }
            pooled.field("metrics", &common.metrics(claim.facts()));
        }
        pooled.finish_non_exhaustive()
    }
}

/// Does with a resource that was let go what its manager says.
#[inline]
fn give_back<M: Manager>(mut claim: PoolClaim<M>, returned: Returned) {
    let (resource, facts, link) = claim.parts();
    let common = &link.common;
    let metrics = common.metrics(facts);
    let resource = resource.as_mut().expect(LENT);
    let disposition = contained(|| common.manager.on_return(resource, returned, &metrics));
    match disposition {
        Ok(Disposition::Reuse) if returned == Returned::Finished => {
            // mutate:
            facts.rests(common.tick());
            // mutate: if false {
            if !common.is_current(facts) {
                return give_back_by_desk(claim, GiveBack::Unused);
            }
            if let Err(claim) = claim.put() {
                give_back_by_desk(claim, GiveBack::Unused);
            }
        }
        Ok(Disposition::Reuse | Disposition::Reset) => give_back_by_desk(claim, GiveBack::Reset),
        // A panic in the manager costs this resource.
        Err(message) => discard_after_panic(claim, message),
        Ok(Disposition::Discard) => give_back_by_desk(claim, GiveBack::Discard),
    }
}

#[cold]
fn discard_after_panic<M: Manager>(claim: PoolClaim<M>, message: String) {
    match claim.link().hub.upgrade() {
        Some(hub) => hub.discard_after_panic(claim, message),
        None => orphaned(claim),
    }
}

/// The pool is gone.
fn orphaned<M: Manager>(mut claim: PoolClaim<M>) {
    if claim.link().common.owner.is_foreign_for_sure() {
        std::mem::forget(claim);
    } else {
        dispose(claim.resource_mut().take());
        let _ = contained(|| drop(claim));
    }
}

/// A resource that does not go home by its bit comes to the desk.
#[cold]
fn give_back_by_desk<M: Manager>(claim: PoolClaim<M>, how: GiveBack) {
    match claim.link().hub.upgrade() {
        Some(hub) => {
            hub.give_back(claim, how);
            // Whoever is the last to go takes the manager with it, whose destructor is user code.
            let _ = contained(|| drop(hub));
        }
        None => orphaned(claim),
    }
}

const LENT: &str = "a guard has its resource until it gives it up";
