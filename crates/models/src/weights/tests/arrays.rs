//! Arrays of NumPy, and floats of eight bits, from `make_arrays.py`.

use super::checkpoints::{assert_holds, net};
use super::hostile::stored;
use super::*;
use crate::ModelError;
use crate::weights::{Format, ReadOptions, WeightFile, inspect, inspect_bytes, inspect_with};

fn array_file(name: &str) -> PathBuf {
    data("arrays").join(name)
}

#[test]
fn arrays_are_read_in_every_protocol_and_order() {
    let protocols = (2..6).flat_map(|n| [format!("protocol{n}.pkl"), format!("others{n}.pkl")]);
    let joblib = ["joblib.pkl", "joblib_others.pkl"].map(String::from);
    for name in protocols.chain(joblib) {
        let file = inspect(array_file(&name)).unwrap();
        assert_eq!((file.format, file.ignored_names.len()), (Format::Pickle, 0), "{name}");
        assert_holds(&file, 0.0);
        let bytes = std::fs::read(array_file(&name)).unwrap();
        assert_holds(&inspect_bytes(&bytes).unwrap(), 0.0);
    }
    for name in ["arrays.npz", "others.npz"] {
        let file = inspect(array_file(name)).unwrap();
        assert_eq!(file.format, Format::Npz, "{name}");
        assert_holds(&file, 0.0);
    }
    for (name, format, key) in [
        ("in_checkpoint.pt", Format::PyTorchZip, "state_dict"),
        ("in_checkpoint_legacy.pt", Format::PyTorchLegacy, "net"),
    ] {
        let file = inspect(array_file(name)).unwrap();
        assert_eq!((file.format, file.key.as_deref()), (format, Some(key)));
        assert_holds(&file, 0.0);
    }
    network(&net(), 0).load(array_file("protocol4.pkl")).unwrap();
    network(&net(), 0).load(array_file("arrays.npz")).unwrap();
}

#[test]
fn arrays_beside_tensors_are_not_taken_for_the_weights() {
    // They have fifty times the elements of these weights.
    let file = inspect(array_file("measured.pt")).unwrap();
    assert_eq!(file.key.as_deref(), Some("mine"));
    assert_holds(&file, 0.0);
    let options = ReadOptions { key: Some("metrics".into()), ..ReadOptions::default() };
    let file = inspect_with(array_file("measured.pt"), &options).unwrap();
    assert_eq!(file.tensors[0].shape, [400]);
}

#[test]
fn arrays_that_are_no_numbers_are_told_and_empty_ones_read() {
    for name in
        ["others2.pkl", "others5.pkl", "joblib_others.pkl", "others.npz", "in_checkpoint.pt"]
    {
        let file = inspect(array_file(name)).unwrap();
        let names: Vec<&str> = file.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        assert_eq!(names, ["empty.weight", "fc.bias", "fc.weight"], "{name}");
        assert_eq!(file.tensors[0].shape, [0, 3]);
        let left_out = [("names.list".to_string(), "an array of the type U2".to_string())];
        assert_eq!(file.left_out, left_out, "{name}");
    }
}

#[test]
fn numpy_before_its_second_version_has_another_name_for_the_same() {
    let mut pickle = std::fs::read(array_file("protocol2.pkl")).unwrap();
    let old = b"numpy._core.multiarray\n";
    while let Some(at) = pickle.windows(old.len()).position(|part| part == old) {
        pickle.splice(at..at + old.len(), *b"numpy.core.multiarray\n");
    }
    assert_holds(&inspect_bytes(&pickle).unwrap(), 0.0);
}

