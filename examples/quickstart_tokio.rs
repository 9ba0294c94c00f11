//! A pool of TCP connections in a few lines: `cargo run --example quickstart_tokio`.
#![expect(clippy::print_stdout, reason = "an example is there to be seen")]

use std::{io, net::SocketAddr, time::Duration};

use millpond::{Disposition, Manager, Metrics, Pool, Returned};
use millpond_tokio::Tokio;
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

    let sent = pool.with(async |stream| stream.try_write(b"hello")).await??;
    println!("sent {sent} bytes, {} idle of at most {}", pool.status().idle, pool.status().max);

    pool.close(Duration::from_secs(1)).await;
    Ok(())
}
