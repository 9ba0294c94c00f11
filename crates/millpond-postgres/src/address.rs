//! Where the servers are that a configuration names. `connect` goes through them.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use tokio::net::lookup_host;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, LoadBalanceHosts};

use crate::error::Error;

/// One of the servers that a configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// What its certificate has to be for.
    hostname: Option<String>,
    place: Place,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// To be looked up anew each time, since servers move.
    Name(String),
    Address(IpAddr),
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no Unix sockets here"))]
    Directory(PathBuf),
}

/// One address of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp { at: SocketAddr, hostname: Option<String> },
    Unix(PathBuf),
}

impl Server {
    /// The servers in the order in which they are to be tried.
    pub(crate) fn all(config: &Config) -> Result<Vec<Self>, Error> {
        let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
        let ports = config.get_ports();
        let count = hosts.len().max(addresses.len());
        let agrees = |len: usize| len == 0 || len == count;
        if count == 0 {
            return Err(Error::Config("it names no host"));
        }
        if !agrees(hosts.len()) || !agrees(addresses.len()) {
            return Err(Error::Config("there must be as many hostaddr as host"));
        }
        if ports.len() > 1 && ports.len() != count {
            return Err(Error::Config("there must be one port, or as many as host"));
        }
        let mut servers: Vec<_> = (0..count)
            .map(|i| Self {
                hostname: match hosts.get(i) {
                    Some(Host::Tcp(name)) => Some(name.clone()),
                    _ => None,
                },
                place: match (addresses.get(i), hosts.get(i)) {
                    (Some(address), _) => Place::Address(*address),
                    (None, Some(Host::Tcp(name))) => Place::Name(name.clone()),
                    #[cfg(unix)]
                    (None, Some(Host::Unix(directory))) => Place::Directory(directory.clone()),
                    (None, None) => unreachable!("one of the two lists is as long as the count"),
                },
                port: ports.get(i).or(ports.first()).copied().unwrap_or(DEFAULT_PORT),
            })
            .collect();
        shuffle(&mut servers, config);
        Ok(servers)
    }

    /// Looks up where the server is.
    pub(crate) async fn addresses(&self, config: &Config) -> Result<Vec<Address>, Error> {
        let at = |ip, port| Address::Tcp {
            at: SocketAddr::new(ip, port),
            hostname: self.hostname.clone(),
        };
        let mut addresses: Vec<_> = match &self.place {
            Place::Directory(path) => {
                vec![Address::Unix(path.join(format!(".s.PGSQL.{}", self.port)))]
            }
            Place::Address(ip) => vec![at(*ip, self.port)],
            Place::Name(name) => lookup_host((name.as_str(), self.port))
                .await
                .map_err(|source| Error::Connect { address: self.to_string(), source })?
                .map(|found| at(found.ip(), found.port()))
                .collect(),
        };
        shuffle(&mut addresses, config);
        Ok(addresses)
    }
}

impl Address {
    /// Whether bytes to it may leave the machine. If not, there is no use for TLS, and servers speak none.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self, Self::Tcp { .. })
    }

    /// What the server's certificate has to be for.
    pub(crate) fn hostname(&self) -> Option<&str> {
        match self {
            Self::Tcp { hostname, .. } => hostname.as_deref(),
            Self::Unix(_) => None,
        }
    }
}

/// Hash keys are the randomness that `std` gives.
fn shuffle<T>(items: &mut [T], config: &Config) {
    if config.get_load_balance_hosts() == LoadBalanceHosts::Random {
        let random = RandomState::new();
        let mut n = 0;
        items.sort_by_cached_key(|_| {
            n += 1;
            random.hash_one(n)
        });
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Name(name) => write!(f, "{name}:{}", self.port),
            Place::Address(ip) => SocketAddr::new(*ip, self.port).fmt(f),
            Place::Directory(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { at, hostname: Some(name) } if *name != at.ip().to_string() => {
                write!(f, "{name} ({at})")
            }
            Self::Tcp { at, .. } => at.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// PostgreSQL's own.
const DEFAULT_PORT: u16 = 5432;

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(config: &str) -> Result<Vec<String>, String> {
        let config = config.parse().expect("it is a connection string");
        let servers = Server::all(&config).map_err(|error| error.to_string())?;
        Ok(servers.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn servers_are_tried_in_the_order_they_are_named() {
        assert_eq!(
            servers("host=a,b,/run/db port=1,2,3"),
            Ok(["a:1", "b:2", "/run/db"].map(str::to_owned).to_vec())
        );
        assert_eq!(servers("host=a,b"), Ok(["a:5432", "b:5432"].map(str::to_owned).to_vec()));
        assert_eq!(servers("host=a hostaddr=::1 port=7"), Ok(vec!["[::1]:7".to_owned()]));
    }

    #[test]
    fn shuffled_servers_are_all_there() {
        let mut found = servers("host=a,b,c load_balance_hosts=random").expect("it names hosts");
        found.sort_unstable();
        assert_eq!(found, ["a:5432", "b:5432", "c:5432"]);
    }

    #[test]
    fn a_configuration_that_names_no_place_to_go_is_refused() {
        for (config, why) in [
            ("user=me", "names no host"),
            ("host=a,b hostaddr=127.0.0.1", "as many hostaddr as host"),
            ("host=a,b,c port=1,2", "one port"),
        ] {
            assert!(servers(config).unwrap_err().contains(why), "{config}");
        }
    }

    #[test]
    fn an_address_shows_its_name_and_its_number() {
        let at = SocketAddr::from(([127, 0, 0, 1], 5432));
        let name = |name: &str| Address::Tcp { at, hostname: Some(name.to_owned()) }.to_string();
        assert_eq!(name("localhost"), "localhost (127.0.0.1:5432)");
        assert_eq!(name("127.0.0.1"), "127.0.0.1:5432");
        assert_eq!(Address::Unix("/run/x".into()).to_string(), "/run/x");
    }
}
