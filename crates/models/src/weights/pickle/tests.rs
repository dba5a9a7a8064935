use super::*;

fn walk(pickle: &[u8]) -> io::Result<Walk> {
    let mut walk = Walk::default();
    walk.pickle(&mut &pickle[..]).map(|()| walk)
}

#[test]
fn names_are_listed_in_every_protocol() {
    // pickle.dumps(os.system, protocol) on Linux, protocols 0 and 4.
    for pickle in [
        b"cposix\nsystem\np0\n.".as_slice(),
        b"\x80\x04\x95\x14\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    ] {
        assert!(walk(pickle).unwrap().names.contains("posix.system"));
    }
}

#[test]
fn every_truncation_is_refused() {
    // pickle.dumps({"a": 1, "b": [1.5, True, None], "c": b"xy", "d": {"e": "f"}}, protocol=4)
    let whole = b"\x80\x04\x956\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94K\x01\x8c\x01b\x94]\x94(G?\xf8\
                  \0\0\0\0\0\0\x88Ne\x8c\x01c\x94C\x02xy\x94\x8c\x01d\x94}\x94\x8c\x01e\x94\
                  \x8c\x01f\x94su.";
    walk(whole).unwrap();
    for length in 0..whole.len() {
        assert!(walk(&whole[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn copies_of_a_long_name_are_counted() {
    // A name of a million letters, fetched from the memo a thousand times: 3 kB would take 1 GB.
    let mut pickle = b"c".to_vec();
    pickle.resize(1_000_001, b'x');
    pickle.extend(b"\ny\nq\0(");
    pickle.extend(b"h\0".repeat(1000));
    pickle.extend(b"t.");
    assert!(walk(&pickle).unwrap_err().to_string().contains("more than 128 MiB"));
}

#[test]
fn doubling_is_counted() {
    // DUP and TUPLE2 double the object every two bytes.
    let mut pickle = b"K\x01".to_vec();
    pickle.extend(b"2\x86".repeat(64));
    pickle.push(b'.');
    assert!(walk(&pickle).unwrap_err().to_string().contains("more than 128 MiB"));
}

#[test]
fn a_huge_length_is_refused_before_it_is_read() {
    for pickle in [
        b"X\xff\xff\xff\xff".as_slice(),
        b"B\xff\xff\xff\xff",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
    ] {
        assert!(walk(pickle).unwrap_err().to_string().contains("more than 128 MiB"));
    }
}

#[test]
fn operations_below_a_mark_or_an_empty_stack_are_refused() {
    for pickle in [&b"R."[..], b"(R.", b"K\x01(2.", b"t.", b"h\0.", b"0.", b"\x85.", b"\xff."] {
        assert!(walk(pickle).unwrap_err().to_string().contains("damaged pickle"), "{pickle:?}");
    }
}
