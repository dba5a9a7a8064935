//! Whether images and labels are those published, and whose they are if not.

use std::path::Path;

use selvedge_fetch::{Checksum, Digest};
use selvedge_files::Hasher;

use super::{PublishedFile, PublishedPart, PublishedSet, SETS};
use crate::error::FileRepr;
use crate::fetch::FoundFile;
use crate::formats::cifar::CifarLabels;
use crate::formats::idx::{IdxType, header, transposed};
use crate::{DataError, ImageDataset};

/// The most that a file which may be another one of the table can hold.
const LARGEST: u64 = 1 << 30;

/// A file whose content is not the published one.
pub(super) struct Changed {
    /// Its position in [`PublishedPart::files`].
    pub(super) position: usize,
    pub(super) file: PublishedFile,
    /// SHA-256 of what is there instead, in hexadecimal, or "none".
    pub(super) found: String,
}

/// The first file of a part whose content, rebuilt from memory, is not the published one. Files are passed over
/// whose content is not known, or cannot be rebuilt.
pub(super) fn first_changed(part: &PublishedPart, data: Option<&ImageDataset>) -> Option<Changed> {
    let rebuilt = |position| data.and_then(|data| rebuild(part, position, data));
    let is_rebuilt = match part {
        PublishedPart::Cifar { labels, .. } => *labels == CifarLabels::Cifar10,
        PublishedPart::WithOrigin { .. } => false,
        PublishedPart::Idx { .. } | PublishedPart::Transposed { .. } => true,
    };
    part.files().into_iter().enumerate().filter(|_| is_rebuilt).find_map(|(position, file)| {
        let published = file.content()?;
        let found = rebuilt(position).unwrap_or_else(|| "none".to_owned());
        (found != published).then_some(Changed { position, file, found })
    })
}

/// SHA-256 of the part's file at this position, if these images and labels make one.
fn rebuild(part: &PublishedPart, position: usize, data: &ImageDataset) -> Option<String> {
    match *part {
        PublishedPart::Idx { .. } if position == 0 => Some(digest(&idx_shape(data), data.images())),
        PublishedPart::Idx { .. } => Some(digest(&[data.len()], &bytes(data, 0)?)),
        PublishedPart::Transposed { .. } if position == 0 => {
            let [_, height, width] = data.shape();
            let columns = transposed(data.images(), height, width);
            Some(digest(&[data.len(), width, height], &columns))
        }
        PublishedPart::Transposed { first_label, .. } => {
            Some(digest(&[data.len()], &bytes(data, first_label)?))
        }
        PublishedPart::Cifar { files, .. } => cifar(files, position, data),
        PublishedPart::WithOrigin { .. } => None,
    }
}

/// The dimensions of the IDX file of these images.
pub(crate) fn idx_shape(data: &ImageDataset) -> Vec<usize> {
    match data.shape() {
        [1, height, width] => vec![data.len(), height, width],
        [channels, height, width] => vec![data.len(), channels, height, width],
    }
}

/// The labels as bytes, counted from `first`. One that no byte can hold is none of those published.
fn bytes(data: &ImageDataset, first: u8) -> Option<Vec<u8>> {
    let byte = |&label: &u16| u8::try_from(label).ok()?.checked_add(first);
    data.labels().iter().map(byte).collect()
}

/// SHA-256 of one file of CIFAR-10, whose images follow those of the files before it.
fn cifar(files: &[PublishedFile], position: usize, data: &ImageDataset) -> Option<String> {
    let record = 1 + data.shape().iter().product::<usize>() as u64;
    let first = files[..position].iter().map(|file| file.bytes / record).sum::<u64>() as usize;
    let count = (files[position].bytes / record) as usize;
    let is_last = position + 1 == files.len();
    let end = if is_last { data.len() } else { (first + count).min(data.len()) };
    let mut hasher = Hasher::new();
    for index in first..end {
        hasher.update(&[u8::try_from(data.label(index)).ok()?]);
        hasher.update(data.image(index));
    }
    Some(hasher.finish())
}

