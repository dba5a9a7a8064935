use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(feature = "download")]
use super::search::files;
use super::search::{Environment, all_files, given_folder};
use crate::DataError;
use crate::error::FileRepr;
use crate::published::PublishedSet;

/// Where data sets are looked for, and whether they may be downloaded.
///
/// [`Source::default`] looks into these places, in this order:
///
/// 1. the folder given by [`with_folder`](Self::with_folder), if any;
/// 2. the folder that the environment variable `SELVEDGE_DATA` names, and if it is set, nowhere else
///    after that;
/// 3. `datasets/` in the current folder or one above it (or above the folder of the package that
///    cargo runs);
/// 4. `selvedge/` in the user's cache folder (`~/.cache` on Linux), or the folder given by
///    [`with_cache`](Self::with_cache);
/// 5. the folder where a Debian package installs it (Fashion-MNIST:
///    `/usr/share/datasets/fashion-mnist` of `dataset-fashion-mnist`);
/// 6. with the feature `download`, its official host, from which it is downloaded into the cache.
///
/// In each place a data set has a folder of its own, such as `fashion-mnist` or `mnist`
/// ([`PublishedSet::folder`]), with its files under their published names, raw or with `.gz`. The
/// folders 1 and 2 may also be that folder itself. They must exist, be readable, and not hold only some
/// of the files; folder 2 must hold all. A place that nobody named is passed over where it may not be
/// read.
///
/// ```
/// use selvedge_data::Source;
/// use selvedge_data::published::FASHION_MNIST;
///
/// let only_here = Source::folder("/no/such/folder");
/// let error = FASHION_MNIST.load(&only_here).unwrap_err();
/// assert_eq!(error.to_string(), "data folder /no/such/folder is not a folder");
/// ```
#[derive(Debug, Clone)]
pub struct Source {
    folder: Option<PathBuf>,
    /// Whether to look into places that were not given.
    search: bool,
    cache: Option<PathBuf>,
    download: bool,
    pub(crate) urls: Vec<String>,
    pub(crate) attempts: u32,
    pub(crate) pause: Duration,
    pub(crate) timeout: Duration,
    pub(crate) interrupt: Interrupt,
}

/// Asks whether to stop.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

#[cfg_attr(not(feature = "download"), expect(dead_code, reason = "nothing takes long"))]
impl Interrupt {
    pub fn is_requested(&self) -> bool {
        self.0.as_ref().is_some_and(|asked| asked())
    }

    /// Sleeps, unless it is interrupted; whether it was not.
    pub fn sleep(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        while !self.is_requested() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
        false
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Interrupt(..)" } else { "None" })
    }
}

impl Default for Source {
    fn default() -> Self {
        Self {
            folder: None,
            search: true,
            cache: None,
            download: true,
            urls: Vec::new(),
            attempts: 4,
            pause: Duration::from_millis(500),
            timeout: Duration::from_secs(30),
            interrupt: Interrupt::default(),
        }
    }
}

impl Source {
    /// The environment variable that names a folder of data sets.
    pub const VARIABLE: &str = "SELVEDGE_DATA";

