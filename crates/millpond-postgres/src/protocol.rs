//! What both sides of one connection have said, and what follows from it for the next borrower. `wire` feeds it.
//!
//! tokio-postgres does not tell whether a transaction is open, but the server does, at the end of each answer. So the bytes
//! are read along: the requests that went out, the answers that came back, the state the server names, and the commands it
//! says it has completed.
//!
//! *Invariant:* it errs on the safe side. A command it does not know may have changed the session; a connection it cannot
//! follow is lost.

mod frames;

use frames::Frames;

/// A connection as its two streams of bytes show it.
#[derive(Debug)]
pub(crate) struct Protocol {
    from_client: Frames,
    from_server: Frames,
    talk: Talk,
}

/// What was made of the messages so far.
#[derive(Debug)]
struct Talk {
    /// Requests that were sent to their end: each is answered by one `ReadyForQuery`.
    sent: u64,
    /// How many of them were answered. Never more than `sent`.
    answered: u64,
    /// The last request that made the server work. What only closes a statement does not.
    last_work: u64,
    /// The last request that is accounted for: what it did to the session was cleaned.
    cleaned: u64,
    /// What the request consists of that is being sent.
    begun: Request,
    /// Whether the server waits for the client's data.
    copying: bool,
    /// Whether the last answer left a transaction open, sound or failed.
    transaction: bool,
    dirt: Dirt,
    lost_statements: u64,
    outdated: bool,
    key: CancelKey,
    /// Whether nobody knows any more which answer belongs to which request. For good.
    lost: bool,
}

/// What a session may keep from a borrower, the worse the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dirt {
    None,
    /// Settings, temporary tables, subscriptions, cursors: whatever some command may have left.
    Session,
    /// Statements that were prepared by SQL, under a name that the next borrower may want.
    Prepared,
}

/// What a server wants to see before it cancels a query. Zeros mean nothing to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CancelKey {
    pub(crate) process: i32,
    pub(crate) secret: i32,
}

/// A request that has not been sent to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    None,
    /// Only closes something, as dropped statements do.
    Closing,
    Work,
}

impl Protocol {
    pub(crate) fn new() -> Self {
        let talk = Talk {
            sent: 0,
            answered: 0,
            last_work: 0,
            cleaned: 0,
            begun: Request::None,
            copying: false,
            transaction: false,
            dirt: Dirt::None,
            lost_statements: 0,
            outdated: false,
            key: CancelKey::default(),
            lost: false,
        };
        Self { from_client: Frames::of_client(), from_server: Frames::of_server(), talk }
    }

    /// Takes in what the client sent next.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        let fed = self.from_client.feed(bytes, |tag, _| self.talk.say(tag));
        self.talk.lost |= fed.is_err();
    }

    /// Takes in what the server sent next.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        let fed = self.from_server.feed(bytes, |tag, body| self.talk.hear(tag, body));
        self.talk.lost |= fed.is_err();
    }

    /// Notes that the session is as good as new.
    pub(crate) fn cleaned(&mut self) {
        self.talk.dirt = Dirt::None;
        self.talk.cleaned = self.talk.sent;
    }

    /// Says, once, that the server has found a prepared statement outdated by a change of the schema.
    pub(crate) fn take_outdated(&mut self) -> bool {
        std::mem::take(&mut self.talk.outdated)
    }

    /// Whether it can be followed no longer, or the server waits for data: no cancelling ends that, and if the client gives up,
    /// it cannot be followed either.
    pub(crate) fn is_lost(&self) -> bool {
        self.talk.lost || self.talk.copying
    }

    /// How many requests were answered.
    pub(crate) fn answered(&self) -> u64 {
        self.talk.answered
    }

    /// Whether the server has, or will get, more to do than to close statements, which is over in no time and changes nothing.
    pub(crate) fn is_working(&self) -> bool {
        self.talk.last_work > self.talk.answered
            || self.talk.begun != Request::None
            || !self.from_client.is_between()
    }

    /// Whether a transaction is open, sound or failed, as of the last answer.
    pub(crate) fn in_transaction(&self) -> bool {
        self.talk.transaction
    }

    /// What borrowers have left since the session was last cleaned, as far as commands tell.
    pub(crate) fn dirt(&self) -> Dirt {
        self.talk.dirt
    }

    /// Whether the server was made to work since the session was last cleaned.
    pub(crate) fn is_used(&self) -> bool {
        self.talk.last_work > self.talk.cleaned
    }

    /// Counts up whenever statements that the client has prepared may be gone from the server.
    pub(crate) fn lost_statements(&self) -> u64 {
        self.talk.lost_statements
    }

    /// What a query on this connection is cancelled by, once the login is through.
    pub(crate) fn key(&self) -> CancelKey {
        self.talk.key
    }
}

