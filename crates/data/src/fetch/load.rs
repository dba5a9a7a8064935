//! Reading a published data set from wherever it is found.

use std::path::Path;

use selvedge_fetch::Digest;

use super::find::{Found, find, open};
use super::{FoundFile, Source};
use crate::error::FileRepr;
use crate::formats::cifar::{CifarLabels, Records};
use crate::formats::idx::{IdxForm, IdxLabels, IdxReader};
use crate::published::{PublishedFile, PublishedPart, PublishedSet, idx_shape};
use crate::{DataError, DataErrorKind, Dataset, ImageDataset, ImageLayout};

impl PublishedSet {
    /// Looks for the files as [`load`](Self::load) does, and reads none of them; what is missing is downloaded, unless the
    /// source has [no download](Source::without_download).
    ///
    /// # Errors
    ///
    /// If they are not found or cannot be downloaded.
    pub fn locate(&self, source: &Source) -> Result<(), DataError> {
        find(source, self).map(drop)
    }

    /// Finds the files as the source says and reads them.
    ///
    /// The content must be the published one, by its SHA-256, wherever the files are found. A modified
    /// or smaller set of the same form is one's own: it is read by
    /// [`ImageDataset::from_idx_files`](crate::ImageDataset::from_idx_files), or has an entry of its own.
    /// (Of KMNIST and QMNIST the compressed files are known, of EMNIST the archive alone: raw files of theirs are
    /// taken as they are.)
    ///
    /// # Errors
    ///
    /// If the files are not found or cannot be downloaded, or one is damaged: the error names the
    /// path, and the byte where the file's form is broken. Of the kind
    /// [`Checksum`](crate::DataErrorKind::Checksum) if the form is sound and the content is another;
    /// files of another data set in the table are called by its name, whatever their form.
    pub fn load(&self, source: &Source) -> Result<Dataset, DataError> {
        let found = find(source, self)?;
        if let Found::Archive(path) = &found {
            self.check_archive(path)?;
        }
        let mut train_files = open(found, self)?;
        let test_files = train_files.split_off(self.train.files().len());
        let read = rayon::join(
            || self.load_part("train", &self.train, &train_files),
            || self.test.as_ref().map(|part| self.load_part("test", part, &test_files)).transpose(),
        );
        let (train, test) = match read {
            (Ok(train), Ok(test)) => (train, test),
            (Err(error), _) | (_, Err(error)) => {
                let other = (error.kind() == DataErrorKind::Format)
                    .then(|| self.other_set(&train_files).or_else(|| self.other_set(&test_files)));
                return Err(other.flatten().unwrap_or(error));
            }
        };
        // After both have the right form: a broken form says more than another content does.
        let (of_train, of_test) = rayon::join(
            || self.check_part(&self.train, &train, &train_files),
            || match (&self.test, &test) {
                (Some(part), Some(test)) => self.check_part(part, test, &test_files),
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

    /// Refuses an archive that is not the published one, where its files are known by it alone.
    fn check_archive(&self, path: &Path) -> Result<(), DataError> {
        let Some(archive) = self.archive else { return Ok(()) };
        if self.files().iter().all(|file| file.checksum.is_some()) {
            return Ok(());
        }
        let digest = archive.checksum.of_file(path, archive.bytes);
        match digest.map_err(|e| DataError::io("read", path, e))? {
            Digest::Published => Ok(()),
            Digest::Incomplete => Err(DataError::in_file(path, "the file is empty")),
            Digest::Other(found) => {
                let name = archive.name;
                let file =
                    PublishedFile { name, bytes: archive.bytes, checksum: Some(archive.checksum) };
                Err(self.changed(&file, path, found))
            }
        }
    }

    /// Reads one part from its files, which are in the order of [`PublishedPart::files`].
    fn load_part(
        &self,
        name: &str,
        part: &PublishedPart,
        files: &[FoundFile],
    ) -> Result<ImageDataset, DataError> {
        let name = format!("{} {name}", self.display_name);
        // The shape is known, and compared below: no layout needs to be guessed.
        let form = IdxForm { layout: Some(ImageLayout::ChannelsFirst), ..IdxForm::default() };
        match *part {
            PublishedPart::Idx { .. } => self.load_idx(name, part, files, form),
            PublishedPart::Transposed { first_label, .. } => {
                let labels = IdxLabels::From(first_label);
                self.load_idx(name, part, files, IdxForm { transposed: true, labels, ..form })
            }
            PublishedPart::WithOrigin { from, to, .. } => {
                let form = IdxForm { labels: IdxLabels::FirstValue, ..form };
                let data = self.load_idx(name.clone(), part, files, form)?;
                if (from, to) == (0, data.len()) {
                    return Ok(data);
                }
                if to > data.len() {
                    let reason = format!("expected at least {to} images, found {}", data.len());
                    return Err(DataError::in_file(files[0].path(), reason));
                }
                let size = data.images().len() / data.len();
                let images = data.images()[from * size..to * size].to_vec();
                let labels = data.labels()[from..to].to_vec();
                ImageDataset::new(name, images, data.shape(), labels, data.classes().to_vec())
            }
            PublishedPart::Cifar { files: published, labels } => {
                self.load_cifar(name, published, labels, files)
            }
        }
    }

    fn load_idx(
        &self,
        name: String,
        part: &PublishedPart,
        files: &[FoundFile],
        form: IdxForm,
    ) -> Result<ImageDataset, DataError> {
        // A larger set than most is read all the same, since its size is known.
        let largest = part.files().iter().map(|file| file.bytes).max().unwrap_or(0);
        let form = IdxForm { limit: IdxReader::DEFAULT_LIMIT.max(largest), ..form };
        let [images, labels] = files else {
            unreachable!("a part of IDX files has two");
        };
        let data = ImageDataset::read_idx(name, [images, labels], self.class_names(), &form)?;
        self.check_idx_shape(&data, images.path())?;
        Ok(data)
    }

    fn load_cifar(
        &self,
        name: String,
        published: &[PublishedFile],
        labels: CifarLabels,
        files: &[FoundFile],
    ) -> Result<ImageDataset, DataError> {
        let mut records = Records::new(labels, self.classes.len());
        let mut changed = None;
        for (file, found) in published.iter().zip(files) {
            let digest = records.append(found)?;
            if file.content().is_some_and(|published| published != digest) {
                changed.get_or_insert_with(|| self.changed(file, found.path(), digest));
            }
        }
        // A broken form says more, also that of a later file.
        match changed {
            Some(error) => Err(error),
            None => records.finish(name, self.class_names()),
        }
    }

    fn class_names(&self) -> Vec<String> {
        self.classes.iter().map(|&class| class.to_owned()).collect()
    }

    fn check_idx_shape(&self, data: &ImageDataset, path: &Path) -> Result<(), DataError> {
        if data.shape() == self.shape {
            return Ok(());
        }
        let expected = match self.shape {
            [1, height, width] => format!("[images, {height}, {width}]"),
            [channels, height, width] => format!("[images, {channels}, {height}, {width}]"),
        };
        let found = idx_shape(data);
        // The number of images comes first, at byte 4.
        Err(FileRepr::FileShape { path: path.to_owned(), offset: 8, expected, found }.into())
    }
}
