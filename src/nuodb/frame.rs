//! Frames: a big-endian length of four bytes, then that many bytes of payload.
//!
//! The length travels in clear and is believed only as far as bytes really arrive: nothing is
//! allocated on the strength of an announcement. What a payload contains is decided elsewhere.

use std::fmt;

use thiserror::Error;

/// The longest frame either side accepts from somebody who has not authenticated yet.
pub const LIMIT_BEFORE_AUTHENTICATION: usize = 64 * 1024;

/// The longest frame either side accepts after authentication, unless it is told otherwise: a
/// snapshot of a million processes fits.
pub const DEFAULT_LIMIT: usize = 256 * 1024 * 1024;

/// What somebody sends instead of frames to see whether a peer is alive; a blank follows.
pub const PROBE: &[u8; 8] = b"~~~~stat";

/// What the peer answers to [`PROBE`], without a frame around it, before it closes.
pub const PROBE_ANSWER: &[u8; 5] = b"<ok/>";

/// The bytes of a length.
const HEADER: usize = 4;

/// How much empty space the buffer keeps for the next frames; more is given back.
const KEPT_CAPACITY: usize = 1024 * 1024;

/// The other side announced a frame longer than we are willing to hold.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("frame of {length} bytes exceeds the limit of {limit}")]
pub struct FrameTooLong {
    /// What was announced.
    pub length: usize,
    /// What is allowed at this stage.
    pub limit: usize,
}

/// Collects bytes as they arrive and hands out complete frames.
///
/// Each byte is copied in once, and moved at most once more on average, however the bytes are
/// split and however many frames wait.
pub struct FrameBuffer {
    bytes: Vec<u8>,
    /// Where the first byte lies that has not been handed out.
    start: usize,
    limit: usize,
}

impl FrameBuffer {
    /// Returns an empty buffer that refuses frames of more than `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            limit,
        }
    }

    /// Changes the limit for the frames that were not handed out yet.
    pub const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        let waiting = self.bytes.len() - self.start;
        if waiting == 0 {
            self.bytes.clear();
            self.start = 0;
            self.bytes.shrink_to(KEPT_CAPACITY);
        } else if self.start >= waiting {
            // At least as many bytes were handed out as are moved now.
            self.bytes.copy_within(self.start.., 0);
            self.bytes.truncate(waiting);
            self.bytes.shrink_to(KEPT_CAPACITY);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the bytes that have not been handed out, with their headers.
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Returns the payload of the next frame, or `None` if it has not arrived completely.
    ///
    /// Frames without payload are skipped. The caller may decrypt the payload in place.
    ///
    /// # Errors
    ///
    /// Fails as soon as the length has arrived, and again at each further call.
    pub fn next_frame(&mut self) -> Result<Option<&mut [u8]>, FrameTooLong> {
        loop {
            let Some((header, rest)) = self.bytes[self.start..].split_first_chunk::<HEADER>()
            else {
                return Ok(None);
            };
            let length = u32::from_be_bytes(*header) as usize;
            if length > self.limit {
                return Err(FrameTooLong {
                    length,
                    limit: self.limit,
                });
            }
            if rest.len() < length {
                return Ok(None);
            }
            let payload = self.start + HEADER;
            self.start = payload + length;
            if length > 0 {
                return Ok(Some(&mut self.bytes[payload..self.start]));
            }
        }
    }
}

impl fmt::Debug for FrameBuffer {
    /// Shows how much there is, not what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameBuffer({} bytes)", self.waiting().len())
    }
}

/// Collects frames that are to be sent.
#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
}

impl Outbox {
    /// Adds one frame: `write` appends its payload, `seal` encrypts it in place.
    pub fn frame(&mut self, write: impl FnOnce(&mut Vec<u8>), seal: impl FnOnce(&mut [u8])) {
        let header = self.bytes.len();
        let payload = header + HEADER;
        self.bytes.extend_from_slice(&[0; HEADER]);
        write(&mut self.bytes);
        let length = encoded_length(self.bytes.len() - payload);
        self.bytes[header..payload].copy_from_slice(&length);
        seal(&mut self.bytes[payload..]);
    }

