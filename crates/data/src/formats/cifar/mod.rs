//! The binary version of CIFAR-10 and CIFAR-100.
//!
//! A file is one record after the other, without a header:
//!
//! | bytes | content |
//! |---|---|
//! | 1 (CIFAR-10) or 2 (CIFAR-100) | the label; of CIFAR-100 the coarse one, then the fine one |
//! | 3072 | the image, `[3, 32, 32]`: the red, the green and the blue plane, row by row |
//!
//! ([A. Krizhevsky, *The CIFAR-10 dataset*](https://www.cs.toronto.edu/~kriz/cifar.html), "Binary version".) A file
//! may be compressed by gzip; **every offset in an error counts bytes of the content**. The pickles of the Python
//! version are not read.
//!
//! ```no_run
//! use selvedge_data::ImageDataset;
//! use selvedge_data::formats::cifar::CifarLabels;
//!
//! let classes = (0..10).map(|class| class.to_string()).collect();
//! let test = ImageDataset::from_cifar_files("test", &["test_batch.bin"], CifarLabels::Cifar10, classes)?;
//! assert_eq!(test.shape(), [3, 32, 32]);
//! # Ok::<(), selvedge_data::DataError>(())
//! ```

#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::path::Path;

use selvedge_fetch::MaybeGzip;
use selvedge_files::Hasher;

use crate::error::FileRepr;
use crate::fetch::FoundFile;
use crate::{DataError, ImageDataset};

/// `[channels, height, width]` of an image.
pub(crate) const SHAPE: [usize; 3] = [3, 32, 32];

/// Bytes of an image.
const PIXELS: usize = SHAPE[0] * SHAPE[1] * SHAPE[2];

/// Which of the labels before an image is its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CifarLabels {
    /// The only one, of CIFAR-10: ten classes.
    Cifar10,
    /// The second, of CIFAR-100: a hundred classes.
    Cifar100Fine,
    /// The first, of CIFAR-100: twenty groups of classes.
    Cifar100Coarse,
}

impl CifarLabels {
    /// Labels before each image.
    const fn count(self) -> usize {
        match self {
            Self::Cifar10 => 1,
            Self::Cifar100Fine | Self::Cifar100Coarse => 2,
        }
    }

    /// The position of the class among them.
    const fn position(self) -> usize {
        match self {
            Self::Cifar10 | Self::Cifar100Coarse => 0,
            Self::Cifar100Fine => 1,
        }
    }
}

impl ImageDataset {
    /// Reads files of CIFAR's binary version, one after the other: images `[3, 32, 32]`.
    ///
    /// Memory grows as data arrives, and is that of the images; a file that is compressed by gzip can hold a
    /// thousand times its size.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, does not end with a record, or has a label that is not below the number of
    /// classes. The error names the file and the byte.
    pub fn from_cifar_files(
        name: impl Into<String>,
        paths: &[impl AsRef<Path>],
        labels: CifarLabels,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let mut records = Records::new(labels, classes.len());
        for path in paths {
            records.append(&FoundFile::on_disk(path.as_ref()))?;
        }
        records.finish(name, classes)
    }
}

/// What was read so far.
pub(crate) struct Records {
    form: CifarLabels,
    classes: usize,
    images: Vec<u8>,
    labels: Vec<u16>,
}

impl Records {
    pub fn new(form: CifarLabels, classes: usize) -> Self {
        Self { form, classes, images: Vec::new(), labels: Vec::new() }
    }

    /// The images and labels of all files.
    pub fn finish(
        self,
        name: impl Into<String>,
        classes: Vec<String>,
    ) -> Result<ImageDataset, DataError> {
        ImageDataset::new(name, self.images, SHAPE, self.labels, classes)
    }

    /// Appends the records of a file; the SHA-256 of its content.
    pub fn append(&mut self, file: &FoundFile) -> Result<String, DataError> {
        let path = file.path();
        let open = |e| DataError::io("open", path, e);
        let mut content = MaybeGzip::new(file.open().map_err(open)?).map_err(open)?;
        let mut record = vec![0; self.form.count() + PIXELS];
        let mut hasher = Hasher::new();
        let mut offset = 0;
        loop {
            let found = fill(&mut content, &mut record)
                .map_err(|error| unreadable(path, offset, content.is_gzip(), error))?;
            if found == 0 {
                return Ok(hasher.finish());
            }
            if found < record.len() {
                let (path, record) = (path.to_owned(), record.len());
                let offset = offset + found as u64;
                return Err(FileRepr::CifarLength { path, offset, record }.into());
            }
            let position = self.form.position();
            let label = record[position];
            if usize::from(label) >= self.classes {
                let offset = offset + position as u64;
                let found = i64::from(label);
                return Err(FileRepr::file_label(path, offset, 0, self.classes, found).into());
            }
            hasher.update(&record);
            self.labels.push(label.into());
            self.images.extend_from_slice(&record[self.form.count()..]);
            offset += record.len() as u64;
        }
    }
}

/// Fills as much of `buffer` as the content still has.
fn fill(content: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match content.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

fn unreadable(path: &Path, offset: u64, gzip: bool, error: io::Error) -> DataError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
            if gzip =>
        {
            let reason = format!(
                "the gzip stream is cut off or damaged after {offset} bytes of content: {error}"
            );
            DataError::in_file(path, reason)
        }
        _ => DataError::io("read", path, error),
    }
}
