//! A folder of pages, with the studies and the records that they are made from.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fs, io};

use selvedge_files::OutputError;
use selvedge_train::Context;

use super::records::Records;
use super::{Page, PageError};
use crate::Datasets;
use crate::store::FolderStore;

/// A folder in which pages lie beside what they are made from:
///
/// | place | what it is |
/// |---|---|
/// | `*.md` | the pages |
/// | `studies/` | the study files that blocks name |
/// | `data/` | the records of finished trials, as a [`FolderStore`] keeps them |
/// | `figures/` | the figures that pages show |
///
/// ```
/// # use burn::tensor::Device;
/// # use selvedge_data::ImageDataset;
/// use selvedge_study::{Datasets, pages::Folder};
/// use selvedge_train::Context;
///
/// # let pixels = (0..60).flat_map(|i| vec![if i % 2 == 0 { 0 } else { 255 }; 16]).collect();
/// # let (labels, classes) = ((0..60).map(|i| i % 2).collect(), vec!["black".into(), "white".into()]);
/// # let images = ImageDataset::new("toy", pixels, [1, 4, 4], labels, classes)?.view();
/// # let split = images.split_stratified_three([0.6, 0.2, 0.2], 0)?;
/// # let context = Context::new(&Device::flex());
/// # let temporary = tempfile::tempdir()?;
/// # let path = temporary.path();
/// # for name in ["studies", "data"] { std::fs::create_dir(path.join(name))?; }
/// # let study = "[base]\ndataset = 'toy'\nmodel = { name = 'mlp', hidden = 4 }\nepochs = 1\n";
/// # std::fs::write(path.join("studies/a.toml"), study)?;
/// let page = "It is <!-- study: a.toml; number value=test.accuracy -->?<!-- end -->.\n";
/// std::fs::write(path.join("a.md"), page)?;
/// let datasets = Datasets::default().with("toy", split);
/// let folder = Folder::new(path, &datasets, &["flex"]);
/// let filled = folder.fill(&folder.pages()?, &context, |_| {})?;
/// // No trial is finished: there is no number yet.
/// assert_eq!(filled.write()?, [path.join("a.md")]);
/// assert!(std::fs::read_to_string(path.join("a.md"))?.contains("-->–<!-- end -->."));
/// assert!(filled.changed().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Folder<'a> {
    path: PathBuf,
    datasets: &'a Datasets,
    devices: Vec<String>,
}

/// What pages and their figures are to be. Nothing is written before [`write`](Self::write).
#[derive(Clone, Debug, Default)]
pub struct Filled {
    /// How many blocks the pages have.
    pub blocks: usize,
    /// The blocks that stay as they are, in the order of the pages.
    pub skipped: Vec<Skipped>,
    folder: PathBuf,
    figures: BTreeMap<PathBuf, Vec<u8>>,
    pages: Vec<(PathBuf, String)>,
}

/// A block that stays as it is: the images of its study are not on this machine, and without them nobody knows which
/// records are of these images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The page.
    pub page: PathBuf,
    /// The study file, as the page names it.
    pub study: PathBuf,
}

