//! Where studies keep their trials.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use selvedge_study::store::{FolderStore, Store};

/// Argument of programs that keep finished trials.
#[derive(Clone, Debug, clap::Args)]
pub struct StoreArgs {
    /// Folder of the finished trials of all studies, or a bucket: s3://bucket/prefix, gs://… or az://…
    #[arg(long, value_name = "PLACE", default_value = "runs/store")]
    pub store: PathBuf,
}

impl StoreArgs {
    /// Opens the store: what has a scheme (`s3://bucket/prefix`) is a bucket, for which the feature `bucket` is needed.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made, or the bucket not be read, or `SELVEDGE_OFFLINE` forbids it.
    pub fn open(&self) -> Result<Arc<dyn Store>, Box<dyn Error>> {
        match self.store.to_str().filter(|text| text.contains("://")) {
            Some(address) => bucket(address),
            None => Ok(Arc::new(FolderStore::open(&self.store)?)),
        }
    }
}

#[cfg(feature = "bucket")]
fn bucket(address: &str) -> Result<Arc<dyn Store>, Box<dyn Error>> {
    use selvedge_fetch::Environment;
    if Environment::of_this_process("").offline {
        return Err(format!("{} forbids the bucket {address}", Environment::OFFLINE).into());
    }
    let stop = super::signals::stop();
    let store = selvedge_study::store::BucketStore::open(address)?;
    Ok(Arc::new(store.with_interrupt(move || stop.is_requested())))
}

#[cfg(not(feature = "bucket"))]
fn bucket(address: &str) -> Result<Arc<dyn Store>, Box<dyn Error>> {
    let how = "buckets are left out of this program: build it with --features bucket";
    Err(format!("{address}: {how}").into())
}
