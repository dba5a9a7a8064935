//! A store of the tests, which is watched.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::store::{FolderStore, Stamp, Store, Stored, Version};

/// A folder that notes what it is asked and given, and fails from some trial on.
pub(super) struct Watched {
    pub inner: FolderStore,
    notes: Mutex<Vec<String>>,
    most: AtomicUsize,
    is_far: bool,
}

impl Watched {
    /// One that takes so many trials.
    pub fn new(folder: &Path, most: usize) -> Arc<Self> {
        let (inner, most) = (FolderStore::open(folder).unwrap(), AtomicUsize::new(most));
        Arc::new(Self { inner, notes: Mutex::default(), most, is_far: false })
    }

    /// One that says that it is far away.
    pub fn far(folder: &Path) -> Arc<Self> {
        let mut far = Self::new(folder, usize::MAX);
        Arc::get_mut(&mut far).expect("nobody else has it yet").is_far = true;
        far
    }

    /// How many trials were put.
    pub fn trials(&self) -> usize {
        let notes = self.notes.lock().unwrap();
        notes.iter().filter(|note| note.starts_with("put trials/")).count()
    }

    /// How often it was asked for what begins so, since the last time.
    pub fn asked(&self, what: &str) -> usize {
        let mut notes = self.notes.lock().unwrap();
        let count = notes.iter().filter(|note| note.starts_with(what)).count();
        notes.retain(|note| !note.starts_with(what));
        count
    }

    fn note(&self, what: &str, name: &str) {
        self.notes.lock().unwrap().push(format!("{what} {name}"));
    }
}

impl Store for Watched {
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        if name.starts_with("trials/") {
            let spent =
                self.most.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            spent.map_err(|_| {
                io::Error::new(io::ErrorKind::StorageFull, "no space left on device")
            })?;
        }
        self.note("put", name);
        self.inner.put(name, bytes)
    }

    fn get(&self, name: &str) -> io::Result<Option<Stored>> {
        self.note("get", name);
        self.inner.get(name)
    }

    fn replace(&self, name: &str, version: &Version, bytes: &[u8]) -> io::Result<bool> {
        self.inner.replace(name, version, bytes)
    }

    fn remove(&self, name: &str, version: &Version) -> io::Result<bool> {
        self.inner.remove(name, version)
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        self.note("list", prefix);
        self.inner.list(prefix)
    }

    fn list_stamped(&self, prefix: &str) -> io::Result<Vec<(String, Stamp)>> {
        self.note("list", prefix);
        self.inner.list_stamped(prefix)
    }

    fn is_far(&self) -> bool {
        self.is_far
    }

    fn scratch(&self, name: &str) -> Option<PathBuf> {
        self.inner.scratch(name)
    }

    fn display(&self) -> String {
        self.inner.display()
    }
}
