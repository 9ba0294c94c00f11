//! Connections over TLS are watched, cleaned, cancelled and closed like any other; and who asks for TLS does not go without.

use std::pin::pin;
use std::sync::Arc;

use millpond::GetError;
use millpond_postgres::{Error, PostgresManager};
use millpond_test::poll_once;
use millpond_tests::postgres::Cluster;
use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::support::{Outside, close, one_thread, pool_of_one, take};

/// A certificate for `localhost` that vouches for itself.
fn certificate() -> CertifiedKey {
    let key_pair = KeyPair::generate().expect("a key can be made");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("it is a name");
    let cert = params.self_signed(&key_pair).expect("it is signed");
    CertifiedKey { cert, key_pair }
}

/// What trusts this certificate and no other.
fn connector(trusted: &CertifiedKey) -> MakeRustlsConnect {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).expect("it is a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("there are common versions");
    MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// Makes a server speak TLS. It writes the files itself, so that they are its own.
async fn speak_tls(outside: &Outside, certificate: &CertifiedKey) {
    for (file, pem) in [
        ("server.crt", certificate.cert.pem()),
        ("server.key", certificate.key_pair.serialize_pem()),
    ] {
        outside
            .run(&format!(
                "COPY (SELECT unnest(string_to_array($pem${}$pem$, chr(10)))) TO PROGRAM 'umask 077; cat > {file}'",
                pem.replace('\r', "")
            ))
            .await;
    }
    outside.run("ALTER SYSTEM SET ssl = on").await;
    outside.run("SELECT pg_reload_conf()").await;
}

/// The way to the server by TCP.
fn remote(cluster: &Cluster, application: &str) -> Config {
    let mut config = Config::new();
    config.host("localhost").hostaddr([127, 0, 0, 1].into()).port(cluster.port());
    config.user("postgres").dbname("postgres").application_name(application);
    config.ssl_mode(SslMode::Require);
    config
}

#[test]
fn connections_over_tls_are_cleaned_cancelled_and_closed_like_any_other() {
    let Some(cluster) = Cluster::for_test(&["listen_addresses = '127.0.0.1'"]) else { return };
    one_thread().block_on(async {
        let outside = Outside::connect(&cluster).await;
        outside
            .run("CREATE ROLE guarded; CREATE ROLE carp LOGIN PASSWORD 'pond' IN ROLE guarded")
            .await;
        let certificate = certificate();
        speak_tls(&outside, &certificate).await;
        // The password is bound to this very channel: what lies between must not hide it.
        let mut config = remote(&cluster, "tls");
        config.user("carp").password("pond").channel_binding(ChannelBinding::Require);
        let manager = PostgresManager::new(config).tls(connector(&certificate));
        let pool = pool_of_one(manager.clone());

        let client = loop {
            // The server may not have read its new settings yet.
            match pool.get().await {
                Ok(client) => break client,
                Err(GetError::Create(error, _)) if matches!(*error, Error::Tls { .. }) => {
                    tokio::task::yield_now().await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        let process = client.process_id();
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let row = client.query_one(sql, &[]).await.expect("the server answers");
        assert!(row.get::<_, bool>(0));
        client.batch_execute("BEGIN; SET search_path TO pg_catalog").await.expect("it begins");
        drop(client);

        let client = take(&pool).await;
        assert_eq!(client.process_id(), process);
        let in_transaction = client.batch_execute("SAVEPOINT a").await;
        assert!(in_transaction.is_err(), "the transaction was rolled back");
        assert!(poll_once(pin!(client.batch_execute("SELECT pg_sleep(1000)"))).is_pending());
        outside.until_busy("tls", 1).await;
        drop(client);

        let client = take(&pool).await;
        assert_eq!(client.process_id(), process, "the query was cancelled");
        drop(client);
        close(&pool).await;
        assert_eq!((manager.open_connections(), outside.connections("tls").await), (0, 0));

        let strangers = PostgresManager::new(remote(&cluster, "strangers"));
        let pool = pool_of_one(strangers.tls(connector(&self::certificate())));
        let error = pool.get().await.expect_err("nobody knows that certificate");
        let GetError::Create(error, _) = error else { panic!("{error}") };
        assert!(matches!(*error, Error::Tls { .. }) && !error.is_transient(), "{error}");
        close(&pool).await;
    });
}

#[test]
fn who_asks_for_tls_does_not_go_without() {
    let Some(cluster) = Cluster::for_test(&["listen_addresses = '127.0.0.1'"]) else { return };
    one_thread().block_on(async {
        let refused = async |manager| {
            let pool = pool_of_one(manager);
            let error = pool.get().await.expect_err("there is no TLS");
            close(&pool).await;
            let GetError::Create(error, _) = error else { panic!("{error}") };
            assert!(!error.is_transient(), "{error}");
            error
        };
        let manager = PostgresManager::new(remote(&cluster, "no connector"));
        assert!(matches!(*refused(manager.clone()).await, Error::Config(_)));
        let manager = manager.tls(connector(&certificate()));
        assert!(matches!(*refused(manager).await, Error::Tls { .. }));

        let mut config = remote(&cluster, "preferring");
        config.ssl_mode(SslMode::Prefer);
        let pool = pool_of_one(PostgresManager::new(config).tls(connector(&certificate())));
        drop(take(&pool).await);
        close(&pool).await;
    });
}
