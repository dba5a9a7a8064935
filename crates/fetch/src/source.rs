use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::search::{Look, all, given_folder, in_place};
use crate::{Checksum, Environment, FetchError, Wanted};

/// Where published files, such as data sets, are looked for, and whether they may be downloaded.
///
/// [`Source::default`] looks into these places, in this order:
///
/// 1. the folder given by [`with_folder`](Self::with_folder), if any;
/// 2. the folder that an environment variable names (`SELVEDGE_DATA` for data sets, `SELVEDGE_WEIGHTS` for
///    pretrained weights), and if it is set, nowhere else after that;
/// 3. `datasets/` (`weights/` for pretrained weights) in the current folder or one above it (or above the
///    folder of the package that cargo runs);
/// 4. `selvedge/` in the user's cache folder (`~/.cache` on Linux), or the folder given by
///    [`with_cache`](Self::with_cache);
/// 5. where other programs keep it: for data sets the folder where a Debian package installs it
///    (Fashion-MNIST: `/usr/share/datasets/fashion-mnist` of `dataset-fashion-mnist`), for weights
///    PyTorch's cache;
/// 6. with the feature `download`, its official hosts, from which it is downloaded into the cache. The second is
///    tried where the first is down. `SELVEDGE_OFFLINE=1` in the environment forbids it.
///
/// In each place a data set has a folder of its own, such as `fashion-mnist` or `mnist`, with its files under
/// their published names, raw or with `.gz`. The folders 1 and 2 may also be that folder itself. They must
/// exist, be readable, and not hold only some of the files; folder 2 must hold all. A place that nobody named
/// is passed over where it may not be read.
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

/// A file that can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// The name under which it is published, and kept.
    pub name: String,
    /// The most bytes that it has, or that its content has if the checksum is of that.
    pub bytes: u64,
    /// By what it is known.
    pub checksum: Checksum,
    /// Its addresses, tried in order.
    pub urls: Vec<String>,
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
    /// The environment variable that names a folder of data sets. (That of weights has another name.)
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

    /// Everywhere, and with downloads, that end and are tried as here: for what is not in the folder of this one.
    pub fn anywhere(&self) -> Self {
        let Self { attempts, pause, timeout, interrupt, .. } = self.clone();
        Self { attempts, pause, timeout, interrupt, ..Self::default() }
    }

    /// Downloads nothing.
    pub fn without_download(mut self) -> Self {
        self.download = false;
        self
    }

    /// Downloads from these addresses, tried in order, instead of the official hosts. `/` and the
    /// file's published name are appended: `train-images-idx3-ubyte.gz`, for example.
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
    /// does: the error is [`FetchError::Interrupted`].
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// static STOP: AtomicBool = AtomicBool::new(false);
    /// let source = selvedge_fetch::Source::default().with_interrupt(|| STOP.load(Ordering::Relaxed));
    /// ```
    pub fn with_interrupt(mut self, requested: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.interrupt = Interrupt(Some(Arc::new(requested)));
        self
    }

    /// Looks for it in all places, by `look`, which says what a folder holds; what is nowhere is downloaded from
    /// the addresses of `files`, those that its folder in the cache lacks.
    ///
    /// # Errors
    ///
    /// If a folder that was named does not hold all of it or may not be read, or if it is nowhere and cannot or
    /// may not be downloaded; those of `look` for folders that were named.
    pub fn find<T>(
        &self,
        wanted: &Wanted<'_>,
        look: Look<'_, T>,
        files: &[RemoteFile],
    ) -> Result<T, FetchError> {
        self.find_in(&Environment::of_this_process(wanted.variable), wanted, look, files)
    }

    /// As [`find`](Self::find), in other surroundings than those of this process.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub fn find_in<T>(
        &self,
        env: &Environment,
        wanted: &Wanted<'_>,
        look: Look<'_, T>,
        files: &[RemoteFile],
    ) -> Result<T, FetchError> {
        let mut searched = Vec::new();
        if let Some(folder) = &self.folder {
            match given_folder("data folder", folder, wanted, look)? {
                Ok(found) => return Ok(found),
                Err(first) if !self.search => return Err(wanted.missing(first, None)),
                Err(_) => searched.push(folder.clone()),
            }
        }
        if let Some(folder) = env.variable.as_ref().filter(|_| self.search) {
            // Who names a folder means it: another copy must not take its place unseen.
            let found = given_folder(wanted.variable, folder, wanted, look)?;
            return found.map_err(|first| wanted.missing(first, Some(wanted.variable)));
        }
        if self.search {
            for place in env.workspace_folders(wanted.workspace) {
                if let Some(found) = in_place(&place, wanted, look) {
                    return Ok(found);
                }
            }
            searched.push(wanted.workspace.into());
        }
        let cache = match &self.cache {
            Some(cache) => Some(cache.clone()),
            None => env.cache.as_ref().filter(|_| self.search).map(|c| c.join("selvedge")),
        };
        let own = wanted.folders.first().copied().unwrap_or_default();
        if let Some(cache) = &cache {
            if let Some(found) = in_place(cache, wanted, look) {
                return Ok(found);
            }
            searched.push(cache.join(own));
        }
        for folder in wanted.others.iter().filter(|_| self.search) {
            if let Some(found) = all(folder, look) {
                return Ok(found);
            }
            searched.push(folder.clone());
        }
        if self.download && env.offline {
            let hint = "SELVEDGE_OFFLINE forbids its download; name a folder that holds it";
            return Err(FetchError::NotFound { name: wanted.name.to_owned(), searched, hint });
        }
        self.download(wanted, look, files, cache.map(|cache| cache.join(own)), searched)
    }

    #[cfg(feature = "download")]
    fn download<T>(
        &self,
        wanted: &Wanted<'_>,
        look: Look<'_, T>,
        files: &[RemoteFile],
        cache: Option<PathBuf>,
        searched: Vec<PathBuf>,
    ) -> Result<T, FetchError> {
        let hint = match cache {
            Some(cache) if self.download => {
                crate::download::fetch(wanted, files, &cache, self)?;
                return match look(&cache)? {
                    crate::Held::All(found) => Ok(found),
                    crate::Held::Some { missing: path } | crate::Held::Nothing { first: path } => {
                        Err(wanted.missing(path, None))
                    }
                };
            }
            None if self.download => "not downloaded for want of a cache folder",
            _ => "allow its download, or name a folder that holds it",
        };
        Err(FetchError::NotFound { name: wanted.name.to_owned(), searched, hint })
    }

    #[cfg(not(feature = "download"))]
    fn download<T>(
        &self,
        wanted: &Wanted<'_>,
        _look: Look<'_, T>,
        _files: &[RemoteFile],
        _cache: Option<PathBuf>,
        searched: Vec<PathBuf>,
    ) -> Result<T, FetchError> {
        let hint = if self.download {
            "enable the feature `download`, or name a folder that holds it"
        } else {
            "name a folder that holds it"
        };
        Err(FetchError::NotFound { name: wanted.name.to_owned(), searched, hint })
    }
}
