//! Agrees with a server on TLS, or on doing without. `connect` and `cancel` do so on each new socket.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect, TlsStream};

use crate::address::Address;
use crate::error::Error;
use crate::socket::Socket;

/// What carries a connection, with TLS or without.
pub(crate) trait Carrier: TlsStream + Send + Unpin {}

impl<S: TlsStream + Send + Unpin> Carrier for S {}

/// A connector whose type nobody has to name, so that a pool of connections has one type with TLS and without.
pub(crate) trait Connector: Send + Sync {
    fn handshake(&self, hostname: &str, socket: Socket) -> Handshake;
}

pub(crate) type Handshake = Pin<Box<dyn Future<Output = Result<Box<dyn Carrier>, Cause>> + Send>>;

pub(crate) type Cause = Box<dyn StdError + Send + Sync>;

/// The connectors of tokio-postgres.
pub(crate) struct Erased<T>(pub(crate) T);

impl<T> Connector for Erased<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn handshake(&self, hostname: &str, socket: Socket) -> Handshake {
        let connector = self.0.clone().make_tls_connect(hostname).map_err(Into::into);
        Box::pin(async move {
            let stream = connector?.connect(socket).await;
            Ok(Box::new(stream.map_err(Into::into)?) as Box<dyn Carrier>)
        })
    }
}

/// Does what `sslmode` and `sslnegotiation` ask for.
pub(crate) async fn secure(
    mut socket: Socket,
    address: &Address,
    config: &Config,
    connector: Option<&dyn Connector>,
) -> Result<Box<dyn Carrier>, Error> {
    let required = match config.get_ssl_mode() {
        _ if !address.is_remote() => return Ok(Box::new(socket)),
        SslMode::Disable => return Ok(Box::new(socket)),
        SslMode::Prefer => false,
        _ => true,
    };
    let connector = match connector {
        Some(connector) => connector,
        None if required => {
            return Err(Error::Config("sslmode asks for TLS, but there is no connector"));
        }
        None => return Ok(Box::new(socket)),
    };
    let failed = |source| Error::Tls { address: address.to_string(), source };
    let offered = match config.get_ssl_negotiation() {
        SslNegotiation::Direct if required => true,
        SslNegotiation::Direct => {
            return Err(Error::Config("sslnegotiation=direct needs sslmode=require"));
        }
        _ => offers_tls(&mut socket).await.map_err(|source| failed(source.into()))?,
    };
    match (offered, address.hostname()) {
        (true, Some(hostname)) => connector.handshake(hostname, socket).await.map_err(failed),
        (true, None) => {
            Err(Error::Config("TLS needs a host by name, to compare with the certificate"))
        }
        (false, _) if required => Err(failed("the server does not speak TLS".into())),
        (false, _) => Ok(Box::new(socket)),
    }
}

/// Asks whether the server speaks TLS. Exactly one byte is read: what came after it unencrypted would be a forgery.
async fn offers_tls(socket: &mut Socket) -> io::Result<bool> {
    socket.write_all(&REQUEST).await?;
    Ok(socket.read_u8().await? == b'S')
}

/// The length of the message, and the number that stands for a protocol version.
const REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_the_one_of_the_protocol() {
        let number = u32::from_be_bytes(REQUEST[4..].try_into().expect("four bytes are left"));
        assert_eq!(number, (1234 << 16) + 5679);
    }
}
