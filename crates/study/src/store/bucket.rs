use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{
    BackoffConfig, Error, ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutMode, PutOptions,
    RetryConfig, UpdateVersion,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use url::Url;

use super::{Stamp, Store, Stored, Version};

/// How long an operation is tried again while the bucket does not answer.
const PATIENCE: Duration = Duration::from_secs(180);

/// How many requests are under way at once, where many objects are read.
const AT_ONCE: usize = 32;

/// How long a single request is tried again, and how long it is waited for at most.
const REQUEST: Duration = Duration::from_secs(20);

/// A store in a bucket of S3, Google Cloud Storage or Azure, or of a server that speaks as S3 does.
///
/// Nothing is overwritten unseen: objects are written on the condition that there is none, or that it is the one that
/// was read (`If-None-Match`, `If-Match`), which S3 has known since 2024. What is removed is replaced by an object of no
/// bytes, since S3 has no removal on a condition everywhere.
///
/// A bucket that does not answer is asked again for three minutes.
///
/// Checkpoints of trials are kept in a folder of this process and, some of them, in the bucket, so that other machines
/// go on from there.
#[derive(Debug)]
pub struct BucketStore {
    bucket: Arc<dyn ObjectStore>,
    prefix: Key,
    url: String,
    patience: Duration,
    runtime: Runtime,
    running: TempDir,
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
    /// If the address is none, keys are missing, or the bucket cannot be read.
    pub fn open(address: &str) -> io::Result<Self> {
        let no_bucket = |reason: &str| {
            let message = format!(
                "`{address}` is no bucket: {reason} (s3://bucket/prefix, gs://bucket/prefix or az://container/prefix)"
            );
            io::Error::new(ErrorKind::InvalidInput, message)
        };
        let url = Url::parse(address).map_err(|error| no_bucket(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            // They are not shown.
            let message = "the keys of a bucket belong into the environment, not into its address";
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        let (scheme, prefix) =
            ObjectStoreScheme::parse(&url).map_err(|_| no_bucket("its scheme is unknown"))?;
        let named = |error| {
            let error = in_short(error);
            io::Error::new(error.kind(), format!("{address}: {error}"))
        };
        // The library for TLS that downloads use, too. Another one, if the program chose it, is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let retry = RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(3), ..Default::default() },
            max_retries: 20,
            retry_timeout: REQUEST,
        };
        let bucket: Result<Arc<dyn ObjectStore>, Error> = match scheme {
            ObjectStoreScheme::Memory => Ok(Arc::new(InMemory::new())),
            ObjectStoreScheme::AmazonS3 => AmazonS3Builder::from_env()
                .with_url(address)
                .with_retry(retry)
                .build()
                .map(|bucket| Arc::new(bucket) as _),
            ObjectStoreScheme::GoogleCloudStorage => GoogleCloudStorageBuilder::from_env()
                .with_url(address)
                .with_retry(retry)
                .build()
                .map(|bucket| Arc::new(bucket) as _),
            ObjectStoreScheme::MicrosoftAzure => MicrosoftAzureBuilder::from_env()
                .with_url(address)
                .with_retry(retry)
                .build()
                .map(|bucket| Arc::new(bucket) as _),
            _ => return Err(no_bucket("its scheme is unknown")),
        };
        let store = Self {
            bucket: bucket.map_err(named)?,
            prefix,
            url: address.trim_end_matches('/').to_owned(),
            patience: PATIENCE,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
            running: tempfile::Builder::new().prefix("selvedge-").tempdir()?,
        };
        // A bucket that is not there is told at once, and not after a trial.
        let prefix = store.prefix.clone();
        store.runtime.block_on(store.bucket.list_with_delimiter(Some(&prefix))).map_err(named)?;
        Ok(store)
    }

    fn key(&self, name: &str) -> io::Result<Key> {
        super::checked(name)?;
        Ok(self.prefix.parts().chain(Key::from(name).parts()).collect())
    }

    /// What an operation gives, which is tried again while the bucket does not answer.
    fn tried<T>(
        &self,
        operation: impl AsyncFn() -> Result<T, Error>,
    ) -> io::Result<Result<T, Error>> {
        let begin = Instant::now();
        loop {
            match self.runtime.block_on(operation()) {
                // Whatever a network or a server does; errors of the request itself have a name.
                Err(Error::Generic { .. }) if begin.elapsed() < self.patience => {
                    std::thread::sleep(Duration::from_secs(1));
                }
                Err(
                    error @ (Error::Generic { .. }
                    | Error::PermissionDenied { .. }
                    | Error::Unauthenticated { .. }),
                ) => {
                    return Err(in_short(error));
                }
                given => return Ok(given),
            }
        }
    }

    /// What is under a key, with what the bucket calls its version.
    fn there(&self, key: &Key) -> io::Result<Option<(Vec<u8>, UpdateVersion)>> {
        let got = self.tried(async || {
            let got = self.bucket.get(key).await?;
            let version =
                UpdateVersion { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() };
            Ok((got.bytes().await?.to_vec(), version))
        })?;
        match got {
            Ok(got) => Ok(Some(got)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(in_short(error)),
        }
    }

    /// Writes on a condition: whether it was met, or the bytes are there already.
    ///
    /// A request whose answer was lost is sent again, and finds its own bytes there.
    fn write(&self, key: &Key, bytes: &[u8], mode: PutMode) -> io::Result<bool> {
        let options = PutOptions::from(mode);
        let written = self.tried(async || {
            self.bucket.put_opts(key, bytes.to_vec().into(), options.clone()).await
        })?;
        match written {
            Ok(_) => Ok(true),
            Err(
                Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. },
            ) => Ok(self.there(key)?.is_some_and(|(there, _)| there == bytes)),
            Err(error) => Err(in_short(error)),
        }
    }

    /// Puts `bytes` where those of a version are.
    fn swap(&self, name: &str, version: &Version, bytes: &[u8]) -> io::Result<bool> {
        let key = self.key(name)?;
        match self.there(&key)? {
            Some((there, found)) if !there.is_empty() && Version::of(&there) == *version => {
                self.write(&key, bytes, PutMode::Update(found))
            }
            _ => Ok(false),
        }
    }

    fn checkpoints(name: &str) -> String {
        format!("running/{name}.tar")
    }
}

impl Store for BucketStore {
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        if bytes.is_empty() {
            let message = "an object of no bytes is one that was removed";
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        let key = self.key(name)?;
        if self.write(&key, bytes, PutMode::Create)? {
            return Ok(true);
        }
        match self.there(&key)? {
            Some((there, found)) if there.is_empty() => {
                self.write(&key, bytes, PutMode::Update(found))
            }
            _ => Ok(false),
        }
    }

    fn get(&self, name: &str) -> io::Result<Option<Stored>> {
        let there = self.there(&self.key(name)?)?;
        let there = there.filter(|(bytes, _)| !bytes.is_empty());
        Ok(there.map(|(bytes, _)| Stored { version: Version::of(&bytes), bytes }))
    }

    fn get_many(&self, names: &[String]) -> io::Result<Vec<Option<Stored>>> {
        let mut all = Vec::new();
        for names in names.chunks(AT_ONCE) {
            let read = |key: Key| {
                let bucket = self.bucket.clone();
                self.runtime.spawn(async move { bucket.get(&key).await?.bytes().await })
            };
            let keys = names.iter().map(|name| self.key(name)).collect::<io::Result<Vec<_>>>()?;
            let under_way: Vec<_> = keys.into_iter().map(read).collect();
            for (name, one) in names.iter().zip(under_way) {
                all.push(match self.runtime.block_on(one) {
                    Ok(Ok(bytes)) if !bytes.is_empty() => {
                        Some(Stored { version: Version::of(&bytes), bytes: bytes.to_vec() })
                    }
                    // With patience.
                    _ => self.get(name)?,
                });
            }
        }
        Ok(all)
    }

    fn replace(&self, name: &str, version: &Version, bytes: &[u8]) -> io::Result<bool> {
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
        let key = if folder.is_empty() { self.prefix.clone() } else { self.key(folder)? };
        let listed = self.tried(async || self.bucket.list_with_delimiter(Some(&key)).await)?;
        let named = |object: object_store::ObjectMeta| {
            let file = object.location.filename()?;
            let name = if folder.is_empty() { file.into() } else { format!("{folder}/{file}") };
            Some((name, object.e_tag.unwrap_or_else(|| object.last_modified.to_rfc3339())))
        };
        let there = listed.map_err(in_short)?.objects.into_iter().filter(|object| object.size > 0);
        let mut names: Vec<_> =
            there.filter_map(named).filter(|(name, _)| name.starts_with(prefix)).collect();
        names.sort();
        Ok(names)
    }

    fn is_far(&self) -> bool {
        true
    }

    fn scratch(&self, name: &str) -> Option<PathBuf> {
        Some(self.running.path().join(name))
    }

    fn fetch_scratch(&self, name: &str) -> io::Result<()> {
        let folder = self.running.path().join(name);
        if folder.exists() {
            return Ok(());
        }
        let Some(stored) = self.get(&Self::checkpoints(name))? else { return Ok(()) };
        // What was kept checks itself; what cannot be read is not there.
        if tar::Archive::new(&*stored.bytes).unpack(&folder).is_err() {
            fs::remove_dir_all(&folder)?;
        }
        Ok(())
    }

    fn send_scratch(&self, name: &str) -> io::Result<()> {
        let folder = self.running.path().join(name);
        if !folder.exists() {
            return Ok(());
        }
        let mut archive = tar::Builder::new(Vec::new());
        pack(&mut archive, &folder, Path::new(""))?;
        let bytes = archive.into_inner()?;
        let key = self.key(&Self::checkpoints(name))?;
        // The newest is kept, whoever had it.
        self.write(&key, &bytes, PutMode::Overwrite).map(|_| ())
    }

    fn drop_scratch(&self, name: &str) -> io::Result<()> {
        let key = self.key(&Self::checkpoints(name))?;
        match self.tried(async || self.bucket.delete(&key).await)? {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(in_short(error)),
        }
        super::drop_folder(&self.running.path().join(name))
    }

    fn display(&self) -> String {
        self.url.clone()
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

/// The error on one line, without the request and the page that a server may send with it.
fn in_short(error: Error) -> io::Error {
    let kind = match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            ErrorKind::PermissionDenied
        }
        Error::NotFound { .. } => ErrorKind::NotFound,
        _ => ErrorKind::Other,
    };
    let text = error.to_string();
    let of_server =
        text.split_once("<Message>").and_then(|(_, rest)| rest.split_once("</Message>"));
    let text = match of_server {
        Some((message, _)) => message,
        None => text.rsplit_once(" - ").map_or(&*text, |(_, reason)| reason),
    };
    let mut message = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = message.char_indices().nth(300) {
        message.truncate(end);
        message.push('…');
    }
    // Such as "connection refused", which the errors above it do not tell.
    let mut cause = std::error::Error::source(&error);
    while let Some(below) = cause.and_then(std::error::Error::source) {
        cause = Some(below);
    }
    match cause.map(ToString::to_string).filter(|cause| cause.len() < 200) {
        Some(cause) if of_server.is_none() && !message.contains(&cause) => {
            message = format!("{message}: {cause}");
        }
        _ => {}
    }
    io::Error::new(kind, message)
}

#[cfg(test)]
mod tests;