impl Talk {
    fn say(&mut self, tag: u8) {
        match tag {
            b'P' | b'B' | b'D' | b'E' | b'd' | b'c' | b'f' => self.begun = Request::Work,
            b'C' if self.begun == Request::None => self.begun = Request::Closing,
            // Startup, query and function call are answered by themselves, all else together at a sync.
            STARTUP | b'Q' | b'F' | b'S' => {
                self.sent += 1;
                if tag != b'S' || self.begun == Request::Work {
                    self.last_work = self.sent;
                }
                self.begun = Request::None;
            }
            // Passwords, flush, terminate.
            _ => {}
        }
    }

    fn hear(&mut self, tag: u8, body: &[u8]) {
        match tag {
            b'Z' => {
                // While it waits for data, a server ignores the sync that came with the command.
                let ignored = u64::from(std::mem::take(&mut self.copying));
                self.answered = (self.answered + 1 + ignored).min(self.sent);
                self.transaction = body != b"I";
            }
            b'C' => self.hear_completion(body),
            // The sync that came with the command was ignored, or it was not: there may be one answer to come or two, and
            // tokio-postgres takes it for one.
            b'E' if self.copying => self.lost = true,
            b'E' => match code(body) {
                Some(INVALID_STATEMENT_NAME) => self.lost_statements += 1,
                Some(FEATURE_NOT_SUPPORTED) => self.outdated = true,
                _ => {}
            },
            b'G' => self.copying = true,
            b'K' => self.key = CancelKey::parse(body).unwrap_or_default(),
            // A setting has changed, by whatever means.
            b'S' => self.dirt = self.dirt.max(Dirt::Session),
            _ => {}
        }
    }

    fn hear_completion(&mut self, body: &[u8]) {
        let counted = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | 0);
        let end = body.iter().rposition(|byte| !counted(byte)).map_or(0, |last| last + 1);
        match &body[..end] {
            b"DISCARD ALL" => {
                self.lost_statements += 1;
                self.dirt = Dirt::None;
            }
            b"DEALLOCATE" | b"DEALLOCATE ALL" => self.lost_statements += 1,
            b"PREPARE" => self.dirt = Dirt::Prepared,
            command if HARMLESS.contains(&command) => {}
            _ => self.dirt = self.dirt.max(Dirt::Session),
        }
    }
}

impl CancelKey {
    fn parse(body: &[u8]) -> Option<Self> {
        let (process, rest) = body.split_first_chunk()?;
        let secret = rest.first_chunk()?;
        Some(Self { process: i32::from_be_bytes(*process), secret: i32::from_be_bytes(*secret) })
    }
}

/// The SQLSTATE among the fields of an error.
fn code(mut fields: &[u8]) -> Option<&[u8]> {
    while let [kind, rest @ ..] = fields {
        let end = rest.iter().position(|byte| *byte == 0)?;
        if *kind == b'C' {
            return Some(&rest[..end]);
        }
        fields = &rest[end + 1..];
    }
    None
}

/// The client's first message has no tag.
const STARTUP: u8 = 0;

/// Commands that leave nothing in the session once no transaction is open, by the tag that reports them. A command that is
/// missing here costs a cleaning that may have been needless.
const HARMLESS: &[&[u8]] = &[
    b"SELECT",
    b"INSERT",
    b"UPDATE",
    b"DELETE",
    b"MERGE",
    b"COPY",
    b"FETCH",
    b"MOVE",
    b"BEGIN",
    b"START TRANSACTION",
    b"COMMIT",
    b"ROLLBACK",
    b"SAVEPOINT",
    b"RELEASE",
    b"SHOW",
    b"EXPLAIN",
    b"NOTIFY",
    b"LOCK TABLE",
    b"TRUNCATE TABLE",
];

const INVALID_STATEMENT_NAME: &[u8] = b"26000";
/// Among others: "cached plan must not change result type". The others cost a few statements prepared anew.
const FEATURE_NOT_SUPPORTED: &[u8] = b"0A000";

#[cfg(test)]
mod tests;