    /// Adds bytes without a frame around them.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns everything that is to be sent, if there is anything.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        (!self.bytes.is_empty()).then(|| std::mem::take(&mut self.bytes))
    }
}

impl fmt::Debug for Outbox {
    /// Shows how much there is, not what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbox({} bytes)", self.bytes.len())
    }
}

fn encoded_length(length: usize) -> [u8; HEADER] {
    u32::try_from(length)
        .expect("a document of ours is far shorter than 4 GiB")
        .to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(payloads: &[&[u8]]) -> Vec<u8> {
        let mut outbox = Outbox::default();
        for payload in payloads {
            outbox.frame(|out| out.extend_from_slice(payload), |_| ());
        }
        outbox.take().unwrap_or_default()
    }

    fn drain(buffer: &mut FrameBuffer) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while let Some(frame) = buffer.next_frame().unwrap() {
            frames.push(frame.to_vec());
        }
        frames
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_are_split() {
        let stream = framed(&[b"one", b"", b"three", b"", b"", b"4"]);
        for size in 1..=stream.len() {
            let mut buffer = FrameBuffer::new(16);
            let mut frames = Vec::new();
            for chunk in stream.chunks(size) {
                buffer.push(chunk);
                frames.extend(drain(&mut buffer));
            }
            assert_eq!(frames, [&b"one"[..], b"three", b"4"], "chunks of {size}");
            assert!(buffer.waiting().is_empty());
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_payload_arrives() {
        let mut buffer = FrameBuffer::new(LIMIT_BEFORE_AUTHENTICATION);
        buffer.push(&[0x7F, 0xFF, 0xFF]);
        assert_eq!(buffer.next_frame(), Ok(None));
        buffer.push(&[0xFF]);
        let error = FrameTooLong {
            length: 0x7FFF_FFFF,
            limit: LIMIT_BEFORE_AUTHENTICATION,
        };
        assert_eq!(buffer.next_frame(), Err(error));
        assert_eq!(buffer.next_frame(), Err(error));
        assert_eq!(
            error.to_string(),
            "frame of 2147483647 bytes exceeds the limit of 65536"
        );
    }

    #[test]
    fn an_announced_length_allocates_nothing() {
        let mut buffer = FrameBuffer::new(DEFAULT_LIMIT);
        buffer.push(&u32::try_from(DEFAULT_LIMIT).unwrap().to_be_bytes());
        buffer.push(b"a few bytes");
        assert_eq!(buffer.next_frame(), Ok(None));
        assert!(buffer.bytes.capacity() < 1024);
    }

    #[test]
    fn the_limit_can_be_raised_between_two_frames() {
        let mut buffer = FrameBuffer::new(3);
        buffer.push(&framed(&[b"abc", b"abcd"]));
        assert_eq!(buffer.next_frame().unwrap().unwrap(), b"abc");
        buffer.set_limit(4);
        assert_eq!(buffer.next_frame().unwrap().unwrap(), b"abcd");
    }

    #[test]
    fn the_space_of_a_long_frame_is_given_back() {
        let mut buffer = FrameBuffer::new(DEFAULT_LIMIT);
        let long = framed(&[&vec![b'x'; 4 * KEPT_CAPACITY]]);
        let short = framed(&[b"short"]);
        for already_there in 0..short.len() {
            let (head, tail) = short.split_at(already_there);
            buffer.push(&long);
            buffer.push(head);
            assert_eq!(drain(&mut buffer).len(), 1);
            buffer.push(tail);
            assert_eq!(drain(&mut buffer).len(), 1);
            assert!(buffer.bytes.capacity() <= 2 * KEPT_CAPACITY);
        }
    }

    #[test]
    fn bytes_that_were_handed_out_make_room_for_others() {
        let mut buffer = FrameBuffer::new(DEFAULT_LIMIT);
        let frame = framed(&[&[b'x'; 100]]);
        let (head, tail) = frame.split_at(60);
        buffer.push(head);
        for _ in 0..10_000 {
            buffer.push(tail);
            buffer.push(head);
            assert_eq!(drain(&mut buffer).len(), 1);
        }
        assert!(buffer.bytes.capacity() < 4096);
    }
}
