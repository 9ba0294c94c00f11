//! Asks a server to cancel what it does on a connection, by a connection of its own.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::address::Address;
use crate::connect::Connect;
use crate::error::Error;
use crate::protocol::CancelKey;
use crate::tls::Carrier;

/// Cancels whatever runs on one connection, in the way that connection was opened, TLS included.
///
/// It names a connection, not a query: kept for longer than a loan, it cancels the query of whoever borrows the connection
/// then.
///
/// # Examples
///
/// ```no_run
/// # async fn example(client: &millpond_postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// let cancel = client.cancel_token();
/// let query = client.query("SELECT pg_sleep(60)", &[]);
/// match tokio::time::timeout(Duration::from_secs(1), query).await {
///     Ok(rows) => drop(rows?),
///     Err(_) => cancel.cancel().await?,
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CancelToken {
    connect: Arc<Connect>,
    address: Address,
    key: CancelKey,
}

impl CancelToken {
    pub(crate) fn new(connect: Arc<Connect>, address: Address, key: CancelKey) -> Self {
        Self { connect, address, key }
    }

    /// Asks the server to cancel what runs on the connection, and waits until it has passed that on.
    ///
    /// The query ends with an error of its own if it was still running; if nothing ran, nothing happens.
    ///
    /// # Errors
    ///
    /// That the server could not be asked.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it completes, the query may be cancelled or not; also, a moment later, one that is begun meanwhile.
    pub async fn cancel(&self) -> Result<(), Error> {
        let mut stream = self.connect.stream(&self.address).await?;
        ask(&mut stream, self.key)
            .await
            .map_err(|source| Error::Connect { address: self.address.to_string(), source })
    }
}

/// The server answers by hanging up, after it has signalled. Without waiting for that, the next query could be hit.
async fn ask(stream: &mut Box<dyn Carrier>, key: CancelKey) -> io::Result<()> {
    let mut request = [0; 16];
    for (part, number) in
        request.chunks_exact_mut(4).zip([16, CANCEL_REQUEST, key.process, key.secret])
    {
        part.copy_from_slice(&number.to_be_bytes());
    }
    stream.write_all(&request).await?;
    stream.flush().await?;
    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
    Ok(())
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("address", &self.address)
            .field("process", &self.key.process)
            .finish_non_exhaustive()
    }
}

/// The number that stands for a protocol version.
const CANCEL_REQUEST: i32 = (1234 << 16) + 5678;

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use tokio::net::TcpListener;
    use tokio_postgres::Config;

    use super::*;
    use crate::socket::Socket;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn it_is_not_over_before_the_server_has_hung_up() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = Address::Tcp { at: listener.local_addr()?, hostname: None };
        let mut stream: Box<dyn Carrier> = Box::new(Socket::open(&address, &Config::new()).await?);
        let (mut server, _) = listener.accept().await?;

        let key = CancelKey { process: 7, secret: -2 };
        let mut asking = pin!(ask(&mut stream, key));
        assert!(poll(asking.as_mut()).is_pending());
        let mut request = [0; 16];
        server.read_exact(&mut request).await?;
        assert_eq!(request[..8], [0, 0, 0, 16, 4, 210, 22, 46]);
        assert_eq!(request[8..], [0, 0, 0, 7, 255, 255, 255, 254]);
        assert!(poll(asking.as_mut()).is_pending(), "the signal may not be sent yet");
        drop(server);
        asking.await
    }
}