    /// Only the given folder, which is a data set's folder or holds it; no download.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self { folder: Some(path.into()), search: false, download: false, ..Self::default() }
    }

    /// Only the given cache folder, into which what is missing is downloaded.
    pub fn cache(path: impl Into<PathBuf>) -> Self {
        Self { cache: Some(path.into()), search: false, ..Self::default() }
    }

    /// Looks into this folder before all others.
    pub fn with_folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.folder = Some(path.into());
        self
    }

    /// Keeps downloads in this folder instead of the user's cache folder.
    pub fn with_cache(mut self, path: impl Into<PathBuf>) -> Self {
        self.cache = Some(path.into());
        self
    }

    /// Downloads nothing.
    pub fn without_download(mut self) -> Self {
        self.download = false;
        self
    }

    /// Downloads from these addresses, tried in order, instead of the official host. `/` and the
    /// file's name with `.gz` are appended.
    pub fn with_urls<T: Into<String>>(mut self, urls: impl IntoIterator<Item = T>) -> Self {
        self.urls = urls.into_iter().map(Into::into).collect();
        self
    }

    /// Tries each download `attempts` times (at least once), with a pause before each new attempt
    /// that doubles from `pause`. Otherwise 4 times, from half a second.
    pub fn with_attempts(mut self, attempts: u32, pause: Duration) -> Self {
        self.attempts = attempts;
        self.pause = pause;
        self
    }

    /// Gives up an attempt when the host is silent for this long; otherwise 30 seconds.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Ends a download when `requested` says so, which is asked ten times a second, whatever the host
    /// does: the error is of the kind [`Interrupted`](crate::DataErrorKind::Interrupted).
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// static STOP: AtomicBool = AtomicBool::new(false);
    /// let source = selvedge_data::Source::default().with_interrupt(|| STOP.load(Ordering::Relaxed));
    /// ```
    pub fn with_interrupt(mut self, requested: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.interrupt = Interrupt(Some(Arc::new(requested)));
        self
    }

    /// The data set's files, in the order of [`PublishedSet::files`].
    pub(crate) fn find(&self, set: &PublishedSet) -> Result<Vec<PathBuf>, DataError> {
        self.find_in(&Environment::of_this_process(), set)
    }

    fn find_in(&self, env: &Environment, set: &PublishedSet) -> Result<Vec<PathBuf>, DataError> {
        let mut searched = Vec::new();
        let variable = env.variable.as_ref().filter(|_| self.search);
        // The only folder to look into: the error names the file that it lacks.
        let name = || set.display_name.to_owned();
        let first = |folder: &Path| folder.join(set.files().first().map_or("", |file| file.name));
        if let Some(folder) = &self.folder {
            if let Some(files) = given_folder("data folder", folder, set)? {
                return Ok(files);
            }
            if !self.search {
                return Err(FileRepr::MissingFile { name: name(), path: first(folder) }.into());
            }
            searched.push(folder.clone());
        }
        if let Some(folder) = variable {
            // Who names a folder means it: another copy must not take its place unseen.
            return given_folder(Self::VARIABLE, folder, set)?.ok_or_else(|| {
                let variable = Self::VARIABLE;
                FileRepr::MissingInVariable { name: name(), path: first(folder), variable }.into()
            });
        }
        if self.search {
            for folder in env.workspace_folders() {
                if let Some(files) = all_files(&folder.join(set.folder), set) {
                    return Ok(files);
                }
            }
            searched.push("datasets".into());
        }
        let cache = match &self.cache {
            Some(cache) => Some(cache.join(set.folder)),
            None => env
                .cache
                .as_ref()
                .filter(|_| self.search)
                .map(|c| c.join("selvedge").join(set.folder)),
        };
        let debian = set.debian.filter(|_| self.search).map(PathBuf::from);
        for folder in cache.iter().chain(&debian) {
            if let Some(files) = all_files(folder, set) {
                return Ok(files);
            }
            searched.push(folder.clone());
        }
        self.download(set, cache, searched)
    }

    #[cfg(feature = "download")]
    fn download(
        &self,
        set: &PublishedSet,
        cache: Option<PathBuf>,
        searched: Vec<PathBuf>,
    ) -> Result<Vec<PathBuf>, DataError> {
        let hint = match cache {
            Some(cache) if self.download => {
                super::download::fetch(set, &cache, self)?;
                let name = set.display_name.to_owned();
                return files(&cache, set)?
                    .complete()
                    .map_err(|path| FileRepr::MissingFile { name, path }.into());
            }
            None if self.download => "not downloaded for want of a cache folder",
            _ => "allow its download, or name a folder that holds it",
        };
        Err(FileRepr::NotFound { name: set.display_name.to_owned(), searched, hint }.into())
    }

    #[cfg(not(feature = "download"))]
    fn download(
        &self,
        set: &PublishedSet,
        _cache: Option<PathBuf>,
        searched: Vec<PathBuf>,
    ) -> Result<Vec<PathBuf>, DataError> {
        let hint = if self.download {
            "enable the feature `download`, or name a folder that holds it"
        } else {
            "name a folder that holds it"
        };
        Err(FileRepr::NotFound { name: set.display_name.to_owned(), searched, hint }.into())
    }
}

#[cfg(test)]
mod tests;
