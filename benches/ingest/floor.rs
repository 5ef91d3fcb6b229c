//! The least that has to be done with the bytes of a session, whoever does it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use dbwarden::nuodb::cipher::{CipherName, Keystream};
use dbwarden::nuodb::srp::{ClientExchange, Password, ServerExchange};
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;

use crate::stream::{self, Recording};

/// Returns how long it took, and how many attributes there were.
pub(crate) fn measure(recording: &Recording) -> (Duration, usize) {
    let mut frames = stream::documents();
    let mut seal = keystream(recording.cipher);
    for frame in &mut frames {
        seal.apply(frame);
    }
    let mut attributes = 0;
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    let begin = Instant::now();
    let mut open = keystream(recording.cipher);
    for frame in &mut frames {
        open.apply(frame);
        attributes += read(std::str::from_utf8(frame).expect("the stream is ASCII"));
    }
    (begin.elapsed(), attributes)
}

fn read(text: &str) -> usize {
    let mut reader = Reader::from_str(text);
    let mut attributes = 0;
    loop {
        match reader.read_event().expect("the stream is well-formed") {
            Event::Start(element) | Event::Empty(element) => {
                for attribute in element.attributes() {
                    let attribute = attribute.expect("the stream is well-formed");
                    let value = unescape(&attribute.value).expect("the stream is well-formed");
                    black_box(value);
                    attributes += 1;
                }
            }
            Event::Eof => return attributes,
            Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::DocType(_)
            | Event::End(_)
            | Event::GeneralRef(_)
            | Event::PI(_)
            | Event::Text(_) => (),
        }
    }
}

/// Any key serves: decrypting costs the same under all.
fn keystream(cipher: CipherName) -> Keystream {
    let password = Password::new("bird".to_owned());
    let server = ServerExchange::new("domain", &password, [1; 16], [2; 32]);
    let client = ClientExchange::new([3; 32]);
    let secret = server
        .agree(&client.public_key())
        .expect("the keys are sound");
    Keystream::new(cipher, &secret, &[4; 16])
}
