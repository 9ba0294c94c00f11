//! The runtimes that a storm can run on. It asks no more of one than a pool does, besides a way in.

use std::future::Future;
use std::io;

use millpond::{BuildError, Builder, Manager, Pool};
use millpond_async_std::AsyncStd;
use millpond_smol::Smol;
use millpond_tokio::Tokio;

/// One of them, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    Tokio,
    Smol,
    AsyncStd,
}

impl Runtime {
    pub(crate) const ALL: [Self; 3] = [Self::Tokio, Self::Smol, Self::AsyncStd];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::AsyncStd => "async-std",
        }
    }

    /// Runs a future on it, to the end.
    pub(crate) fn block_on<T>(self, future: impl Future<Output = T>) -> io::Result<T> {
        match self {
            Self::Tokio => {
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
                Ok(runtime.block_on(future))
            }
            Self::Smol => Ok(smol::block_on(future)),
            Self::AsyncStd => Ok(async_std::task::block_on(future)),
        }
    }

    /// Makes a pool that lives on it.
    pub(crate) fn build<M: Manager>(self, builder: Builder<M>) -> Result<Pool<M>, BuildError> {
        match self {
            Self::Tokio => builder.build(Tokio),
            Self::Smol => builder.build(Smol),
            Self::AsyncStd => builder.build(AsyncStd),
        }
    }

    /// Its clock, its sleep and its tasks, as a pool sees them.
    pub(crate) fn adapter(self) -> &'static dyn millpond::Runtime {
        match self {
            Self::Tokio => &Tokio,
            Self::Smol => &Smol,
            Self::AsyncStd => &AsyncStd,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::thread;

    use futures::channel::oneshot;
    use millpond::{Disposition, Metrics, Returned};

    use super::*;

    /// Lends the name of the thread that opened it; all three runtimes name their threads after themselves.
    struct Names;

    impl Manager for Names {
        type Resource = String;
        type Error = Infallible;

        async fn create(&self) -> Result<String, Infallible> {
            Ok(thread::current().name().unwrap_or_default().to_owned())
        }

        fn on_return(&self, _: &mut String, _: Returned, _: &Metrics) -> Disposition {
            Disposition::Discard
        }
    }

    #[test]
    fn a_pool_lives_on_the_runtime_of_that_name() {
        for runtime in Runtime::ALL {
            let pool = runtime.build(Pool::builder(Names)).unwrap();
            let name = runtime.block_on(async { pool.get().await.unwrap().clone() }).unwrap();
            assert!(name.starts_with(runtime.name()), "{name}");
        }
    }

    #[test]
    fn tasks_run_on_the_runtime_of_that_name() {
        for runtime in Runtime::ALL {
            let (send, receive) = oneshot::channel();
            let task = async { send.send(Names.create().await.unwrap()).unwrap() };
            let heard = async {
                runtime.adapter().spawn(Box::pin(task)).unwrap();
                receive.await.unwrap()
            };
            let name = runtime.block_on(heard).unwrap();
            assert!(name.starts_with(runtime.name()), "{name}");
        }
    }
}
