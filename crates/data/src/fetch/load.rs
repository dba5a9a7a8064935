//! Reading a published data set from wherever it is found.

use std::path::{Path, PathBuf};

use crate::error::FileRepr;
use crate::formats::idx::IdxReader;
use crate::published::{PublishedPart, PublishedSet};
use crate::{DataError, Dataset, ImageDataset, ImageLayout, Source};

impl PublishedSet {
    /// Finds the files as the source says and reads them.
    ///
    /// The content must be the published one, by its SHA-256, wherever the files are found. A modified
    /// or smaller set of the same form is one's own: it is read by
    /// [`ImageDataset::from_idx_files`](crate::ImageDataset::from_idx_files), or has an entry of its own.
    ///
    /// # Errors
    ///
    /// If the files are not found or cannot be downloaded, or one is damaged: the error names the
    /// path, and the byte where the file's form is broken. Of the kind
    /// [`Checksum`](crate::DataErrorKind::Checksum) if the form is sound and the content is another;
    /// files of another data set in the table are called by its name.
    pub fn load(&self, source: &Source) -> Result<Dataset, DataError> {
        let mut train_paths = source.find(self)?;
        let test_paths = train_paths.split_off(self.train.files().len());
        let (train, test) = rayon::join(
            || self.load_part("train", &self.train, &train_paths),
            || self.test.as_ref().map(|part| self.load_part("test", part, &test_paths)).transpose(),
        );
        let (train, test) = (train?, test?);
        // After both have the right form: a broken form says more than another content does.
        let (of_train, of_test) = rayon::join(
            || self.check_part(&self.train, &train, &train_paths),
            || match (&self.test, &test) {
                (Some(part), Some(test)) => self.check_part(part, test, &test_paths),
                _ => Ok(()),
            },
        );
        of_train.and(of_test)?;
        // The test images are those published, even where they have a training image among them.
        let data = Dataset::with_shared_images(train, test)?;
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
                let files = [paths[0].as_path(), paths[1].as_path()];
                // The shape is known, and compared below: no layout needs to be guessed.
                let layout = Some(ImageLayout::ChannelsFirst);
                let data = ImageDataset::read_idx_files(name, files, classes, layout, &reader)?;
                self.check_idx_shape(&data, files[0])?;
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
        Err(FileRepr::FileShape { path: path.to_owned(), offset: 8, expected, found }.into())
    }
}