#[test]
fn floats_of_eight_bits_are_read_exactly() {
    for name in ["e4m3.pt", "e5m2.pt", "e4m3.safetensors", "e5m2.safetensors"] {
        let file = inspect(array_file(name)).unwrap();
        assert!(file.left_out.is_empty() && file.ignored_names.is_empty(), "{name}");
        assert_holds(&file, 0.0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wide.safetensors");
        file.save_safetensors(&path, None).unwrap();
        assert_holds(&inspect(&path).unwrap(), 0.0);
    }
}

#[test]
fn what_joblib_packed_is_answered_with_what_to_do() {
    let message = inspect(array_file("joblib_zlib.pkl")).unwrap_err().to_string();
    assert!(
        message.ends_with("packed by zlib, as joblib does on request; save it without `compress`")
    );
}

#[test]
fn tensors_that_pickle_wrote_are_answered_with_what_to_do() {
    let message = inspect(array_file("tensors.pkl")).unwrap_err().to_string();
    let end = "it holds no tensors that are read: `fc.weight` is a tensor of PyTorch that `pickle.dump` or joblib \
               wrote; `torch.save` writes it so that it is read";
    assert!(message.ends_with(end), "{message}");
}

#[test]
fn an_archive_of_arrays_is_no_file_of_pytorch() {
    let error = network(&net(), 0).load_pytorch(array_file("arrays.npz")).unwrap_err();
    assert!(error.to_string().ends_with("a file of NumPy, not of PyTorch"), "{error}");
}

/// The pickle of `{"a.weight": array}` of so many f4, whose values `values` pushes.
fn array_pickle(elements: u32, values: &[u8]) -> Vec<u8> {
    let count = [b"J".as_slice(), &elements.to_le_bytes()].concat();
    [
        b"\x80\x02}X\x08\0\0\0a.weightcnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85U\x01btR(K\x01",
        &count[..],
        b"\x85cnumpy\ndtype\n(U\x02f4\x89\x88tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89",
        values,
        b"tbs.",
    ]
    .concat()
}

/// What pushes the bytes of `values` by the operation for a length of four bytes.
fn pushed(op: u8, values: &[u8]) -> Vec<u8> {
    [&[op][..], &(values.len() as u32).to_le_bytes(), values].concat()
}

/// The values of the only array.
fn read(file: &WeightFile<'_>) -> Result<Vec<f32>, ModelError> {
    Ok(file.state()?["a.weight"].clone().try_to_vec::<f32>().unwrap())
}

#[test]
fn long_arrays_are_read_where_they_stand() {
    // 160,000 bytes, more than a pickle's text that is kept, with bytes of every value.
    let numbers: Vec<f32> = (0..40_000u32).map(|i| (i * 37 % 4099) as f32 / 64.0 - 30.0).collect();
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    // `_codecs.encode(text, "latin1")`, which Python 3 writes in protocol 2.
    let encoded =
        [b"c_codecs\nencode\n", &pushed(b'X', text.as_bytes())[..], b"X\x06\0\0\0latin1\x86R"]
            .concat();
    for values in [pushed(b'B', &bytes), pushed(b'T', &bytes), encoded] {
        let pickle = array_pickle(40_000, &values);
        let alone = inspect_bytes(&pickle).unwrap();
        assert!(read(&alone).unwrap() == numbers);
        let archive = stored(&pickle, &[]);
        assert!(read(&inspect_bytes(&archive).unwrap()).unwrap() == numbers);
    }
}

#[test]
fn an_array_of_another_class_or_type_is_left_out_and_the_others_read() {
    let whole = array_pickle(2, &pushed(b'B', &[0; 8]));
    // Without the beginning, its name, and what puts it into the dictionary.
    let array = &whole[16..whole.len() - 2];
    let at = |part: &[u8]| array.windows(part.len()).position(|bytes| bytes == part).unwrap();
    let (state, dtype) = (at(b"(K\x01J"), at(b"f4"));
    let of_class = [&array[..state], b"Nb"].concat();
    let of_type = [&array[..dtype], b"zz", &array[dtype + 2..]].concat();
    for (other, reason) in [
        (of_class, "an array of a class that is not read"),
        (of_type, "an array of a type that is not read"),
    ] {
        let first = &whole[..whole.len() - 1];
        let pickle = [first, b"X\x01\0\0\0b", &other, b"s."].concat();
        let file = inspect_bytes(&pickle).unwrap();
        assert_eq!(file.left_out, [("b".to_string(), reason.to_string())]);
        assert_eq!(read(&file).unwrap(), [0.0, 0.0]);
    }
}

#[test]
fn values_of_another_length_than_is_described_are_refused() {
    let long = vec![0; 70_000];
    for (elements, values, reason) in [
        (3, pushed(b'B', &[0; 8]), "8 bytes of values where 12 are described"),
        (3, pushed(b'B', &[0; 16]), "16 bytes of values where 12 are described"),
        (3, pushed(b'B', &long), "70000 bytes of values where 12 are described"),
        (u32::MAX >> 1, pushed(b'B', &long), "unfolds to 8589934588"),
        (u32::MAX, pushed(b'B', &[]), "its description is damaged"),
        (2, b"N".to_vec(), "its values are no bytes"),
        (2, b"cposix\nsystem\nU\x02ls\x85R".to_vec(), "its values are no bytes"),
        (
            2,
            [b"c_codecs\nencode\n", &pushed(b'X', "ab\u{20ac}".as_bytes())[..], b"\x85R"].concat(),
            "text that stands for no bytes",
        ),
        (
            3,
            [b"c_codecs\nencode\n", &pushed(b'X', &long)[..], b"\x85R"].concat(),
            "70000 bytes of text for 12 of values",
        ),
    ] {
        let message = inspect_bytes(&array_pickle(elements, &values)).unwrap_err().to_string();
        assert!(message.contains(reason), "no `{reason}` in {message}");
    }
    // Not known before it is read: 40,000 characters of one byte each in place of 50,000.
    let text = [vec![b'a'; 40_000], "\u{e4}".repeat(15_000).into_bytes()].concat();
    let encoded = [b"c_codecs\nencode\n", &pushed(b'X', &text)[..], b"\x85R"].concat();
    let pickle = array_pickle(12_500, &encoded);
    let message = read(&inspect_bytes(&pickle).unwrap()).unwrap_err().to_string();
    assert!(message.contains("55000 bytes where 50000 are described"), "{message}");
}

#[test]
fn arrays_that_share_their_values_a_thousand_times_are_refused() {
    let first = array_pickle(15_000, &[&pushed(b'B', &[0; 60_000])[..], b"q\x01"].concat());
    let again = array_pickle(15_000, b"h\x01");
    // Without the beginning and the end of a pickle.
    let mut pickle = first[..first.len() - 1].to_vec();
    for name in 0..1000 {
        let name = format!("X\x06\0\0\0{name:04}.x");
        // Behind its own name, of 8 bytes.
        pickle.extend([name.as_bytes(), &again[16..again.len() - 1]].concat());
    }
    pickle.push(b'.');
    let message = inspect_bytes(&pickle).unwrap_err().to_string();
    assert!(message.contains("unfolds to"), "{message}");
}

#[test]
fn files_of_arrays_that_are_cut_off_or_changed_are_answered() {
    for name in ["protocol2.pkl", "protocol5.pkl", "joblib.pkl", "arrays.npz", "others.npz"] {
        let whole = std::fs::read(array_file(name)).unwrap();
        for length in 0..whole.len() {
            assert!(inspect_bytes(&whole[..length]).is_err(), "{name}: {length} bytes");
        }
        for position in 0..whole.len() {
            for flipped in [1, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[position] ^= flipped;
                if let Ok(file) = inspect_bytes(&changed) {
                    let _ = file.state();
                }
            }
        }
    }
}

/// An archive of arrays: the name of each, its header and its values.
pub(super) fn npz<'a>(arrays: impl IntoIterator<Item = (&'a str, String, Vec<u8>)>) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, header, values) in arrays {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("{name}.npy"), options).unwrap();
        let length = (header.len() as u16).to_le_bytes();
        let content = [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), &values].concat();
        std::io::Write::write_all(&mut zip, &content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn headers_of_arrays_are_read_as_python_2_and_3_wrote_them() {
    let values: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].into_iter().flat_map(f32::to_le_bytes).collect();
    for (shape, order, expected) in [
        ("(4,)", "False", [1.0, 2.0, 3.0, 4.0]),
        ("(2L, 2L)", "False", [1.0, 2.0, 3.0, 4.0]),
        ("(2, 2)", "True", [1.0, 3.0, 2.0, 4.0]),
    ] {
        let header =
            format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': {shape}, }}      \n");
        let bytes = npz([("a.weight", header, values.clone())]);
        assert_eq!(read(&inspect_bytes(&bytes).unwrap()).unwrap(), expected);
    }
    for (header, reason) in [
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
            "16 bytes of values where 12",
        ),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }", "does not lie within"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }", "its header is damaged"),
        ("{'descr': '<f4', 'fortran_order': 1, 'shape': (4,), }", "its header is damaged"),
        ("{'descr': '<f4'}", "its header is damaged"),
        ("{'descr': '\u{e4}', 'fortran_order': False, 'shape': (4,), }", "its header is damaged"),
        (
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }",
            "without arrays of numbers that are read: `a.weight` is an array of records",
        ),
        (
            "{'descr': '|O', 'fortran_order': False, 'shape': (4,), }",
            "without arrays of numbers that are read: `a.weight` is an array of objects of Python",
        ),
        (
            "{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }",
            "`a.weight` is an array of long doubles, 16 bytes each",
        ),
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4), }",
            "does not lie within",
        ),
    ] {
        let bytes = npz([("a.weight", header.into(), values.clone())]);
        let message = inspect_bytes(&bytes).unwrap_err().to_string();
        assert!(message.contains(reason), "no `{reason}` in {message}");
    }
}

