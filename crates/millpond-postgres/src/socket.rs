//! A socket to a server, and how it is opened. `connect` and `cancel` do.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::tls::{ChannelBinding, TlsStream};

use crate::address::Address;

/// A connected socket, before TLS is spoken on it: what a connector given to
/// [`PostgresManager::tls`](crate::PostgresManager::tls) works on.
///
/// # Examples
///
/// Connectors for tokio-postgres work on any stream, so they can be handed over as they are:
///
/// ```
/// use millpond_postgres::{PostgresManager, Socket};
/// use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
///
/// fn with_tls<T>(manager: PostgresManager, connector: T) -> PostgresManager
/// where
///     T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
///     T::Stream: Send + 'static,
///     T::TlsConnect: Send,
///     <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
/// {
///     manager.tls(connector)
/// }
/// ```
#[derive(Debug)]
pub struct Socket(Box<dyn Duplex>);

trait Duplex: AsyncRead + AsyncWrite + fmt::Debug + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + fmt::Debug + Send + Sync + Unpin> Duplex for S {}

impl Socket {
    /// Connects to `address`, in the way the configuration wants.
    pub(crate) async fn open(address: &Address, config: &Config) -> io::Result<Self> {
        match address {
            Address::Tcp { at, .. } => {
                let stream = within(config, TcpStream::connect(at)).await?;
                stream.set_nodelay(true)?;
                set_options(&SockRef::from(&stream), config)?;
                Ok(Self(Box::new(stream)))
            }
            Address::Unix(path) => Self::open_unix(path, config).await,
        }
    }

    #[cfg(unix)]
    async fn open_unix(path: &Path, config: &Config) -> io::Result<Self> {
        Ok(Self(Box::new(within(config, UnixStream::connect(path)).await?)))
    }

    #[cfg(not(unix))]
    async fn open_unix(_: &Path, _: &Config) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A connection without TLS is carried in the same place as one with it.
impl TlsStream for Socket {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

async fn within<T>(config: &Config, connect: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match config.get_connect_timeout() {
        Some(limit) => timeout(*limit, connect).await?,
        None => connect.await,
    }
}

fn set_options(socket: &SockRef<'_>, config: &Config) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Some(limit) = config.get_tcp_user_timeout() {
        socket.set_tcp_user_timeout(Some(*limit))?;
    }
    if config.get_keepalives() {
        socket.set_tcp_keepalive(&keepalive(config))?;
    }
    Ok(())
}

/// Where a system has no such setting, it keeps its own.
fn keepalive(config: &Config) -> TcpKeepalive {
    let keepalive = TcpKeepalive::new().with_time(config.get_keepalives_idle());
    #[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd", windows))]
    let keepalive = match config.get_keepalives_interval() {
        Some(interval) => keepalive.with_interval(interval),
        None => keepalive,
    };
    #[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
    let keepalive = match config.get_keepalives_retries() {
        Some(retries) => keepalive.with_retries(retries),
        None => keepalive,
    };
    keepalive
}