/// Why pages cannot be filled or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The folder of the pages, or that of the records, cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The folder.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A page cannot be read.
    #[error("{}: {error}", page.display())]
    Unreadable {
        /// The page.
        page: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A block is wrong, or what it asks for cannot be made.
    #[error("{}: {error}", page.display())]
    Page {
        /// The page.
        page: PathBuf,
        /// What is wrong there.
        error: PageError,
    },
    /// A page has figures and is not in the folder, so that its links to them would lead nowhere.
    #[error(
        "{}: its figures would lie in {}: a page with figures has to be in {}",
        page.display(), folder.join(FIGURES).display(), folder.display()
    )]
    Elsewhere {
        /// The page.
        page: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// Two blocks make a figure of the same name.
    #[error("{}: {} is made twice: give one a `name`", page.display(), figure.display())]
    Twice {
        /// The page of the second.
        page: PathBuf,
        /// The file of the figure.
        figure: PathBuf,
    },
    /// A page or figure cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

const FIGURES: &str = "figures";
const STUDIES: &str = "studies";

impl<'a> Folder<'a> {
    /// The folder at `path`, whose trials have their images from `datasets`; blocks may name these devices. Nothing is
    /// read yet.
    pub fn new(path: impl Into<PathBuf>, datasets: &'a Datasets, devices: &[&str]) -> Self {
        let devices = devices.iter().map(ToString::to_string).collect();
        Self { path: path.into(), datasets, devices }
    }

    /// The pages that lie in the folder, by name.
    ///
    /// # Errors
    ///
    /// [`FolderError::Read`] if the folder cannot be read.
    pub fn pages(&self) -> Result<Vec<PathBuf>, FolderError> {
        let failed = |error| FolderError::Read { path: self.path.clone(), error };
        let entries = fs::read_dir(&self.path).map_err(failed)?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut paths = paths.collect::<Result<BTreeSet<_>, _>>().map_err(failed)?;
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
        Ok(paths.into_iter().collect())
    }

    /// What some pages and their figures are to be, from the records; each page is read once, whatever names it is
    /// given by. Nothing is trained or written. `skipped` is told at once of each block that stays as it is.
    ///
    /// The context's device is for checks alone, as in [`Runner::read`](crate::Runner::read).
    ///
    /// # Errors
    ///
    /// All of [`FolderError`] but [`Output`](FolderError::Output).
    pub fn fill(
        &self,
        pages: &[PathBuf],
        context: &Context,
        mut skipped: impl FnMut(&Skipped),
    ) -> Result<Filled, FolderError> {
        let data = self.path.join("data");
        let store = FolderStore::existing(&data)
            .map_err(|error| FolderError::Read { path: data, error })?;
        let studies = self.path.join(STUDIES);
        let mut records = Records::new(studies, store, self.datasets, &self.devices, context);
        let mut filled = Filled { folder: self.path.clone(), ..Filled::default() };
        let mut read = BTreeSet::new();
        for page in pages {
            let place = fs::canonicalize(page).map_err(unreadable(page))?;
            if read.insert(place) {
                filled.add(page, &mut records, &mut skipped)?;
            }
        }
        Ok(filled)
    }
}

impl Filled {
    fn add(
        &mut self,
        path: &Path,
        records: &mut Records,
        told: &mut impl FnMut(&Skipped),
    ) -> Result<(), FolderError> {
        let failed = |error| FolderError::Page { page: path.into(), error };
        let text = fs::read_to_string(path).map_err(unreadable(path))?;
        let page = Page::read(&text).map_err(failed)?;
        let mut figures = Vec::new();
        let text = page.with_contents(|block| -> Result<_, Box<dyn Error>> {
            self.blocks += 1;
            let Some(results) = records.of(block)? else {
                let skipped = Skipped { page: path.into(), study: block.study.clone() };
                told(&skipped);
                self.skipped.push(skipped);
                return Ok(None);
            };
            let content = block.content(results)?;
            figures.extend(content.figures);
            Ok(Some(content.markdown))
        });
        self.pages.push((path.into(), text.map_err(failed)?));
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let place = |folder: &Path| fs::canonicalize(folder).map_err(unreadable(path));
        let is_beside = place(parent.unwrap_or(Path::new(".")))? == place(&self.folder)?;
        if !figures.is_empty() && !is_beside {
            let folder = self.folder.clone();
            return Err(FolderError::Elsewhere { page: path.into(), folder });
        }
        for (name, bytes) in figures {
            let figure = self.folder.join(FIGURES).join(name);
            if self.figures.insert(figure.clone(), bytes).is_some() {
                return Err(FolderError::Twice { page: path.into(), figure });
            }
        }
        Ok(())
    }

    /// The figures that have the name of a study of the folder and are in none of these pages, by name; it says
    /// something only if they are all of the folder. Those of studies that were skipped are not among them, nor are
    /// those whose names stand in a page. Somebody may have put them there: nothing removes them.
    pub fn unused(&self) -> Vec<PathBuf> {
        let studies = names(&self.folder.join(STUDIES));
        let stems: Vec<&str> =
            studies.iter().filter_map(|name| name.strip_suffix(".toml")).collect();
        let figures = self.folder.join(FIGURES);
        let is_unused = |name: &String| {
            let is_of = |stem: &&&str| name.starts_with(&format!("{stem}_"));
            let Some(stem) = stems.iter().filter(is_of).max_by_key(|stem| stem.len()) else {
                return false;
            };
            let study = format!("{stem}.toml");
            !self.figures.contains_key(&figures.join(name))
                && !self.pages.iter().any(|(_, text)| text.contains(name))
                && !self.skipped.iter().any(|skipped| skipped.study.ends_with(&study))
        };
        let unused = names(&figures).into_iter().filter(is_unused);
        unused.map(|name| figures.join(name)).collect()
    }

    /// The figures, then the pages, that are not on the disk as they are to be.
    pub fn changed(&self) -> Vec<PathBuf> {
        self.different().map(|(path, _)| path.into()).collect()
    }

    /// Writes what is not on the disk as it is to be, and tells what that was: figures first, so that no page names one
    /// that is not there.
    ///
    /// # Errors
    ///
    /// [`FolderError::Output`] with the first file that cannot be written: it and those behind it stay as they were.
    pub fn write(&self) -> Result<Vec<PathBuf>, FolderError> {
        let mut written = Vec::new();
        for (path, bytes) in self.different() {
            path.parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| selvedge_files::write(path, bytes))
                .map_err(|error| OutputError { path: path.into(), error })?;
            written.push(path.into());
        }
        Ok(written)
    }

    fn different(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        let figures = self.figures.iter().map(|(path, bytes)| (path.as_path(), bytes.as_slice()));
        let pages = self.pages.iter().map(|(path, text)| (path.as_path(), text.as_bytes()));
        let is_same = |path: &Path, bytes: &[u8]| fs::read(path).is_ok_and(|old| old == bytes);
        figures.chain(pages).filter(move |(path, bytes)| !is_same(path, bytes))
    }
}

fn unreadable(page: &Path) -> impl Fn(io::Error) -> FolderError {
    |error| FolderError::Unreadable { page: page.into(), error }
}

/// The names of what lies in a folder; none if it cannot be read.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
