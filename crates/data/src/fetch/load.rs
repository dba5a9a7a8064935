//! Reading a published data set from wherever it is found.

use std::path::{Path, PathBuf};

use crate::error::Repr;
use crate::formats::idx::IdxReader;
use crate::published::{PublishedPart, PublishedSet};
use crate::{DataError, Dataset, ImageDataset, Source};

impl PublishedSet {
    /// Finds the files as the source says and reads them.
    ///
    /// The files' structure is checked (type, shape, counts, labels), not whether the content is
    /// the published one, so that a modified or smaller set of the same form can be used; see
    /// [`verify`](Self::verify). Only what is downloaded must have the published content.
    ///
    /// # Errors
    ///
    /// If the files are not found or cannot be downloaded, or one is damaged: the error names the
    /// path and the byte.
    pub fn load(&self, source: &Source) -> Result<Dataset, DataError> {
        let mut train = source.find(self)?;
        let test = train.split_off(self.train.files().len());
        let (train, test) = rayon::join(
            || self.load_part("train", &self.train, &train),
            || self.test.as_ref().map(|part| self.load_part("test", part, &test)).transpose(),
        );
        let data = Dataset::new(train?, test?)?;
        Ok(match self.official {
            Some(official) => data.with_official_split(official),
            None => data,
        })
    }

    /// Reads one part from its files, which are in the order of [`PublishedPart::files`].
    fn load_part(
        &self,
        name: &str,
        part: &PublishedPart,
        paths: &[PathBuf],
    ) -> Result<ImageDataset, DataError> {
        let name = format!("{} {name}", self.display_name);
        let classes = self.classes.iter().map(|&class| class.to_owned()).collect();
        match part {
            PublishedPart::Idx { images, .. } => {
                // A larger set than most is read all the same, since its size is known.
                let limit = IdxReader::DEFAULT_LIMIT.max(images.bytes);
                let reader = IdxReader::new().with_limit(limit);
                let (images, labels) = (&paths[0], &paths[1]);
                let data = ImageDataset::read_idx_files(name, images, labels, classes, &reader)?;
                self.check_idx_shape(&data, images)?;
                Ok(data)
            }
        }
    }

    fn check_idx_shape(&self, data: &ImageDataset, path: &Path) -> Result<(), DataError> {
        if data.shape() == self.shape {
            return Ok(());
        }
        let [channels, height, width] = data.shape();
        let expected = match self.shape {
            [1, height, width] => format!("[images, {height}, {width}]"),
            [channels, height, width] => format!("[images, {channels}, {height}, {width}]"),
        };
        let found = match channels {
            1 => vec![data.len(), height, width],
            _ => vec![data.len(), channels, height, width],
        };
        // The number of images comes first, at byte 4.
        Err(Repr::FileShape { path: path.to_owned(), offset: 8, expected, found }.into())
    }
}
