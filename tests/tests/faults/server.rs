//! A server on a real socket that misbehaves in the ways in which servers and networks do, when a test tells it to.
//!
//! It speaks in lines. A client logs in (`login <password>` → `hello <number of the server>`), then asks: `echo <text>` →
//! `<text>`, `ping` → `pong`, `reset` → `clean`, `quit` → the connection ends. One task serves one connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::WriteHalf;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::broadcast;
use tokio::task::{AbortHandle, yield_now};

/// What the server does with what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Answers.
    Well,
    /// Answers after some turns of everybody else.
    Late,
    /// Answers one byte at a time, each in a segment of its own.
    ByteByByte,
    /// Reads, and never answers: a backend that hangs, or a peer that is gone without a word.
    Mute,
    /// Ends the connection instead of answering.
    HangsUp,
    /// Resets the connection instead of answering.
    Resets,
    /// Ends the connection after so many bytes of the answer.
    CutAfter(usize),
    /// Answers with what is no line of text.
    Garbage,
    /// Answers, and then says something that nobody asked for.
    Talkative,
    /// Answers everything but `quit`: it never ends a connection.
    Clingy,
}

/// What a server says of itself to those who log in, instead of `hello`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Welcome {
    /// Whoever knows the password is welcome.
    Open,
    /// No more than so many connections at a time.
    AtMost(usize),
    /// Ends the connection in the middle of the handshake.
    HangsUp,
    /// Answers in another protocol.
    Stranger,
    /// Says nothing at all: connections succeed, and lead nowhere.
    BlackHole,
}

/// What all connections are told to do at once.
#[derive(Clone, Debug)]
enum Order {
    HangUp,
    Reset,
    Say(&'static str),
}

/// The server. Its connections end with it.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// `None` while nobody listens.
    accepts: Option<AbortHandle>,
    /// Keeps the port while nobody listens.
    socket: Option<TcpSocket>,
}

#[derive(Debug)]
struct Shared {
    number: usize,
    manner: Mutex<Manner>,
    welcome: Mutex<Welcome>,
    orders: broadcast::Sender<Order>,
    logins: AtomicUsize,
    connected: AtomicUsize,
    most_connected: AtomicUsize,
}

impl Server {
    /// Takes a port, and refuses every connection until [`listen`](Self::listen).
    pub(crate) fn deaf(number: usize) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let shared = Shared {
            number,
            manner: Mutex::new(Manner::Well),
            welcome: Mutex::new(Welcome::Open),
            orders: broadcast::Sender::new(16),
            logins: AtomicUsize::new(0),
            connected: AtomicUsize::new(0),
            most_connected: AtomicUsize::new(0),
        };
        let address = socket.local_addr()?;
        Ok(Self { address, shared: Arc::new(shared), accepts: None, socket: Some(socket) })
    }

    /// Serves on a port of its own.
    pub(crate) fn start(number: usize) -> io::Result<Self> {
        let mut server = Self::deaf(number)?;
        server.listen()?;
        Ok(server)
    }

    /// Accepts from now on.
    pub(crate) fn listen(&mut self) -> io::Result<()> {
        if let Some(socket) = self.socket.take() {
            let accepts = tokio::spawn(accept(socket.listen(1024)?, Arc::clone(&self.shared)));
            self.accepts = Some(accepts.abort_handle());
        }
        Ok(())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn behaves(&self, manner: Manner) {
        *self.shared.manner.lock().expect(NO_PANIC) = manner;
    }

    pub(crate) fn welcomes(&self, welcome: Welcome) {
        *self.shared.welcome.lock().expect(NO_PANIC) = welcome;
    }

    /// Ends all connections, as a server does that shuts down, or a network that has seen no packet for too long.
    pub(crate) fn hang_up(&self) {
        let _ = self.shared.orders.send(Order::HangUp);
    }

    /// Resets all connections, as a server does that has crashed and is back.
    pub(crate) fn reset(&self) {
        let _ = self.shared.orders.send(Order::Reset);
    }

    /// Says on all connections what nobody has asked for.
    pub(crate) fn say(&self, line: &'static str) {
        let _ = self.shared.orders.send(Order::Say(line));
    }

    /// How often somebody tried to log in.
    pub(crate) fn logins(&self) -> usize {
        self.shared.logins.load(Ordering::Acquire)
    }

    /// How many connections there are now.
    pub(crate) fn connected(&self) -> usize {
        self.shared.connected.load(Ordering::Acquire)
    }

    /// The most that there ever were at once.
    pub(crate) fn most_connected(&self) -> usize {
        self.shared.most_connected.load(Ordering::Acquire)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(accepts) = &self.accepts {
            accepts.abort();
        }
        self.hang_up();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (orders, connected) = (shared.orders.subscribe(), Connected::new(&shared));
        tokio::spawn(async move {
            serve(stream, orders, &connected).await;
            // Only now is the connection gone.
            drop(connected);
        });
    }
}

