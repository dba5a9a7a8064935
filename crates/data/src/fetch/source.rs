use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::search::{Environment, all_files, given_folder};
use crate::DataError;
use crate::error::Repr;
use crate::published::PublishedSet;

/// Where data sets are looked for, and whether they may be downloaded.
///
/// [`Source::default`] looks into these places, in this order:
///
/// 1. the folder given by [`with_folder`](Self::with_folder), if any;
/// 2. the folder that the environment variable `SELVEDGE_DATA` names;
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
/// folders 1 and 2 may also be that folder itself. They must exist, and must not hold only some of the
/// files.
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
        let given = [("data folder", self.folder.as_ref()), (Self::VARIABLE, variable)];
        for (origin, folder) in given {
            let Some(folder) = folder else { continue };
            if let Some(files) = given_folder(origin, folder, set)? {
                return Ok(files);
            }
            searched.push(folder.clone());
        }
        if !self.search
            && let Some(folder) = &self.folder
        {
            // The only folder to look into: name the file it lacks.
            let first = set.files().first().map_or("", |file| file.name);
            let name = set.display_name.to_owned();
            return Err(Repr::MissingFile { name, path: folder.join(first) }.into());
        }
        if self.search {
            for folder in env.workspace_folders() {
                if let Ok(files) = all_files(&folder.join(set.folder), set) {
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
            if let Ok(files) = all_files(folder, set) {
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
                return all_files(&cache, set).map_err(|path| {
                    Repr::MissingFile { name: set.display_name.to_owned(), path }.into()
                });
            }
            None if self.download => "not downloaded for want of a cache folder",
            _ => "allow its download, or name a folder that holds it",
        };
        Err(Repr::NotFound { name: set.display_name.to_owned(), searched, hint }.into())
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
        Err(Repr::NotFound { name: set.display_name.to_owned(), searched, hint }.into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::DataErrorKind;
    use crate::published::{FASHION_MNIST, MNIST};

    /// Makes the four files, empty, under `folder`.
    fn put(folder: &Path) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        for (i, f) in MNIST.files().iter().enumerate() {
            let suffix = if i % 2 == 0 { ".gz" } else { "" };
            fs::write(folder.join(format!("{}{suffix}", f.name)), "").unwrap();
        }
        folder.to_owned()
    }

    fn found(source: &Source, env: &Environment) -> PathBuf {
        let files = source.find_in(env, &MNIST).unwrap();
        files[0].parent().unwrap().to_owned()
    }

    #[test]
    fn places_are_searched_in_the_documented_order() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        let env = Environment {
            variable: Some(at("variable")),
            current: Some(at("project/deep/inside")),
            package: Some(at("package")),
            cache: Some(at("cache")),
        };
        fs::create_dir_all(at("variable")).unwrap();
        fs::create_dir_all(at("given")).unwrap();
        let source = Source::default().without_download().with_folder(at("given"));
        let error = source.find_in(&env, &MNIST).unwrap_err().to_string();
        assert!(error.starts_with("MNIST not found in "), "{error}");

        // From the last place to the first: each new one comes before those that exist already.
        for place in [
            "cache/selvedge/mnist",
            "package/datasets/mnist",
            "project/datasets/mnist",
            "project/deep/inside/datasets/mnist",
            "variable",
            "variable/mnist",
            "given",
            "given/mnist",
        ] {
            let folder = put(&at(place));
            assert_eq!(found(&source, &env), folder);
        }
        // A named folder is the only one.
        let only = Source::folder(at("variable"));
        assert_eq!(found(&only, &env), at("variable/mnist"));
        // A given cache takes the place of the user's.
        let cache = Source::cache(at("own")).without_download();
        let error = cache.find_in(&env, &MNIST).unwrap_err();
        assert!(error.to_string().starts_with("MNIST not found in "), "{error}");
        put(&at("own/mnist"));
        assert_eq!(found(&cache, &env), at("own/mnist"));
    }

    #[test]
    fn raw_and_compressed_names_are_both_found() {
        let root = tempfile::tempdir().unwrap();
        put(root.path());
        let files = Source::folder(root.path()).find(&MNIST).unwrap();
        let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap()).collect();
        assert_eq!(
            names,
            [
                "train-images-idx3-ubyte.gz",
                "train-labels-idx1-ubyte",
                "t10k-images-idx3-ubyte.gz",
                "t10k-labels-idx1-ubyte"
            ]
        );
    }

    #[test]
    fn a_named_folder_must_exist_and_hold_all_files() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path();
        let message = |source: Source, env| source.find_in(&env, &MNIST).unwrap_err().to_string();
        let missing = path.join("missing");
        assert_eq!(
            message(Source::folder(&missing), Environment::default()),
            format!("data folder {} is not a folder", missing.display())
        );
        let env = Environment { variable: Some(missing.clone()), ..Environment::default() };
        assert_eq!(
            message(Source::default(), env),
            format!("SELVEDGE_DATA {} is not a folder", missing.display())
        );
        let empty = message(Source::folder(path), Environment::default());
        let first = path.join("train-images-idx3-ubyte");
        assert_eq!(empty, format!("MNIST: no file {} (raw or .gz)", first.display()));
        let partial = put(&path.join("partial"));
        fs::remove_file(partial.join("t10k-labels-idx1-ubyte")).unwrap();
        let source = Source::default().with_folder(&partial).without_download();
        assert_eq!(
            message(source, Environment::default()),
            format!(
                "MNIST: no file {} (raw or .gz)",
                partial.join("t10k-labels-idx1-ubyte").display()
            )
        );
    }

    #[test]
    fn a_folder_named_after_one_set_is_not_taken_for_another() {
        let root = tempfile::tempdir().unwrap();
        let folder = put(&root.path().join("fashion-mnist"));
        assert!(Source::folder(&folder).find(&FASHION_MNIST).is_ok());
        let error = Source::folder(&folder).find(&MNIST).unwrap_err();
        assert_eq!(error.kind(), DataErrorKind::NotFound, "{error}");
        assert!(error.to_string().starts_with("MNIST: no file "), "{error}");
    }
}
