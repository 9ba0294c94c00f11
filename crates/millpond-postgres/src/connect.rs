//! Opens connections: goes through the servers, agrees on TLS, logs in, and sets a driver on it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::runtime::Handle;
use tokio_postgres::config::{SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::{Config, SimpleQueryMessage};

use crate::address::{Address, Server};
use crate::census::Census;
use crate::client::Client;
use crate::driver::{Driver, DriverTask};
use crate::error::Error;
use crate::socket::Socket;
use crate::tap::{Tap, Tapped};
use crate::tls::{Carrier, Connector, secure};
use crate::wire::Wire;

/// What all connections of a manager have in common.
pub(crate) struct Connect {
    config: Config,
    /// The same for a login on a stream where TLS is settled.
    login: Config,
    connector: Option<Box<dyn Connector>>,
    census: Arc<Census>,
    /// See `Wire`.
    schema: Arc<AtomicU64>,
}

impl Connect {
    pub(crate) fn new(config: Config, connector: Option<Box<dyn Connector>>) -> Self {
        let mut login = config.clone();
        login.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        Self { config, login, connector, census: Arc::default(), schema: Arc::default() }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn census(&self) -> &Census {
        &self.census
    }

    /// Opens a connection to the first server that takes it.
    ///
    /// A failure that will not pass ends the search, as it does in libpq: a password that is wrong for one server is not
    /// tried on the others.
    pub(crate) async fn open(self: &Arc<Self>, statements: usize) -> Result<Client, Error> {
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let mut last = Error::Config("none of its hosts has an address");
        for server in Server::all(&self.config)? {
            let addresses = match server.addresses(&self.config).await {
                Ok(addresses) => addresses,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            for address in addresses {
                match self.open_at(address, statements, &runtime).await {
                    Ok(client) => return Ok(client),
                    Err(error) if !error.is_transient() => return Err(error),
                    Err(error) => last = error,
                }
            }
        }
        Err(last)
    }

    /// A stream to the server, on which nothing was said yet.
    pub(crate) async fn stream(&self, address: &Address) -> Result<Box<dyn Carrier>, Error> {
        let socket = Socket::open(address, &self.config)
            .await
            .map_err(|source| Error::Connect { address: address.to_string(), source })?;
        secure(socket, address, &self.config, self.connector.as_deref()).await
    }

    async fn open_at(
        self: &Arc<Self>,
        address: Address,
        statements: usize,
        runtime: &Handle,
    ) -> Result<Client, Error> {
        let seat = self.census.enter();
        let stream = self.stream(&address).await?;
        let wire = Wire::new(Arc::clone(&self.schema));
        let tap = Tap::new(stream, Arc::clone(&wire), seat);
        let (client, connection) = self
            .login
            .connect_raw(tap, Tapped)
            .await
            .map_err(|source| Error::Login { address: address.to_string(), source })?;
        let driver = DriverTask::new(runtime.spawn(Driver::new(connection, Arc::clone(&wire))));
        let client = Client::new(client, driver, wire, statements, Arc::clone(self), address);
        if self.wants_role() {
            self.check(&client).await?;
        }
        client.wire().cleaned();
        Ok(client)
    }

    /// Asks the server for a sign of life, by one round trip, and whether it still is what the configuration wants.
    pub(crate) async fn check(&self, client: &Client) -> Result<(), Error> {
        if client.is_closed() {
            return Err(Error::Closed { source: client.wire().failure() });
        }
        if !self.wants_role() {
            return client.check_connection().await.map_err(Error::Check);
        }
        let answer =
            client.simple_query("SHOW transaction_read_only").await.map_err(Error::Check)?;
        let read_only = answer.iter().any(
            |message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("on")),
        );
        match self.config.get_target_session_attrs() {
            TargetSessionAttrs::ReadWrite if read_only => Err(Error::Role { is: "read-only" }),
            TargetSessionAttrs::ReadOnly if !read_only => Err(Error::Role { is: "read-write" }),
            _ => Ok(()),
        }
    }

    fn wants_role(&self) -> bool {
        self.config.get_target_session_attrs() != TargetSessionAttrs::Any
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("config", &self.config)
            .field("tls", &self.connector.is_some())
            .field("census", &self.census)
            .finish_non_exhaustive()
    }
}
