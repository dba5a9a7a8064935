//! Where the pixels of a data set are: in memory, or in a file that is mapped into it.

use std::ops::Deref;

/// The bytes of all images, one after the other.
#[derive(Debug)]
pub(crate) enum Pixels {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file without a name, of which the system keeps in memory what is used and there is room for.
    #[cfg(feature = "images")]
    Mapped(memmap2::Mmap),
}

impl Deref for Pixels {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            #[cfg(feature = "images")]
            Self::Mapped(bytes) => bytes,
        }
    }
}

#[cfg(feature = "images")]
pub(crate) use writer::PixelWriter;

#[cfg(feature = "images")]
mod writer {
    use std::fs::File;
    use std::io::{BufWriter, Write};
    use std::path::{Path, PathBuf};

    use memmap2::Mmap;

    use super::Pixels;
    use crate::DataError;

    /// Takes images one after the other, to memory if they fit, else to a file without a name.
    pub(crate) struct PixelWriter {
        folder: PathBuf,
        to: To,
    }

    enum To {
        Memory(Vec<u8>),
        File(BufWriter<File>),
    }

    impl PixelWriter {
        /// For so many bytes in all, of which at most `limit` go to memory. A file is made in
        /// `folder`, and goes away with the last use of its pixels, however the program ends.
        pub fn new(bytes: u64, limit: u64, folder: &Path) -> Result<Self, DataError> {
            let folder = folder.to_owned();
            if bytes <= limit {
                let mut memory = Vec::new();
                // Where there is less memory than allowed, the disk may have room.
                let fits =
                    usize::try_from(bytes).is_ok_and(|n| memory.try_reserve_exact(n).is_ok());
                if fits {
                    return Ok(Self { folder, to: To::Memory(memory) });
                }
            }
            let file = tempfile::tempfile_in(&folder);
            let file =
                file.map_err(|e| DataError::io("create a file for pixels in", &folder, e))?;
            Ok(Self { folder, to: To::File(BufWriter::with_capacity(1 << 20, file)) })
        }

        /// Adds the pixels of an image.
        pub fn push(&mut self, pixels: &[u8]) -> Result<(), DataError> {
            match &mut self.to {
                To::Memory(bytes) => bytes.extend_from_slice(pixels),
                To::File(file) => {
                    let written = file.write_all(pixels);
                    written.map_err(|error| Self::error(&self.folder, error))?;
                }
            }
            Ok(())
        }

        /// The pixels of all images.
        pub fn finish(self) -> Result<Pixels, DataError> {
            let Self { folder, to } = self;
            let file = match to {
                To::Memory(bytes) => return Ok(Pixels::Memory(bytes)),
                To::File(file) => {
                    file.into_inner().map_err(|e| Self::error(&folder, e.into_error()))?
                }
            };
            let error = |error| Self::error(&folder, error);
            if file.metadata().map_err(error)?.len() == 0 {
                return Ok(Pixels::Memory(Vec::new()));
            }
            // SAFETY: the file has no name and no other handle: nobody can change or shorten it. All
            // its bytes are written, so that there is room on the disk for each.
            let mapped = unsafe { Mmap::map(&file) };
            mapped.map(Pixels::Mapped).map_err(error)
        }

        fn error(folder: &Path, error: std::io::Error) -> DataError {
            DataError::io("keep pixels in a file in", folder, error)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn pixels(limit: u64) -> Pixels {
            let folder = tempfile::tempdir().unwrap();
            let mut writer = PixelWriter::new(6, limit, folder.path()).unwrap();
            writer.push(&[1, 2, 3]).unwrap();
            writer.push(&[4, 5, 6]).unwrap();
            let pixels = writer.finish().unwrap();
            assert_eq!(folder.path().read_dir().unwrap().count(), 0, "a file is left behind");
            pixels
        }

        #[test]
        fn pixels_are_the_same_in_memory_and_in_a_file() {
            assert!(matches!(pixels(6), Pixels::Memory(_)));
            assert!(matches!(pixels(5), Pixels::Mapped(_)));
            assert_eq!(*pixels(6), [1, 2, 3, 4, 5, 6]);
            assert_eq!(*pixels(5), [1, 2, 3, 4, 5, 6]);
        }

        #[test]
        fn a_folder_that_is_not_there_is_named() {
            let error = PixelWriter::new(1, 0, Path::new("no/such/folder")).err().unwrap();
            assert!(error.to_string().contains("no/such/folder"), "{error}");
        }
    }
}
