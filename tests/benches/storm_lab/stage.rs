//! What the lab needs of a runtime: where a client runs, and how it sleeps and gives up.

use std::future::Future;
use std::time::Instant;

use smol::Timer;
use smol::future::FutureExt;
use tokio::runtime::Handle;

/// A runtime on which an experiment takes place.
pub(crate) trait Stage: Clone + Send + Sync + 'static {
    /// From any thread, on the runtime or not.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Not to be called by a task of the runtime.
    fn block_on<T>(&self, work: impl Future<Output = T>) -> T;

    fn sleep_until(&self, moment: Instant) -> impl Future<Output = ()> + Send;

    /// `None` if the deadline comes first; the work is dropped then.
    fn by<T: Send>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T> + Send,
    ) -> impl Future<Output = Option<T>> + Send;
}

/// Tokio, by the handle of a runtime that outlives the lab.
#[derive(Clone)]
pub(crate) struct OnTokio(pub(crate) Handle);

impl Stage for OnTokio {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.block_on(work)
    }

    async fn sleep_until(&self, moment: Instant) {
        tokio::time::sleep_until(moment.into()).await;
    }

    async fn by<T: Send>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T> + Send,
    ) -> Option<T> {
        tokio::time::timeout_at(deadline.into(), work).await.ok()
    }
}

/// Smol's global executor, which is that of its adapter too.
#[derive(Clone, Copy)]
pub(crate) struct OnSmol;

impl Stage for OnSmol {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        smol::block_on(work)
    }

    async fn sleep_until(&self, moment: Instant) {
        Timer::at(moment).await;
    }

    async fn by<T: Send>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T> + Send,
    ) -> Option<T> {
        let late = async {
            Timer::at(deadline).await;
            None
        };
        async { Some(work.await) }.or(late).await
    }
}
