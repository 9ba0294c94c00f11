//! The client of [`Server`](crate::server::Server) as a pool's resource, written as a careful adapter would be: a connection
//! that was left in the middle of an answer, that saw an error, or on which something lies that nobody asked for, is not
//! lent again.

use std::io;
use std::net::SocketAddr;
use std::string::FromUtf8Error;
use std::sync::{Arc, Mutex};

use millpond::{Disposition, Fitness, Manager, Metrics, Returned};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::server::PASSWORD;

/// Opens connections to wherever a name leads at the moment.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// Stands for a resolver: asked at every attempt, and empty if the name is not known.
    name: Arc<Mutex<Vec<SocketAddr>>>,
    password: &'static str,
    /// Whether `create` tries what it has opened.
    proves: bool,
    /// What becomes of a connection that came home in good order.
    returned: Disposition,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Line {
    stream: BufReader<TcpStream>,
    /// The number of the server.
    pub(crate) server: usize,
    /// *Transitions:* `Rest` → `Asked` → `Rest`, or `Broken` for good.
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Rest,
    Asked,
    Broken,
}

/// Why a connection could not be opened or used.
#[derive(Debug, Error)]
pub(crate) enum LineError {
    #[error("the connection failed")]
    Io(#[from] io::Error),
    #[error("the name leads nowhere")]
    NoSuchName,
    #[error("wrong password")]
    Denied,
    #[error("too many connections")]
    Full,
    #[error("no handshake of this protocol: {0:?}")]
    Handshake(String),
    #[error("something was said that nobody asked for")]
    Unsolicited,
    #[error("not a line of text")]
    Garbage(#[from] FromUtf8Error),
}

impl Lines {
    /// Connects to this server, with the right password.
    pub(crate) fn to(address: SocketAddr) -> Self {
        let name = Arc::new(Mutex::new(vec![address]));
        Self { name, password: PASSWORD, proves: false, returned: Disposition::Reuse }
    }

    /// The same with another password.
    pub(crate) fn password(self, password: &'static str) -> Self {
        Self { password, ..self }
    }

    /// The same, and what is opened is tried before it is given to the pool.
    pub(crate) fn proven(self) -> Self {
        Self { proves: true, ..self }
    }

    /// The same, and what comes home is cleaned.
    pub(crate) fn cleaned(self) -> Self {
        Self { returned: Disposition::Reset, ..self }
    }

    /// From now on the name leads elsewhere.
    pub(crate) fn moves(&self, addresses: &[SocketAddr]) {
        *self.name.lock().expect(NO_PANIC) = addresses.to_vec();
    }

    fn resolve(&self) -> Result<SocketAddr, LineError> {
        self.name.lock().expect(NO_PANIC).first().copied().ok_or(LineError::NoSuchName)
    }
}

impl Line {
    /// Asks for an echo.
    pub(crate) async fn echo(&mut self, text: &str) -> Result<String, LineError> {
        self.ask(&format!("echo {text}\n")).await
    }

    /// Asks for a sign of life. What was said before it is no sign.
    async fn ping(&mut self) -> Result<(), LineError> {
        let answer = self.ask("ping\n").await?;
        if answer == "pong" && self.is_quiet() { Ok(()) } else { Err(LineError::Unsolicited) }
    }

    /// Asks, and reads the answer, which is one line.
    async fn ask(&mut self, question: &str) -> Result<String, LineError> {
        if self.state != State::Rest {
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        }
        // Dropped half-way, it stays so.
        self.state = State::Asked;
        let answer = self.ask_once(question).await;
        self.state = if answer.is_ok() { State::Rest } else { State::Broken };
        answer
    }

    async fn ask_once(&mut self, question: &str) -> Result<String, LineError> {
        self.stream.write_all(question.as_bytes()).await?;
        let mut answer = Vec::new();
        self.stream.read_until(b'\n', &mut answer).await?;
        if answer.pop() != Some(b'\n') {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(String::from_utf8(answer)?)
    }

    /// Whether nothing lies on it that was not asked for, not even its end. Does not wait.
    fn is_quiet(&self) -> bool {
        let nothing = match self.stream.get_ref().try_read(&mut [0]) {
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            Ok(_) => false,
        };
        nothing && self.stream.buffer().is_empty()
    }
}

impl Manager for Lines {
    type Resource = Line;
    type Error = LineError;

    async fn create(&self) -> Result<Line, LineError> {
        let stream = BufReader::new(TcpStream::connect(self.resolve()?).await?);
        let mut line = Line { stream, server: 0, state: State::Rest };
        let answer = line.ask_once(&format!("login {}\n", self.password)).await;
        let answer = answer.map_err(|error| LineError::Handshake(error.to_string()))?;
        line.server = match answer.split_once(' ') {
            Some(("hello", number)) => number.parse().map_err(|_| LineError::Handshake(answer))?,
            _ if answer == "denied" => return Err(LineError::Denied),
            _ if answer == "full" => return Err(LineError::Full),
            _ => return Err(LineError::Handshake(answer)),
        };
        if self.proves {
            line.ping().await?;
        }
        Ok(line)
    }

    fn on_return(&self, line: &mut Line, _: Returned, _: &Metrics) -> Disposition {
        if line.state == State::Rest && line.is_quiet() {
            self.returned
        } else {
            Disposition::Discard
        }
    }

    async fn check(&self, line: &mut Line, _: &Metrics) -> Result<(), LineError> {
        if !line.is_quiet() {
            return Err(LineError::Unsolicited);
        }
        line.ping().await
    }

    async fn reset(&self, line: &mut Line, _: &Metrics) -> Result<Fitness, LineError> {
        let answer = line.ask("reset\n").await?;
        Ok(if answer == "clean" { Fitness::Clean } else { Fitness::Unfit })
    }

    async fn close(&self, mut line: Line) {
        // In good order: the other side ends the connection first.
        if line.stream.write_all(b"quit\n").await.is_ok() {
            let _ = line.stream.read_to_end(&mut Vec::new()).await;
        }
    }

    fn is_transient(&self, error: &LineError) -> bool {
        matches!(error, LineError::Io(_) | LineError::NoSuchName | LineError::Full)
    }
}

const NO_PANIC: &str = "nobody panics under this lock";