/// SHA-256 of the IDX file of these bytes.
fn digest(shape: &[usize], bytes: &[u8]) -> String {
    let mut hasher = Hasher::new();
    hasher.update(&header(IdxType::U8.code(), shape));
    hasher.update(bytes);
    hasher.finish()
}

impl PublishedSet {
    /// Refuses a part that was read from these files, in the order of [`PublishedPart::files`], if it
    /// is not the published one. Files of a set in the table are called by their names.
    pub(crate) fn check_part(
        &self,
        part: &PublishedPart,
        data: &ImageDataset,
        files: &[FoundFile],
    ) -> Result<(), DataError> {
        // Those of CIFAR are compared while they are read, since they hold more than what is in memory.
        if matches!(part, PublishedPart::Cifar { .. }) {
            return Ok(());
        }
        if let Some(Changed { position, file, found }) = first_changed(part, Some(data)) {
            return Err(self.changed(&file, files[position].path(), found));
        }
        part.files().iter().zip(files).try_for_each(|(file, found)| self.check_packed(file, found))
    }

    /// Refuses a compressed file that is not the published one, where that is all that is known of it.
    fn check_packed(&self, file: &PublishedFile, found: &FoundFile) -> Result<(), DataError> {
        let path = found.path();
        let is_packed = path.extension().is_some_and(|extension| extension == "gz");
        let Some(checksum @ (Checksum::Sha256(_) | Checksum::Md5(_))) = file.checksum else {
            return Ok(());
        };
        if !is_packed || !found.is_on_disk() {
            return Ok(());
        }
        let digest = checksum.of_file(path, LARGEST).map_err(|e| DataError::io("read", path, e))?;
        match digest {
            Digest::Published => Ok(()),
            Digest::Incomplete => Err(self.changed(file, path, "nothing".to_owned())),
            Digest::Other(found) => Err(self.changed(file, path, found)),
        }
    }

    /// Says that the file at `path`, which should be `file`, has another content, and whose it is if it is one of
    /// the table.
    pub(crate) fn changed(&self, file: &PublishedFile, path: &Path, found: String) -> DataError {
        let is_found = |other: &PublishedFile| other.content() == Some(&found);
        if let Some(other) = self.files().into_iter().find(is_found) {
            let (path, expected) = (path.to_owned(), file.name.to_owned());
            let found = format!("this is {} of {}", other.name, self.display_name);
            return FileRepr::OtherFile { path, found, expected }.into();
        }
        if let Some(other) = SETS.iter().find(|set| set.files().iter().any(is_found)) {
            return self.others(path, other).into();
        }
        let (digest, expected) = file.known_by();
        let (path, name) = (path.to_owned(), self.display_name.to_owned());
        FileRepr::Changed { path, name, digest, expected, found }.into()
    }

    fn others(&self, path: &Path, other: &PublishedSet) -> FileRepr {
        let found = format!("these are {}'s files", other.display_name);
        let expected = format!("{}'s", self.display_name);
        FileRepr::OtherFile { path: path.to_owned(), found, expected }
    }

    /// Of files that could not be read for their form: those of another set of the table, if one of them is.
    pub(crate) fn other_set(&self, files: &[FoundFile]) -> Option<DataError> {
        let own = self.files();
        files.iter().filter(|file| file.is_on_disk()).find_map(|file| {
            let path = file.path();
            // Against no digest at all, to be told what it is.
            let Ok(Digest::Other(found)) = Checksum::Content("").of_file(path, LARGEST) else {
                return None;
            };
            let is_found = |other: &PublishedFile| other.content() == Some(&found);
            let other = SETS.iter().find(|set| set.files().iter().any(is_found))?;
            (!own.iter().any(is_found)).then(|| self.others(path, other).into())
        })
    }
}
