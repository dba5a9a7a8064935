//! From files to one buffer of pixels.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use selvedge_fetch::FetchError;

use super::{Damaged, Entry, ImageFolder, Part};
use crate::dataset::PixelWriter;
use crate::split::check_fraction;
use crate::{DataError, Dataset, ImageDataset, ImageReader, Split};

/// The images of an [`ImageFolder`], read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FolderImages {
    /// The images to learn from: all that are there, where the folder is not divided.
    pub train: ImageDataset,
    /// The images that choose between models and epochs, if they have a folder of their own.
    pub validation: Option<ImageDataset>,
    /// The images to test on, if they have a folder of their own.
    pub test: Option<ImageDataset>,
    /// The folder or table, for messages.
    path: PathBuf,
    skipped: Vec<String>,
}

/// The most images that are decoded before they are put into the buffer: enough for many threads.
const CHUNK: usize = 256;

/// The most bytes of theirs, where they are more than one for each thread: as many as 256 of 224 × 224 pixels.
const CHUNK_BYTES: u64 = 256 * 3 * 224 * 224;

impl ImageFolder {
    /// Decodes all images, on all threads, each with `reader`. The result is the same with any number of
    /// them.
    ///
    /// Memory: the pixels of images as they come out of the reader, up to
    /// [the limit](Self::with_memory_limit); those of up to 256 images more, 39 MB or one for each thread; and for
    /// each thread a file and its image.
    ///
    /// # Errors
    ///
    /// If an image cannot be read (see [`Damaged`]), of which a table's line is named, too; if none of a class is left
    /// to learn from, there is neither memory nor room on the disk, or [`with_watch`](Self::with_watch) ended it.
    pub fn load(&self, reader: &ImageReader) -> Result<FolderImages, DataError> {
        let size: u64 = reader.shape().iter().map(|&side| side as u64).product();
        let scratch = self.scratch.clone().unwrap_or_else(scratch_folder);
        let mut load = Load {
            folder: self,
            reader,
            size,
            scratch,
            memory: self.memory_limit,
            total: self.counts().into_iter().flatten().sum(),
            done: 0,
            skipped: Vec::new(),
        };
        let [train, validation, test] = self.parts.each_ref();
        let train = load.part(Part::Train, train.as_deref().unwrap_or_default())?;
        let counts = train.view().class_counts();
        if let Some(class) = counts.iter().position(|&count| count == 0) {
            let reason =
                format!("class `{}`: no image to learn from is readable", self.classes[class]);
            return Err(DataError::in_file(&self.path, reason));
        }
        let mut other = |part, entries: &Option<Vec<Entry>>| {
            entries.as_deref().map(|entries| load.part(part, entries)).transpose()
        };
        let (validation, test) = (other(Part::Validation, validation)?, other(Part::Test, test)?);
        let some = |images: Option<ImageDataset>| images.filter(|images| !images.is_empty());
        let skipped = load.skipped;
        let (validation, test) = (some(validation), some(test));
        Ok(FolderImages { train, validation, test, path: self.path.clone(), skipped })
    }
}

/// Where files of pixels are put by default.
fn scratch_folder() -> PathBuf {
    let disk = Path::new("/var/tmp");
    match std::env::var_os("TMPDIR") {
        None if disk.is_dir() => disk.to_owned(),
        _ => std::env::temp_dir(),
    }
}

/// What loading has come to.
struct Load<'a> {
    folder: &'a ImageFolder,
    reader: &'a ImageReader,
    /// Bytes of an image.
    size: u64,
    scratch: PathBuf,
    /// Bytes of memory that are left for pixels.
    memory: u64,
    total: usize,
    done: usize,
    skipped: Vec<String>,
}

