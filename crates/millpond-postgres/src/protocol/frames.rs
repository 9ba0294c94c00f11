//! Cuts a stream of bytes into the messages of PostgreSQL's protocol, in whatever pieces it arrives. `protocol` feeds it.

/// One direction of a connection. Bodies pass through; only the first bytes of each are kept, where what matters stands.
#[derive(Debug)]
pub(super) struct Frames {
    /// The tag and the length of the message that is arriving.
    header: [u8; HEADER],
    /// How much of the header is there. Less than all: its body has not begun.
    filled: usize,
    /// Bytes of the body still to come.
    left: usize,
    kept: [u8; KEPT],
    kept_len: usize,
}

/// A length that no message can have: from here on nobody knows where messages begin.
#[derive(Debug)]
pub(super) struct Garbled;

impl Frames {
    /// What the server says: every message has a tag.
    pub(super) fn of_server() -> Self {
        Self { header: [0; HEADER], filled: 0, left: 0, kept: [0; KEPT], kept_len: 0 }
    }

    /// What the client says: its first message, the startup, has no tag, and is shown with the tag zero.
    pub(super) fn of_client() -> Self {
        Self { filled: 1, ..Self::of_server() }
    }

    /// Takes in what was transferred next, and shows each message that this completes: its tag and the first bytes of its body.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(u8, &[u8]),
    ) -> Result<(), Garbled> {
        while !bytes.is_empty() {
            if self.filled < HEADER {
                let (head, rest) = bytes.split_at(bytes.len().min(HEADER - self.filled));
                self.header[self.filled..self.filled + head.len()].copy_from_slice(head);
                self.filled += head.len();
                bytes = rest;
                if self.filled < HEADER {
                    break;
                }
                self.begin_body()?;
            }
            let (body, rest) = bytes.split_at(bytes.len().min(self.left));
            let keep = body.len().min(KEPT - self.kept_len);
            self.kept[self.kept_len..self.kept_len + keep].copy_from_slice(&body[..keep]);
            self.kept_len += keep;
            self.left -= body.len();
            bytes = rest;
            if self.left == 0 {
                each(self.header[0], &self.kept[..self.kept_len]);
                self.filled = 0;
            }
        }
        Ok(())
    }

    /// Whether no message is half-way through.
    pub(super) fn is_between(&self) -> bool {
        self.filled == 0
    }

    fn begin_body(&mut self) -> Result<(), Garbled> {
        let [_, length @ ..] = self.header;
        // The length counts itself.
        self.left = (u32::from_be_bytes(length) as usize).checked_sub(4).ok_or(Garbled)?;
        self.kept_len = 0;
        Ok(())
    }
}

const HEADER: usize = 5;

/// Enough for the longest command tag, and for the severity (in any language) and the code of an error.
const KEPT: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("a test's message is short");
        [&[tag][..], &length.to_be_bytes(), body].concat()
    }

    fn cut(frames: &mut Frames, bytes: &[u8], piece: usize) -> Vec<(u8, Vec<u8>)> {
        let mut found = Vec::new();
        for piece in bytes.chunks(piece) {
            frames.feed(piece, |tag, body| found.push((tag, body.to_vec()))).expect("it is sound");
        }
        found
    }

    #[test]
    fn messages_are_found_in_pieces_of_any_size() {
        let bytes =
            [message(b'C', b"SELECT 1\0"), message(b'1', b""), message(b'Z', b"I")].concat();
        for piece in 1..=bytes.len() {
            let mut frames = Frames::of_server();
            let found = cut(&mut frames, &bytes, piece);
            let expected = [(b'C', &b"SELECT 1\0"[..]), (b'1', b""), (b'Z', b"I")];
            assert_eq!(found, expected.map(|(tag, body)| (tag, body.to_vec())), "by {piece}");
            assert!(frames.is_between());
        }
    }

    #[test]
    fn of_a_long_body_only_the_beginning_is_kept() {
        let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let mut frames = Frames::of_server();
        let found = cut(&mut frames, &message(b'D', &body), 4096);
        assert_eq!(found, [(b'D', body[..KEPT].to_vec())]);
    }

    #[test]
    fn the_first_message_of_a_client_has_no_tag() {
        let startup = &message(0, b"user\0")[1..];
        let bytes = [startup, &message(b'Q', b"\0")].concat();
        let mut frames = Frames::of_client();
        let tags: Vec<u8> = cut(&mut frames, &bytes, 3).into_iter().map(|(tag, _)| tag).collect();
        assert_eq!(tags, [0, b'Q']);
    }

    #[test]
    fn half_a_message_shows() {
        let frames = Frames::of_client();
        assert!(!frames.is_between(), "a client has to speak first");
        let query = message(b'Q', b"SELECT 1\0");
        let mut frames = Frames::of_server();
        assert_eq!(cut(&mut frames, &query[..7], 7), []);
        assert!(!frames.is_between());
        assert_eq!(cut(&mut frames, &query[7..], 7).len(), 1);
    }

    #[test]
    fn an_impossible_length_is_refused() {
        assert!(Frames::of_server().feed(b"Z\0\0\0\x03", |_, _| {}).is_err());
    }
}
