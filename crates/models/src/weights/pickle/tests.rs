use super::*;

fn tree(pickle: &[u8]) -> Result<Tree, String> {
    read(&mut &pickle[..])
}

/// `pickle.dumps({"a": 1, "b": [1.5, True, None], "c": b"xy", "d": {"e": "f"}}, protocol=4)`
const WHOLE: &[u8] =
    b"\x80\x04\x956\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94K\x01\x8c\x01b\x94]\x94(G?\xf8\
                       \0\0\0\0\0\0\x88Ne\x8c\x01c\x94C\x02xy\x94\x8c\x01d\x94}\x94\x8c\x01e\x94\
                       \x8c\x01f\x94su.";

#[test]
fn values_are_those_that_python_pickled() {
    let tree = tree(WHOLE).unwrap();
    let entries = tree.dict(tree.root()).unwrap();
    assert_eq!(tree.get(entries, "a"), Some(Value::Int(1)));
    let list = tree.sequence(tree.get(entries, "b").unwrap()).unwrap();
    assert_eq!(list, [Value::Float(1.5), Value::Bool(true), Value::None]);
    assert_eq!(tree.text(tree.get(entries, "c").unwrap()), Some("xy"));
    let inner = tree.dict(tree.get(entries, "d").unwrap()).unwrap();
    assert_eq!(tree.text(tree.get(inner, "e").unwrap()), Some("f"));
}

#[test]
fn integers_of_every_length_keep_their_sign() {
    // pickle.dumps(v, protocol=2)[2:] for each
    for (pickle, expected) in [
        (&b"K\xc8."[..], 200),
        (b"M\xe8\xfd.", 65_000),
        (b"J\xff\xff\xff\xff.", -1),
        (b"\x8a\x05\0\0\0\0\x80.", -(1 << 39)),
        (b"\x8a\x08\0\0\0\0\0\0\0\x80.", i64::MIN),
        (b"\x8a\0.", 0),
    ] {
        assert_eq!(tree(pickle).unwrap().root(), Value::Int(expected), "{pickle:?}");
    }
    // 1 << 64 does not fit.
    let long = tree(b"\x8a\x09\0\0\0\0\0\0\0\0\x01.").unwrap();
    assert!(matches!(long.node(long.root()), Some(Node::Skipped)));
}

#[test]
fn names_are_listed_in_every_protocol() {
    // pickle.dumps(os.system, protocol) on Linux, protocols 0 and 4.
    for pickle in [
        b"cposix\nsystem\np0\n.".as_slice(),
        b"\x80\x04\x95\x14\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    ] {
        assert!(tree(pickle).unwrap().names.contains("posix.system"));
    }
}

#[test]
fn an_object_of_a_class_is_kept_with_its_attributes_in_every_protocol() {
    // pickle.dumps(argparse.Namespace(lr=3), protocol), protocols 0 and 4.
    for pickle in [
        b"ccopy_reg\n_reconstructor\np0\n(cargparse\nNamespace\np1\nc__builtin__\nobject\np2\nNtp3\nRp4\n\
          (dp5\nVlr\np6\nI3\nsb."
            .as_slice(),
        b"\x80\x04\x95'\0\0\0\0\0\0\0\x8c\x08argparse\x94\x8c\tNamespace\x94\x93\x94)\x81\x94}\x94\x8c\x02\
          lr\x94K\x03sb.",
    ] {
        let tree = tree(pickle).unwrap();
        let object = tree.object(tree.root()).unwrap();
        assert_eq!(tree.global(object.class), Some("argparse.Namespace"));
        let state = tree.dict(object.state).unwrap();
        assert_eq!(tree.get(state, "lr"), Some(Value::Int(3)));
    }
}

#[test]
fn an_ordered_dictionary_of_pairs_is_a_dictionary() {
    // What Python 2 writes: collections.OrderedDict([["a", 1]]).
    let tree = tree(b"ccollections\nOrderedDict\n(((S'a'\nI1\nlltR.").unwrap();
    let entries = tree.dict(tree.root()).unwrap();
    assert_eq!(tree.get(entries, "a"), Some(Value::Int(1)));
}

#[test]
fn every_truncation_is_refused() {
    for length in 0..WHOLE.len() {
        assert!(tree(&WHOLE[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn copies_of_a_long_name_are_shared() {
    // Fetched from the memo a thousand times; copied it would take 65 MB.
    let mut pickle = b"c".to_vec();
    pickle.resize(65_001, b'x');
    pickle.extend(b"\ny\nq\0(");
    pickle.extend(b"h\0".repeat(1000));
    pickle.extend(b"t.");
    assert_eq!(tree(&pickle).unwrap().nodes.len(), 2);
}

#[test]
fn doubling_costs_a_node_for_each_operation() {
    // DUP and TUPLE2 double the value every two bytes.
    let mut pickle = b"K\x01".to_vec();
    pickle.extend(b"2\x86".repeat(64));
    pickle.push(b'.');
    assert_eq!(tree(&pickle).unwrap().nodes.len(), 64);
}

#[test]
fn values_that_take_too_much_memory_are_refused() {
    for ops in [&b"N"[..], b"]", b"K\x01", b"(", b"\x94", b"ca\nb\n"] {
        let mut pickle = b"K\x01".to_vec();
        pickle.extend(ops.repeat(6_000_000 / ops.len().min(2)));
        assert!(tree(&pickle).unwrap_err().contains("more than 128 MiB"), "{ops:?}");
    }
}

#[test]
fn a_huge_length_is_no_reason_to_take_memory() {
    for pickle in [
        b"X\xff\xff\xff\xff".as_slice(),
        b"B\xff\xff\xff\xff",
        b"\x8b\xff\xff\xff\xff",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
    ] {
        assert!(tree(pickle).unwrap_err().contains("ends in the middle"), "{pickle:?}");
    }
}

#[test]
fn operations_below_a_mark_or_an_empty_stack_are_refused() {
    for pickle in [
        &b"R."[..],
        b"(R.",
        b"K\x01(2.",
        b"t.",
        b"h\0.",
        b"0.",
        b"\x85.",
        b"\xff.",
        b".",
        b"K\x01a.",
        b"}K\x01(K\x01u.",
        b"(o.",
    ] {
        assert!(tree(pickle).unwrap_err().contains("damaged pickle"), "{pickle:?}");
    }
}