impl Load<'_> {
    fn part(&mut self, part: Part, entries: &[Entry]) -> Result<ImageDataset, DataError> {
        let bytes = self.size.saturating_mul(entries.len() as u64);
        let mut writer = PixelWriter::new(bytes, self.memory, &self.scratch)?;
        if bytes <= self.memory {
            self.memory -= bytes;
        }
        let mut labels = Vec::with_capacity(entries.len());
        let threads = rayon::current_num_threads();
        let chunk = usize::try_from(CHUNK_BYTES / self.size).unwrap_or(CHUNK);
        // No figure depends on it: images are independent of one another.
        for chunk in entries.chunks(chunk.max(threads).min(CHUNK)) {
            if !(self.folder.watch.0)(self.done, self.total) {
                return Err(FetchError::Interrupted { doing: "reading images".into() }.into());
            }
            let root = &self.folder.root;
            let read = |entry: &Entry| {
                let image = self.reader.read(root.join(&entry.path));
                image.map_err(|error| match entry.line {
                    0 => error,
                    line => error.after(&format!("{}: line {line}", self.folder.path.display())),
                })
            };
            // Of equal length for each thread to take the next: images differ in size.
            let images: Vec<_> = chunk.par_iter().with_max_len(1).map(read).collect();
            for (entry, image) in chunk.iter().zip(images) {
                match (image, self.folder.damaged) {
                    (Ok(pixels), _) => {
                        writer.push(&pixels)?;
                        labels.push(entry.label);
                    }
                    (Err(error), Damaged::Fail) => return Err(error),
                    (Err(error), Damaged::Skip) => self.skipped.push(error.to_string()),
                }
            }
            self.done += chunk.len();
        }
        (self.folder.watch.0)(self.done, self.total);
        let name = match self.folder.path.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => self.folder.path.display().to_string(),
        };
        let name = format!("{name} {}", part.name());
        let (shape, classes) = (self.reader.shape(), self.folder.classes.clone());
        ImageDataset::of_pixels(name, writer.finish()?, shape, labels, classes)
    }
}

impl FolderImages {
    /// The names of the classes; a label is a position in this list.
    pub fn classes(&self) -> &[String] {
        self.train.classes()
    }

    /// What is wrong with each image that was left out, a line each that begins with its path, or with the table
    /// and the line that name it.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// The images to train, to validate and to test on. Where no images are there to validate on,
    /// `validation_fraction` of the others are, of each class the same share.
    ///
    /// # Errors
    ///
    /// If the images have to be divided: for a `validation_fraction` that is not above 0 and below 1, or if it
    /// leaves a class without an image to learn from, which is named with the folder and what helps.
    pub fn split(&self, validation_fraction: f64, seed: u64) -> Result<Split, DataError> {
        let test = self.test.as_ref().map(ImageDataset::view);
        match &self.validation {
            Some(validation) => {
                Split::with_shared_images(self.train.view(), validation.view(), test)
            }
            None => {
                check_fraction("validation fraction", validation_fraction)?;
                let all = self.train.view();
                let (validation, train) = all.draw(validation_fraction, seed);
                let counts = all.class_counts().into_iter().zip(train.class_counts());
                if let Some((class, (count, _))) =
                    counts.enumerate().find(|(_, (all, trained))| *all > 0 && *trained == 0)
                {
                    return Err(self.nothing_to_learn(class, count, validation_fraction));
                }
                Split::with_shared_images(train, validation, test)
            }
        }
    }

    /// What to say of a class whose `count` images all validate.
    fn nothing_to_learn(&self, class: usize, count: usize, fraction: f64) -> DataError {
        let name = &self.classes()[class];
        let reason = match count {
            1 => format!(
                "class `{name}` has 1 image, which cannot both train and validate: add images of it, or put \
                 images to validate on into a folder (or split) `val`"
            ),
            _ => format!(
                "class `{name}` has {count} images, which would all validate at a validation fraction of \
                 {fraction}: take a smaller one, or add images of it"
            ),
        };
        DataError::in_file(&self.path, reason)
    }

    /// The images to learn from and those to test on, to be divided in any way.
    ///
    /// # Errors
    ///
    /// If images to validate on are there, which a [`Dataset`] has no place for.
    pub fn dataset(&self) -> Result<Dataset, DataError> {
        match &self.validation {
            None => Dataset::with_shared_images(self.train.clone(), self.test.clone()),
            Some(found) => Err(DataError::invalid(format!(
                "{}: expected no images to validate on, found {} (FolderImages::split takes them)",
                found.name(),
                found.len()
            ))),
        }
    }

    /// How many images to validate and to test on are also among those to learn from, pixel by pixel:
    /// the accuracy on them is of what was learned by heart.
    ///
    /// # Errors
    ///
    /// None for images that were loaded together.
    pub fn shared_images(&self) -> Result<[usize; 2], DataError> {
        let shared = |part: &Option<ImageDataset>| match part {
            Some(_) => {
                let data = Dataset::with_shared_images(self.train.clone(), part.clone())?;
                Ok::<_, DataError>(data.shared_images().len())
            }
            None => Ok(0),
        };
        Ok([shared(&self.validation)?, shared(&self.test)?])
    }
}