/// Counts a connection.
struct Connected {
    shared: Arc<Shared>,
    now: usize,
}

impl Connected {
    fn new(shared: &Arc<Shared>) -> Self {
        let now = shared.connected.fetch_add(1, Ordering::AcqRel) + 1;
        shared.most_connected.fetch_max(now, Ordering::AcqRel);
        Self { shared: Arc::clone(shared), now }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.shared.connected.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn serve(mut stream: TcpStream, mut orders: broadcast::Receiver<Order>, of: &Connected) {
    let (read, write) = stream.split();
    let mut asked = BufReader::new(read).lines();
    let mut session = Session { write, of };
    loop {
        let goes_on = tokio::select! {
            // What all are told comes before the answer to what was asked after it.
            biased;
            order = orders.recv() => match order {
                Ok(Order::Say(said)) => {
                    session.write.write_all(said.as_bytes()).await.map(|()| true)
                }
                Ok(Order::Reset) => session.reset(),
                Ok(Order::HangUp) | Err(_) => Ok(false),
            },
            asked = asked.next_line() => match asked {
                Ok(Some(asked)) => session.answer(&asked).await,
                _ => Ok(false),
            },
        };
        if !matches!(goes_on, Ok(true)) {
            return;
        }
    }
}

/// One connection, as seen by those who write to it. Every answer says whether the connection goes on.
struct Session<'s> {
    write: WriteHalf<'s>,
    of: &'s Connected,
}

impl Session<'_> {
    /// Answers a line, or does what the server does instead.
    async fn answer(&mut self, asked: &str) -> io::Result<bool> {
        let manner = *self.of.shared.manner.lock().expect(NO_PANIC);
        let reply = match asked.split_once(' ').unwrap_or((asked, "")) {
            ("login", password) => return self.welcome(password).await,
            ("echo", text) => format!("{text}\n"),
            ("ping", _) => "pong\n".to_owned(),
            ("reset", _) => "clean\n".to_owned(),
            ("quit", _) => return Ok(matches!(manner, Manner::Clingy | Manner::Mute)),
            _ => "what?\n".to_owned(),
        };
        let reply = reply.as_bytes();
        match manner {
            Manner::Well | Manner::Clingy => self.write.write_all(reply).await?,
            Manner::Late => {
                for _ in 0..30 {
                    yield_now().await;
                }
                self.write.write_all(reply).await?;
            }
            Manner::ByteByByte => self.write_in_pieces(reply).await?,
            Manner::Mute => {}
            Manner::HangsUp => return Ok(false),
            Manner::Resets => return self.reset(),
            Manner::CutAfter(bytes) => {
                self.write.write_all(&reply[..bytes.min(reply.len())]).await?;
                return Ok(false);
            }
            Manner::Garbage => self.write.write_all(&[0xff, 0xfe, b'\n']).await?,
            Manner::Talkative => self.write.write_all(&[reply, b"by the way\n"].concat()).await?,
        }
        Ok(true)
    }

    async fn welcome(&mut self, password: &str) -> io::Result<bool> {
        let shared = &self.of.shared;
        shared.logins.fetch_add(1, Ordering::AcqRel);
        let welcome = *shared.welcome.lock().expect(NO_PANIC);
        let hello = format!("hello {}\n", shared.number);
        let (reply, goes_on) = match welcome {
            Welcome::AtMost(most) if self.of.now > most => ("full\n", false),
            Welcome::Open | Welcome::AtMost(_) if password == PASSWORD => (hello.as_str(), true),
            Welcome::Open | Welcome::AtMost(_) => ("denied\n", false),
            Welcome::HangsUp => ("hel", false),
            Welcome::Stranger => ("220 at your service\n", true),
            Welcome::BlackHole => ("", true),
        };
        self.write.write_all(reply.as_bytes()).await?;
        Ok(goes_on)
    }

    /// Each byte in a segment of its own.
    async fn write_in_pieces(&mut self, reply: &[u8]) -> io::Result<()> {
        self.write.as_ref().set_nodelay(true)?;
        for byte in reply {
            self.write.write_all(&[*byte]).await?;
            yield_now().await;
        }
        Ok(())
    }

    /// The end of the connection will be a reset.
    fn reset(&self) -> io::Result<bool> {
        self.write.as_ref().set_zero_linger()?;
        Ok(false)
    }
}

/// What opens every server.
pub(crate) const PASSWORD: &str = "perch";

const NO_PANIC: &str = "nobody panics under this lock";
