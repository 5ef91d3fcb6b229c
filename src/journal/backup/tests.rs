//! A copy is read as it was written, or not at all.

use super::*;

fn some() -> (State, Vec<StoredFact>) {
    let state = State {
        commits: 9,
        last_seq: 4,
        last_input: 7,
        last: Some(Moment::simulated(Timestamp::from_micros(5))),
        facts: 2,
        ..State::default()
    };
    let fact = |name: &str, body: &str| StoredFact {
        kind: "process".to_owned(),
        name: name.to_owned(),
        body: body.to_owned(),
    };
    let facts = vec![fact("db1/1", r#"{"pid":1}"#), fact("\"\n", "[]")];
    (state, facts)
}

#[test]
fn a_copy_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.bak");
    let (state, facts) = some();
    write(&path, 3, &State::default(), &[]).unwrap();
    assert_eq!(read(&path).unwrap().facts, []);
    write(&path, 3, &state, &facts).unwrap();
    let last = state.last;
    let expected = Backup {
        epoch: 3,
        last,
        facts,
    };
    assert_eq!(read(&path).unwrap(), expected);
    let names = fs::read_dir(dir.path()).unwrap();
    assert_eq!(names.count(), 1, "nothing is left behind");
}

#[test]
fn a_copy_with_a_flipped_bit_or_a_lost_end_is_no_copy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.bak");
    let (state, facts) = some();
    write(&path, 3, &state, &facts).unwrap();
    let sound = fs::read(&path).unwrap();
    for at in 0..sound.len() * 8 {
        let mut flipped = sound.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        read(&path).unwrap_err();
    }
    for length in 0..sound.len() {
        fs::write(&path, &sound[..length]).unwrap();
        read(&path).unwrap_err();
    }
}