#[test]
fn an_archive_of_arrays_that_is_empty_or_cut_off_is_called_what_it_is() {
    let message = |bytes: &[u8]| inspect_bytes(bytes).unwrap_err().to_string();
    let empty = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let empty = message(&empty.finish().unwrap().into_inner());
    assert!(empty.ends_with("an empty archive, such as NumPy writes of no arrays"), "{empty}");
    let whole = std::fs::read(array_file("arrays.npz")).unwrap();
    let cut = message(&whole[..whole.len() / 2]);
    assert!(cut.contains("the archive of NumPy is cut off or damaged"), "{cut}");
}

// Beginnings of what Python's `pickle.dump` writes of `{'x': 1}`, `[1]` and an `OrderedDict`.
#[test]
fn a_pickle_of_a_protocol_that_is_not_read_is_called_so() {
    for (bytes, protocol) in [
        (&b"(dp0\nVx\np1\nI1\ns."[..], 0),
        (b"(lp0\nI1\na.", 0),
        (b"ccollections\nOrderedDict\np0\n(tRp1\n.", 0),
        (b"}q\0X\x01\0\0\0xq\x01K\x01s.", 1),
        (b"]q\0K\x01a.", 1),
        (b"ccollections\nOrderedDict\nq\0)Rq\x01.", 1),
    ] {
        let message = inspect_bytes(bytes).unwrap_err().to_string();
        let expected =
            format!("a pickle of protocol {protocol}, which is not read; write it with 2 or later");
        assert!(message.ends_with(&expected), "{message}");
    }
    let message = inspect_bytes(b"copies\nof this\nand that").unwrap_err().to_string();
    assert!(message.ends_with("or its beginning is damaged"), "{message}");
}
