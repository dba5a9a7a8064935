mod connect;

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use object_store::path::Path as Key;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::{Stamp, Store, Stored, Version};
use connect::{LARGE, SMALL, in_short, is_passing};

/// How long a bucket that does not answer is asked again.
const PATIENCE: Duration = Duration::from_secs(180);

/// The same before anything was answered: the address may be a wrong one.
const PATIENCE_TO_OPEN: Duration = Duration::from_secs(30);

/// How many requests are under way at once, where many objects are read.
const AT_ONCE: usize = 32;

/// A store in a bucket of S3, Google Cloud Storage or Azure, or of a server that speaks as S3 does.
///
/// Nothing is overwritten unseen: objects are written on the condition that there is none, or that it is the one that
/// was read (`If-None-Match`, `If-Match`), which S3 has known since 2024. Before the first trial is claimed, it is checked
/// that the server keeps to them. What is removed is replaced by an object of no bytes, since S3 has no removal on a
/// condition everywhere.
///
/// A bucket that does not answer is asked again for three minutes.
///
/// Checkpoints of trials are kept in a folder of this process and, some of them, in the bucket, so that other machines
/// go on from there.
///
/// Its methods wait for the answers: within an asynchronous task of `tokio` they panic.
#[derive(Clone)]
pub struct BucketStore {
    shared: Arc<Shared>,
    patience: Duration,
    interrupt: Arc<dyn Fn() -> bool + Send + Sync>,
}

struct Shared {
    bucket: Arc<dyn ObjectStore>,
    prefix: Key,
    url: String,
    /// Since when nothing was answered.
    away: Mutex<Option<Instant>>,
    /// Whether the server was seen to keep to conditions.
    is_checked: Mutex<bool>,
    runtime: Runtime,
    running: TempDir,
}

impl std::fmt::Debug for BucketStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BucketStore").field("url", &self.shared.url).finish_non_exhaustive()
    }
}

impl BucketStore {
    /// The store at an address: `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    ///
    /// Keys and the like are taken from the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
    /// `AWS_ENDPOINT` (and `AWS_ALLOW_HTTP=true` for a server without TLS); `GOOGLE_SERVICE_ACCOUNT`;
    /// `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT_KEY`; and what else
    /// [`object_store`] reads. `memory:///` is a bucket of this value alone, for tests.
    ///
    /// # Errors
    ///
    /// If the address is none, keys are missing, or the bucket cannot be read now.
    pub fn open(address: &str) -> io::Result<Self> {
        let (bucket, prefix) = connect::connect(address)?;
        let shared = Shared {
            bucket,
            prefix,
            url: address.trim_end_matches('/').to_owned(),
            away: Mutex::default(),
            is_checked: Mutex::default(),
            runtime: Builder::new_multi_thread().worker_threads(1).enable_all().build()?,
            running: tempfile::Builder::new().prefix("selvedge-").tempdir()?,
        };
        // A bucket that is not there is told before the first trial: at once if a server says so, and where none answers,
        // which may be about to be started again, after a while.
        let begin = Instant::now();
        loop {
            let listed = shared.bucket.list_with_delimiter(Some(&shared.prefix));
            match shared.runtime.block_on(listed) {
                Ok(_) => break,
                Err(error) if is_passing(&error) && begin.elapsed() < PATIENCE_TO_OPEN => {
                    std::thread::sleep(Duration::from_secs(1));
                }
                Err(error) => return Err(connect::named(address, &error)),
            }
        }
        Ok(Self { shared: Arc::new(shared), patience: PATIENCE, interrupt: Arc::new(|| false) })
    }

    /// The same store, which is not waited for any more once `is_requested` says so.
    #[must_use]
    pub fn with_interrupt(self, is_requested: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { interrupt: Arc::new(is_requested), ..self }
    }

    fn key(&self, name: &str) -> io::Result<Key> {
        super::checked(name)?;
        Ok(self.shared.prefix.parts().chain(Key::from(name).parts()).collect())
    }

