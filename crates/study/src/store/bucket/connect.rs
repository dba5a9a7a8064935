//! The way to a bucket: its address, its keys, and what its errors say.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{
    BackoffConfig, ClientConfigKey, Error, ObjectStore, ObjectStoreScheme, RetryConfig,
};
use url::Url;

/// How long an answer about a small object may take.
pub(super) const SMALL: Duration = Duration::from_secs(30);

/// How long an answer about weights and checkpoints may take.
pub(super) const LARGE: Duration = Duration::from_secs(3600);

/// The bucket at an address, and the prefix of all keys.
pub(super) fn connect(address: &str) -> io::Result<(Arc<dyn ObjectStore>, Key)> {
    let no_bucket = |reason: &str| {
        let message = format!(
            "`{address}` is no bucket: {reason} (s3://bucket/prefix, gs://bucket/prefix or az://container/prefix)"
        );
        io::Error::new(ErrorKind::InvalidInput, message)
    };
    let url = Url::parse(address).map_err(|error| no_bucket(&error.to_string()))?;
    // Azure has addresses with a container in this place.
    let has_user = !url.username().is_empty() && !url.scheme().starts_with("abfs");
    if has_user || url.password().is_some() {
        // They are not shown.
        let message = "the keys of a bucket belong into the environment, not into its address";
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    let unknown = || no_bucket("its scheme is unknown");
    let (scheme, prefix) = ObjectStoreScheme::parse(&url).map_err(|_| unknown())?;
    // The library for TLS that downloads use, too. Another one, if the program chose it, is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let retry = RetryConfig {
        backoff: BackoffConfig { max_backoff: Duration::from_secs(3), ..Default::default() },
        max_retries: 5,
        retry_timeout: SMALL / 2,
    };
    // The three have no trait in common.
    macro_rules! built {
        ($builder:ident, $key:ident) => {
            $builder::from_env()
                .with_config(
                    $key::Client(ClientConfigKey::Timeout),
                    format!("{} seconds", LARGE.as_secs()),
                )
                .with_url(address)
                .with_retry(retry)
                .build()
                .map(|bucket| Arc::new(bucket) as _)
        };
    }
    let bucket: Result<Arc<dyn ObjectStore>, Error> = match scheme {
        ObjectStoreScheme::Memory => Ok(Arc::new(InMemory::new())),
        ObjectStoreScheme::AmazonS3 => built!(AmazonS3Builder, AmazonS3ConfigKey),
        ObjectStoreScheme::GoogleCloudStorage => built!(GoogleCloudStorageBuilder, GoogleConfigKey),
        ObjectStoreScheme::MicrosoftAzure => built!(MicrosoftAzureBuilder, AzureConfigKey),
        _ => return Err(unknown()),
    };
    Ok((bucket.map_err(|error| named(address, &error))?, prefix))
}

/// The error with the address of the bucket before it.
pub(super) fn named(address: &str, error: &Error) -> io::Error {
    let error = in_short(error);
    io::Error::new(error.kind(), format!("{address}: {error}"))
}

/// Whether the error may pass: whatever a network does, and a server that has too much to do. What a server says of the
/// request itself stays as it is.
pub(super) fn is_passing(error: &Error) -> bool {
    // The status is in the text alone: the type that holds it is private.
    let text = error.to_string();
    let status = text.split_once("status code: ").and_then(|(_, rest)| rest.get(..3));
    let is_final = |status: &str| {
        status.starts_with(['3', '4']) && !["408", "425", "429"].contains(&status)
            || status == "501"
    };
    matches!(error, Error::Generic { .. }) && !status.is_some_and(is_final)
}

/// The error on one line, without the request and the page that a server may send with it.
pub(super) fn in_short(error: &Error) -> io::Error {
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
    let mut cause = std::error::Error::source(error);
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
