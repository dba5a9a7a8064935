use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tempfile::NamedTempFile;
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use crate::Source;
use crate::published::PublishedFile;

/// The longest that one attempt may take, however steadily the data trickles.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// A compressed file may be this many bytes larger than its content, and no more.
const OVERHEAD: u64 = 1 << 16;

/// Why an attempt failed.
pub(super) enum Failure {
    /// May go away: time-out, broken connection, busy host.
    Passing(String),
    /// Will stay: no such host, no such file.
    Lasting(String),
    /// Not the host's fault: the temporary file cannot be written.
    Local(io::Error),
}

/// One file's transfer from one host into a temporary file, over one or more attempts.
pub(super) struct Transfer {
    url: String,
    part: NamedTempFile,
    /// Bytes in the temporary file.
    received: u64,
    /// Most bytes to accept.
    limit: u64,
    /// The host's name for this version of the file.
    etag: Option<String>,
    resumed: bool,
    agent: Agent,
    bar: Bar,
}

impl Transfer {
    pub(super) fn new(
        url: String,
        file: &PublishedFile,
        part: NamedTempFile,
        options: &Source,
    ) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("selvedge-data/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(options.timeout))
            .timeout_connect(Some(options.timeout))
            .timeout_recv_response(Some(options.timeout))
            .timeout_per_read(Some(options.timeout))
            .timeout_global(Some(LONGEST));
        // A proxy cannot reach this machine by that name.
        if is_loopback(&url) {
            config = config.proxy(None);
        }
        // Hidden where standard error is not a terminal.
        let bar = ProgressBar::no_length().with_message(file.name);
        if let Ok(style) = ProgressStyle::with_template(
            "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        ) {
            bar.set_style(style);
        }
        Self {
            url,
            part,
            received: 0,
            limit: file.bytes + OVERHEAD,
            etag: None,
            resumed: false,
            agent: config.build().into(),
            bar: Bar(bar),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn path(&self) -> &Path {
        self.part.path()
    }

    /// Whether the temporary file was put together from several answers.
    pub(super) fn resumed(&self) -> bool {
        self.resumed
    }

    pub(super) fn into_part(self) -> NamedTempFile {
        self.part
    }

    /// Forgets what was received.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.part.as_file_mut().set_len(0)?;
        self.part.as_file_mut().seek(SeekFrom::Start(0))?;
        self.received = 0;
        self.resumed = false;
        self.etag = None;
        Ok(())
    }

    /// Asks for what is missing and appends it; if the host cannot continue, for everything.
    pub(super) fn attempt(&mut self) -> Result<(), Failure> {
        if !cfg!(feature = "https") && self.url.to_ascii_lowercase().starts_with("https:") {
            let reason = "https needs the feature `https`, which is not compiled in";
            return Err(Failure::Lasting(reason.to_owned()));
        }
        let mut request = self.agent.get(&self.url);
        if self.received > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", self.received));
            if let Some(etag) = &self.etag {
                request = request.header(header::IF_RANGE, etag);
            }
        }
        let response = request.call().map_err(|e| failure(&e))?;
        let status = response.status();
        match status {
            StatusCode::OK => self.restart().map_err(Failure::Local)?,
            StatusCode::PARTIAL_CONTENT if continues_at(&response, self.received) => {
                self.resumed = true;
            }
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                self.restart().map_err(Failure::Local)?;
                return Err(Failure::Passing(format!(
                    "the host cannot continue the transfer (HTTP status {status})"
                )));
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                return Err(Failure::Passing(format!("HTTP status {status}")));
            }
            _ if status.is_server_error() => {
                return Err(Failure::Passing(format!("HTTP status {status}")));
            }
            _ => return Err(Failure::Lasting(format!("HTTP status {status}"))),
        }
        self.etag = strong_etag(&response);
        self.receive(response.into_body())
    }

    fn receive(&mut self, body: Body) -> Result<(), Failure> {
        if let Some(length) = body.content_length() {
            self.bar.0.set_length(self.received.saturating_add(length));
        }
        self.bar.0.set_position(self.received);
        let mut body = body.into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Failure::Passing(format!("the transfer broke off: {e}"))),
            };
            if self.received + count as u64 > self.limit {
                return Err(Failure::Lasting(format!(
                    "expected at most {} bytes, found more",
                    self.limit
                )));
            }
            self.part.write_all(&buffer[..count]).map_err(Failure::Local)?;
            self.received += count as u64;
            self.bar.0.set_position(self.received);
        }
    }
}

/// A progress bar that leaves the terminal as it was, also after an error.
struct Bar(ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn failure(error: &ureq::Error) -> Failure {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused};
    let reason = error.to_string();
    match error {
        ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => Failure::Passing(reason),
        ureq::Error::Io(e) if !matches!(e.kind(), ConnectionRefused | AddrNotAvailable) => {
            Failure::Passing(reason)
        }
        _ => Failure::Lasting(reason),
    }
}

/// Whether a partial answer begins where the last one ended.
fn continues_at(response: &Response<Body>, position: u64) -> bool {
    response
        .headers()
        .get(header::CONTENT_RANGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("bytes "))
        .and_then(|range| range.split('-').next())
        .is_some_and(|start| start.trim() == position.to_string())
}

/// The entity tag, unless it is a weak one, which does not promise equal bytes.
fn strong_etag(response: &Response<Body>) -> Option<String> {
    let etag = response.headers().get(header::ETAG)?.to_str().ok()?;
    etag.starts_with('"').then(|| etag.to_owned())
}

fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).to_ascii_lowercase();
    ["localhost", "127.", "[::1]"].iter().any(|name| host.starts_with(name))
}