    /// What an operation gives, which is tried again while the bucket does not answer.
    fn tried<T>(
        &self,
        limit: Duration,
        operation: impl AsyncFn() -> Result<T, Error>,
    ) -> io::Result<Result<T, Error>> {
        loop {
            let answer = async { tokio::time::timeout(limit, operation()).await };
            let error = match self.shared.runtime.block_on(answer) {
                Ok(Err(error)) if is_passing(&error) => in_short(&error),
                Ok(Err(
                    error @ (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }),
                )) => {
                    return Err(in_short(&error));
                }
                Ok(answer) => {
                    *self.away() = None;
                    return Ok(answer);
                }
                Err(_) => {
                    let message = format!("no answer within {} s", limit.as_secs());
                    io::Error::new(ErrorKind::TimedOut, message)
                }
            };
            // All requests of this process share one patience.
            let since = *self.away().get_or_insert_with(Instant::now);
            if since.elapsed() >= self.patience || (self.interrupt)() {
                return Err(error);
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    fn away(&self) -> MutexGuard<'_, Option<Instant>> {
        self.shared.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is under a name, with what the bucket calls its version.
    fn there(&self, name: &str) -> io::Result<Option<(Vec<u8>, UpdateVersion)>> {
        let key = self.key(name)?;
        let got = self.tried(limit(name), async || {
            let got = self.shared.bucket.get(&key).await?;
            let version =
                UpdateVersion { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() };
            Ok((got.bytes().await?.to_vec(), version))
        })?;
        match got {
            Ok(got) => Ok(Some(got)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(in_short(&error)),
        }
    }

    /// Writes on a condition: whether it was met, or the bytes are there already.
    ///
    /// A request whose answer was lost is sent again, and finds its own bytes there.
    fn write(&self, name: &str, bytes: &[u8], mode: PutMode) -> io::Result<bool> {
        match self.sent(name, bytes, mode.clone())? {
            Ok(()) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                Ok(self.there(name)?.is_some_and(|(there, _)| there == bytes))
            }
            Err(Error::NotFound { .. }) if matches!(mode, PutMode::Update(_)) => Ok(false),
            Err(error) => Err(in_short(&error)),
        }
    }

    fn sent(&self, name: &str, bytes: &[u8], mode: PutMode) -> io::Result<Result<(), Error>> {
        let (key, options) = (self.key(name)?, PutOptions::from(mode));
        let payload = PutPayload::from(bytes.to_vec());
        self.tried(limit(name), async || {
            let put = self.shared.bucket.put_opts(&key, payload.clone(), options.clone());
            put.await.map(drop)
        })
    }

    /// Puts `bytes` where those of a version are.
    fn swap(&self, name: &str, version: &Version, bytes: &[u8]) -> io::Result<bool> {
        match self.there(name)? {
            Some((there, found)) if !there.is_empty() && Version::of(&there) == *version => {
                self.write(name, bytes, PutMode::Update(found))
            }
            _ => Ok(false),
        }
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        let key = self.key(name)?;
        match self.tried(SMALL, async || self.shared.bucket.delete(&key).await)? {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(in_short(&error)),
        }
    }

    /// Checks once that the server keeps to conditions: one that ignores them would give each trial to all workers.
    fn check_conditions(&self) -> io::Result<()> {
        let mut is_checked = self.shared.is_checked.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_checked {
            return Ok(());
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let name = format!("probes/{}-{}", std::process::id(), now.as_nanos());
        match self.sent(&name, b"first", PutMode::Create)? {
            // It was sent twice, since the first answer was lost.
            Ok(()) | Err(Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(in_short(&error)),
        }
        let another =
            UpdateVersion { e_tag: Some("\"another\"".into()), version: Some("1".into()) };
        for mode in [PutMode::Create, PutMode::Update(another)] {
            if self.sent(&name, b"second", mode)?.is_ok() {
                let message = "it ignores the conditions of writes (If-None-Match, If-Match), without which workers would \
                               overwrite each other's trials";
                return Err(io::Error::new(ErrorKind::Unsupported, message));
            }
        }
        self.delete(&name)?;
        *is_checked = true;
        Ok(())
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.shared.running.path().join(name)
    }

    fn checkpoints(name: &str) -> String {
        format!("running/{name}.tar")
    }
}

/// How long an answer about an object of that name may take.
fn limit(name: &str) -> Duration {
    match name.starts_with("weights/") || name.starts_with("running/") {
        true => LARGE,
        false => SMALL,
    }
}

fn refuse_empty(bytes: &[u8]) -> io::Result<()> {
    match bytes {
        [] => {
            let message = "an object of no bytes is one that was removed";
            Err(io::Error::new(ErrorKind::InvalidInput, message))
        }
        _ => Ok(()),
    }
}

impl Store for BucketStore {
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        refuse_empty(bytes)?;
        self.check_conditions()?;
        if self.write(name, bytes, PutMode::Create)? {
            return Ok(true);
        }
        match self.there(name)? {
            Some((there, found)) if there.is_empty() => {
                self.write(name, bytes, PutMode::Update(found))
            }
            _ => Ok(false),
        }
    }

    fn get(&self, name: &str) -> io::Result<Option<Stored>> {
        let there = self.there(name)?.filter(|(bytes, _)| !bytes.is_empty());
        Ok(there.map(|(bytes, _)| Stored { version: Version::of(&bytes), bytes }))
    }

    fn get_many(&self, names: &[String]) -> io::Result<Vec<Option<Stored>>> {
        let mut all = Vec::new();
        for names in names.chunks(AT_ONCE) {
            let read = |key: Key| {
                let bucket = self.shared.bucket.clone();
                let read = async move { bucket.get(&key).await?.bytes().await };
                let read = async move { tokio::time::timeout(SMALL, read).await };
                self.shared.runtime.spawn(read)
            };
            let keys = names.iter().map(|name| self.key(name)).collect::<io::Result<Vec<_>>>()?;
            let under_way: Vec<_> = keys.into_iter().map(read).collect();
            for (name, one) in names.iter().zip(under_way) {
                all.push(match self.shared.runtime.block_on(one) {
                    Ok(Ok(Ok(bytes))) if bytes.is_empty() => None,
                    Ok(Ok(Ok(bytes))) => {
                        Some(Stored { version: Version::of(&bytes), bytes: bytes.to_vec() })
                    }
                    Ok(Ok(Err(Error::NotFound { .. }))) => None,
                    // With patience.
                    _ => self.get(name)?,
                });
            }
        }
        Ok(all)
    }

    fn replace(&self, name: &str, version: &Version, bytes: &[u8]) -> io::Result<bool> {
        refuse_empty(bytes)?;
        self.swap(name, version, bytes)
    }

    fn remove(&self, name: &str, version: &Version) -> io::Result<bool> {
        self.swap(name, version, &[])
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        Ok(self.list_stamped(prefix)?.into_iter().map(|(name, _)| name).collect())
    }

    fn list_stamped(&self, prefix: &str) -> io::Result<Vec<(String, Stamp)>> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let key = if folder.is_empty() { self.shared.prefix.clone() } else { self.key(folder)? };
        let listed = self
            .tried(SMALL * 4, async || self.shared.bucket.list_with_delimiter(Some(&key)).await)?;
        let named = |object: object_store::ObjectMeta| {
            let file = object.location.filename()?;
            let name = if folder.is_empty() { file.into() } else { format!("{folder}/{file}") };
            let stamp = format!("{} {}", object.e_tag.unwrap_or_default(), object.last_modified);
            Some((name, stamp))
        };
        let there = listed
            .map_err(|error| in_short(&error))?
            .objects
            .into_iter()
            .filter(|object| object.size > 0);
        let mut names: Vec<_> =
            there.filter_map(named).filter(|(name, _)| name.starts_with(prefix)).collect();
        names.sort();
        Ok(names)
    }

    fn is_far(&self) -> bool {
        true
    }

    fn hasty(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::new(Self { patience: Duration::ZERO, ..self.clone() }))
    }

    fn scratch(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder(name))
    }

