//! The stream under a connection: lets bytes through, and tells the wire of them.
//!
//! It sits above TLS, so that it reads what the server reads. tokio-postgres would put itself between, so it is told to begin
//! TLS at once, and finds that this has been done: see [`Tapped`].

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use crate::census::Seat;
use crate::tls::Carrier;
use crate::wire::Wire;

/// A stream that is watched.
pub(crate) struct Tap {
    stream: Box<dyn Carrier>,
    wire: Arc<Wire>,
    /// Whether our side has been shut down.
    shut: bool,
    /// After the stream, so that the place is free only when the socket is closed.
    _seat: Seat,
}

impl Tap {
    pub(crate) fn new(stream: Box<dyn Carrier>, wire: Arc<Wire>, seat: Seat) -> Self {
        Self { stream, wire, shut: false, _seat: seat }
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.wire.received(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        match &polled {
            Poll::Ready(Ok(taken)) => self.wire.sent(&bytes[..*taken]),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.wire.blocked(),
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Waits for the server to hang up as well. Before that it still counts the connection.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.shut = true;
        }
        let mut last_words = [0; 256];
        loop {
            let mut buf = ReadBuf::new(&mut last_words);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                // However it hung up, it did.
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl TlsStream for Tap {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

/// Stands where tokio-postgres expects a TLS connector, for a stream on which there is nothing left to negotiate.
pub(crate) struct Tapped;

impl TlsConnect<Tap> for Tapped {
    type Stream = Tap;
    type Error = io::Error;
    type Future = Ready<io::Result<Tap>>;

    fn connect(self, stream: Tap) -> Self::Future {
        ready(Ok(stream))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_postgres::Config;

    use super::*;
    use crate::address::Address;
    use crate::census::Census;
    use crate::socket::Socket;

    #[tokio::test]
    async fn it_is_shut_down_when_the_server_has_hung_up_as_well() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = Address::Tcp { at: listener.local_addr()?, hostname: None };
        let socket = Socket::open(&address, &Config::new()).await?;
        let (mut server, _) = listener.accept().await?;
        let census = Arc::<Census>::default();
        let mut tap = Tap::new(Box::new(socket), Wire::new(Arc::default()), census.enter());

        let shutting = tokio::spawn(async move { tap.shutdown().await });
        assert_eq!(server.read(&mut [0]).await?, 0, "our side is shut down");
        server.write_all(b"a last word").await?;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!shutting.is_finished(), "the server has not hung up");
        assert_eq!(census.open(), 1);
        drop(server);
        shutting.await??;
        assert_eq!(census.open(), 0);
        Ok(())
    }
}
