//! What kind of file it is, by its first bytes.

use std::fmt;

/// As many bytes from the beginning of a file tell its format.
pub(super) const BEGINNING: usize = 512;

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
            Self::Safetensors => "safetensors",
            Self::Burnpack => "burnpack",
        })
    }
}

impl Format {
    /// The format of a file that begins like this, or why there is none.
    pub(super) fn of(beginning: &[u8]) -> Result<Self, String> {
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
            // Whatever stands before: the reader would take it for one, whose contents can unfold to
            // any size.
            let reason = "a tar archive, as the first versions of PyTorch wrote; save it anew with a \
                          later one";
            Err(reason.into())
        } else if legacy() {
            Ok(Self::PyTorchLegacy)
        } else if beginning.is_empty() {
            Err("the file is empty".into())
        } else {
            let reason = "neither a file of PyTorch nor safetensors nor burnpack, or its beginning \
                          is damaged";
            Err(reason.into())
        }
    }
}
