//! A pool of TCP connections in a few lines: `cargo run --example quickstart_tokio`.
#![expect(clippy::print_stdout, reason = "an example is there to be seen")]

use std::{io, net::SocketAddr, time::Duration};

use millpond::{Disposition, Manager, Metrics, Pool, Returned};
use millpond_tokio::Tokio;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Server(SocketAddr);

impl Manager for Server {
    type Resource = TcpStream;
    type Error = io::Error;

    async fn create(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.0).await
    }

    fn on_return(&self, _: &mut TcpStream, returned: Returned, _: &Metrics) -> Disposition {
        if returned == Returned::Finished { Disposition::Reuse } else { Disposition::Discard }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let pool = Pool::builder(Server(server.local_addr()?)).max_size(4).build(Tokio)?;

    let stream = pool.get().await?;
    println!("connected to {}, {} in use", stream.peer_addr()?, pool.status().leased);
    drop(stream); // Goes back to the pool.

    pool.with(async |stream| stream.write_all(b"hello").await).await??;
    let mut heard = [0; 5];
    server.accept().await?.0.read_exact(&mut heard).await?;
    assert_eq!(&heard, b"hello");
    println!("sent hello, {} idle of at most {}", pool.status().idle, pool.status().max);

    let report = pool.close(Duration::from_secs(1)).await;
    println!("closed: {report}");
    Ok(())
}
