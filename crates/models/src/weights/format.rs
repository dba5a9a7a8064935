//! What kind of file it is, by its first bytes.

use std::fmt;

use super::input::Input;

/// As many bytes from the beginning of a file tell its format.
const BEGINNING: usize = 512;

/// Where the headers of tar archives say what they are.
const TAR_MAGIC: std::ops::Range<usize> = 257..262;

/// The first four bytes of a burnpack file.
const BURNPACK_MAGIC: &[u8] = b"NRUB";

/// The magic number of PyTorch's old format, as its first pickle holds it.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The kinds of files that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// What `torch.save` writes since PyTorch 1.6: a zip archive.
    PyTorchZip,
    /// What `torch.save` wrote before: pickles, then the values.
    PyTorchLegacy,
    /// What `torch.jit.save` writes: a zip archive with the program beside the weights, which alone are read.
    TorchScript,
    /// What `pickle.dump` and `joblib.dump` write of dictionaries of NumPy's arrays.
    Pickle,
    /// What `numpy.savez` writes: a zip archive of arrays.
    Npz,
    /// safetensors.
    Safetensors,
    /// Burn's own.
    Burnpack,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PyTorchZip => "PyTorch",
            Self::PyTorchLegacy => "PyTorch before 1.6",
            Self::TorchScript => "TorchScript",
            Self::Pickle => "pickle",
            Self::Npz => "NumPy",
            Self::Safetensors => "safetensors",
            Self::Burnpack => "burnpack",
        })
    }
}

/// Beginnings of files that are not read, what these are, and what to do.
const OTHERS: [(&[u8], &str); 16] = [
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes (.h5); save its weights as safetensors"),
    (
        b"\x93NUMPY",
        "a single array of NumPy (.npy); `numpy.savez(path, **arrays)` saves several with their names",
    ),
    (b"GGUF", "a GGUF file, as llama.cpp reads; its weights are quantized, take the original ones"),
    (b"ggml", "a GGML file, as llama.cpp read; take the original weights"),
    (b"lmgg", "a GGML file, as llama.cpp read; take the original weights"),
    (
        b"model_checkpoint_path:",
        "the list of a TensorFlow checkpoint; save its weights as safetensors",
    ),
    (b"\x1f\x8b", "packed by gzip; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "packed by Zstandard; unpack it first"),
    (b"BZh", "packed by bzip2; unpack it first"),
    (b"x\x9c", "packed by zlib, as joblib does on request; save it without `compress`"),
    (b"x\x5e", "packed by zlib, as joblib does on request; save it without `compress`"),
    (b"\xfd7zXZ\0", "packed by xz; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "packed by 7-Zip; unpack it first"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS and not the file itself; `git lfs pull` brings it",
    ),
    (b"<", "a web page or XML; the download brought a page instead of the file"),
    (b"{", "a text in JSON, without weights"),
];

/// The last bytes of tables in TensorFlow's checkpoints: LevelDB's magic number.
const TENSORFLOW_END: [u8; 8] = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];

impl Format {
    /// The format of a file by its first bytes, or why there is none.
    pub(super) fn of(input: &Input<'_>) -> Result<Self, String> {
        let beginning = input.beginning(BEGINNING).map_err(|e| e.to_string())?;
        let legacy = || {
            let mut windows = beginning.windows(LEGACY_MAGIC.len()).take(55);
            windows.any(|bytes| bytes == LEGACY_MAGIC)
        };
        if beginning.starts_with(b"PK\x03\x04") || beginning.starts_with(b"PK\x05\x06") {
            Ok(Self::PyTorchZip)
        } else if beginning.starts_with(BURNPACK_MAGIC) {
            Ok(Self::Burnpack)
        } else if beginning.get(8) == Some(&b'{') && beginning[4..8] == [0; 4] {
            // The length of the header in eight bytes, then JSON.
            Ok(Self::Safetensors)
        } else if beginning.get(TAR_MAGIC) == Some(b"ustar".as_slice()) {
            // Whatever stands before, such as the magic number of the old format.
            let reason = "a tar archive, as the first versions of PyTorch wrote; save it anew with a \
                          later one";
            Err(reason.into())
        } else if legacy() {
            Ok(Self::PyTorchLegacy)
        } else if let [0x80, 2..=5, ..] = beginning[..] {
            Ok(Self::Pickle)
        } else if beginning.is_empty() {
            Err("the file is empty".into())
        } else {
            Err(other(&beginning, input))
        }
    }
}

/// The protocol of a pickle before 2, which does not say it: of a dictionary, a list or an object.
fn old_protocol(beginning: &[u8]) -> Option<u8> {
    if let Some(name) = beginning.strip_prefix(b"c") {
        // A module and a name in it, a line each; then it is kept, or what it is called with begins.
        let mut lines = name.splitn(3, |byte| *byte == b'\n');
        let [module, class, rest] = [lines.next()?, lines.next()?, lines.next()?];
        let is_name = |name: &[u8]| {
            !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(b))
        };
        return match rest.first() {
            Some(b'p' | b'(') if is_name(module) && is_name(class) => Some(0),
            Some(b'q' | b')') if is_name(module) && is_name(class) => Some(1),
            _ => None,
        };
    }
    match beginning {
        [b'(', b'd' | b'l' | b'i', b'p', b'0'..=b'9', ..] => Some(0),
        [b'}' | b']', b'q', 0, ..] => Some(1),
        _ => None,
    }
}

/// What a file is that is not read.
fn other(beginning: &[u8], input: &Input<'_>) -> String {
    let text = beginning.trim_ascii_start();
    if let Some((_, what)) = OTHERS.iter().find(|(start, _)| text.starts_with(start)) {
        return (*what).into();
    }
    let end = input.length().checked_sub(TENSORFLOW_END.len() as u64);
    let end = end.and_then(|at| input.read(at, TENSORFLOW_END.len()).ok());
    if let Some(protocol) = old_protocol(beginning) {
        return format!(
            "a pickle of protocol {protocol}, which is not read; write it with 2 or later"
        );
    }
    match beginning {
        _ if end.is_some_and(|end| end == TENSORFLOW_END) => {
            "a checkpoint of TensorFlow; save its weights as safetensors".into()
        }
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => "a model of TensorFlow Lite".into(),
        // The version of the format, a varint, then the producer's name or the graph.
        [0x08, 1..=20, 0x12 | 0x3a | 0x42, ..] => {
            "an ONNX file, which is written here but not read; take the weights that it was made of"
                .into()
        }
        _ => "neither a file of PyTorch nor safetensors nor burnpack, or its beginning is damaged"
            .into(),
    }
}