    fn fetch_scratch(&self, name: &str) -> io::Result<()> {
        let folder = self.folder(name);
        if folder.exists() {
            return Ok(());
        }
        let Some(stored) = self.get(&Self::checkpoints(name))? else { return Ok(()) };
        // What was kept checks itself; what cannot be read is not there.
        match tar::Archive::new(&*stored.bytes).unpack(&folder) {
            Ok(()) => Ok(()),
            Err(_) => super::drop_folder(&folder),
        }
    }

    fn send_scratch(&self, name: &str) -> io::Result<()> {
        let folder = self.folder(name);
        if !folder.exists() {
            return Ok(());
        }
        let mut archive = tar::Builder::new(Vec::new());
        pack(&mut archive, &folder, Path::new(""))?;
        let bytes = archive.into_inner()?;
        self.sent(&Self::checkpoints(name), &bytes, PutMode::Overwrite)?
            .map_err(|error| in_short(&error))
    }

    fn finish(&self, name: &str) -> io::Result<()> {
        self.delete(&Self::checkpoints(name))?;
        // Whoever claims the trial now finds its record.
        self.delete(&super::lease_name(name))?;
        super::drop_folder(&self.folder(name))
    }

    fn display(&self) -> String {
        self.shared.url.clone()
    }
}

/// Adds the files of a folder, but for those that begin with a dot, which are locks and scratch of the moment.
fn pack(archive: &mut tar::Builder<Vec<u8>>, root: &Path, folder: &Path) -> io::Result<()> {
    let mut entries = fs::read_dir(root.join(folder))?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = folder.join(entry.file_name());
        match entry.file_type()? {
            _ if entry.file_name().as_encoded_bytes().starts_with(b".") => {}
            kind if kind.is_dir() => pack(archive, root, &name)?,
            _ => archive.append_file(&name, &mut File::open(entry.path())?)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
