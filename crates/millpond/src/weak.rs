//! A handle that does not keep its pool open.

use std::fmt;

use crate::desk::Hub;
use crate::manager::Manager;
use crate::pool::{Handle, Pool};
use crate::sync::Weak;

/// A handle to a pool that closes all the same when the last [`Pool`] is dropped: for what a pool's own resources or
/// background tasks need of it. Made by [`Pool::downgrade`].
pub struct WeakPool<M: Manager> {
    hub: Weak<Hub<M>>,
    handle: Weak<Handle<M>>,
}

impl<M: Manager> WeakPool<M> {
    pub(crate) fn new(hub: Weak<Hub<M>>, handle: Weak<Handle<M>>) -> Self {
        Self { hub, handle }
    }

    /// The pool, unless the last [`Pool`] was dropped. A pool that was [closed](Pool::close) is still there.
    #[must_use]
    pub fn upgrade(&self) -> Option<Pool<M>> {
        let handle = self.handle.upgrade()?;
        Some(Pool::from_parts(self.hub.upgrade()?, handle))
    }
}

impl<M: Manager> Clone for WeakPool<M> {
    fn clone(&self) -> Self {
        Self { hub: self.hub.clone(), handle: self.handle.clone() }
    }
}

impl<M: Manager> fmt::Debug for WeakPool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakPool").field("open", &(self.handle.strong_count() > 0)).finish()
    }
}
