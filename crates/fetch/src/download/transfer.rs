use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use selvedge_files::NewFile;
use ureq::http::{Response, StatusCode, header};
use ureq::typestate::WithoutBody;
use ureq::{Agent, RequestBuilder};

use super::display::Display;
use crate::source::Interrupt;
use crate::{RemoteFile, Source};

/// The longest that one attempt may take, however steadily the data trickles, beside a second for each of
/// `BYTES_PER_SECOND`.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// A host that is slower than this is given up in the end.
const BYTES_PER_SECOND: u64 = 100_000;

/// A file may be this many bytes larger than its content, as a compressed one can be, and no more.
const OVERHEAD: u64 = 1 << 16;

/// How often it is asked whether to stop.
const TICK: Duration = Duration::from_millis(100);

/// Pieces that wait for being written.
const PIECES: usize = 4;

/// Why an attempt failed.
pub(super) enum Failure {
    /// May go away: time-out, broken connection, busy host.
    Passing(String),
    /// Will stay: no such host, no such file.
    Lasting(String),
    /// Not the host's fault: the temporary file cannot be written.
    Local(io::Error),
    /// It was asked to stop.
    Interrupted,
}

/// What the thread that talks to the host has to say, in this order.
enum Event {
    /// The answer without its content.
    Answer(Response<()>, Option<u64>),
    /// The next part of its content.
    Bytes(Vec<u8>),
    /// All of it has come.
    End,
    /// Nothing more will come.
    Failed(Failure),
}

/// One file's transfer from one host into a temporary file, over one or more attempts.
pub(super) struct Transfer {
    url: String,
    part: NewFile,
    /// Bytes in the temporary file.
    received: u64,
    /// Most bytes to accept.
    limit: u64,
    /// The host's name for this version of the file.
    etag: Option<String>,
    resumed: bool,
    agent: Agent,
    timeout: Duration,
    display: Display,
}

impl Transfer {
    pub(super) fn new(url: String, file: &RemoteFile, part: NewFile, options: &Source) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("selvedge/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(options.timeout))
            .timeout_connect(Some(options.timeout))
            .timeout_recv_response(Some(options.timeout))
            .timeout_per_read(Some(options.timeout))
            .timeout_global(Some(LONGEST + Duration::from_secs(file.bytes / BYTES_PER_SECOND)));
        // A proxy cannot reach this machine by that name.
        if is_loopback(&url) {
            config = config.proxy(None);
        }
        let display = Display::new(super::label(file), &url);
        Self {
            url,
            part,
            received: 0,
            limit: file.bytes + OVERHEAD,
            etag: None,
            resumed: false,
            agent: config.build().into(),
            timeout: options.timeout,
            display,
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn path(&self) -> &Path {
        self.part.path()
    }

    pub(super) fn display(&mut self) -> &mut Display {
        &mut self.display
    }

    /// Whether the temporary file was put together from several answers.
    pub(super) fn resumed(&self) -> bool {
        self.resumed
    }

    pub(super) fn into_part(self) -> NewFile {
        self.part
    }

    /// Forgets what was received.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.part.as_file().set_len(0)?;
        self.part.as_file().rewind()?;
        self.received = 0;
        self.resumed = false;
        self.etag = None;
        Ok(())
    }

    /// Asks for what is missing and appends it; if the host cannot continue, for everything.
    ///
    /// A thread of its own waits for the host, so that this one need not: it asks whether to stop. A
    /// thread that is left behind ends with its time-out.
    pub(super) fn attempt(&mut self, interrupt: &Interrupt) -> Result<(), Failure> {
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
        let (sender, events) = sync_channel(PIECES);
        let timeout = self.timeout;
        std::thread::Builder::new()
            .name("download".into())
            .spawn(move || talk(request, &sender, timeout))
            .map_err(Failure::Local)?;
        let (answer, length) = loop {
            match self.next(&events, interrupt)? {
                Event::Answer(answer, length) => break (answer, length),
                Event::Failed(failure) => return Err(failure),
                Event::Bytes(_) | Event::End => {}
            }
        };
        let status = answer.status();
        match status {
            StatusCode::OK => self.restart().map_err(Failure::Local)?,
            StatusCode::PARTIAL_CONTENT if continues_at(&answer, self.received) => {
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
        self.etag = strong_etag(&answer);
        self.display.length(length.map(|length| self.received.saturating_add(length)));
        self.receive(&events, interrupt)
    }

    fn receive(&mut self, events: &Receiver<Event>, interrupt: &Interrupt) -> Result<(), Failure> {
        loop {
            let bytes = match self.next(events, interrupt)? {
                Event::Bytes(bytes) => bytes,
                Event::End => return Ok(()),
                Event::Failed(failure) => return Err(failure),
                Event::Answer(..) => continue,
            };
            if self.received + bytes.len() as u64 > self.limit {
                return Err(Failure::Lasting(format!(
                    "expected at most {} bytes, found more",
                    self.limit
                )));
            }
            self.part.write_all(&bytes).map_err(Failure::Local)?;
            self.received += bytes.len() as u64;
            self.display.received(self.received);
        }
    }

    /// Waits for the next event, as long as it is not asked to stop.
    fn next(&mut self, events: &Receiver<Event>, interrupt: &Interrupt) -> Result<Event, Failure> {
        loop {
            if interrupt.is_requested() {
                return Err(Failure::Interrupted);
            }
            match events.recv_timeout(TICK) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Timeout) => self.display.waiting(),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::Passing("the transfer broke off".into()));
                }
            }
        }
    }
}

/// Tells what the host answers, as long as anybody listens.
fn talk(request: RequestBuilder<WithoutBody>, events: &SyncSender<Event>, timeout: Duration) {
    let tell = |event| events.send(event).is_ok();
    let (parts, body) = match request.call() {
        Ok(response) => response.into_parts(),
        Err(error) => {
            tell(Event::Failed(failure(&error, timeout)));
            return;
        }
    };
    let length = body.content_length();
    if !tell(Event::Answer(Response::from_parts(parts, ()), length)) {
        return;
    }
    let mut body = body.into_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let event = match body.read(&mut buffer) {
            Ok(0) => Event::End,
            Ok(count) => Event::Bytes(buffer[..count].to_vec()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                Event::Failed(Failure::Passing(silent(timeout)))
            }
            Err(e) => Event::Failed(Failure::Passing(format!("the transfer broke off: {e}"))),
        };
        let goes_on = matches!(event, Event::Bytes(_));
        if !tell(event) || !goes_on {
            return;
        }
    }
}

fn silent(timeout: Duration) -> String {
    format!("timeout: the host was silent for {} s", timeout.as_secs_f64())
}

fn failure(error: &ureq::Error, timeout: Duration) -> Failure {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused};
    let reason = error.to_string();
    match error {
        ureq::Error::Timeout(_) => Failure::Passing(silent(timeout)),
        ureq::Error::Protocol(_) => Failure::Passing(reason),
        ureq::Error::Io(e) if !matches!(e.kind(), ConnectionRefused | AddrNotAvailable) => {
            Failure::Passing(reason)
        }
        _ => Failure::Lasting(reason),
    }
}

/// Whether a partial answer begins where the last one ended.
fn continues_at(response: &Response<()>, position: u64) -> bool {
    response
        .headers()
        .get(header::CONTENT_RANGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("bytes "))
        .and_then(|range| range.split('-').next())
        .is_some_and(|start| start.trim() == position.to_string())
}

/// The entity tag, unless it is a weak one, which does not promise equal bytes.
fn strong_etag(response: &Response<()>) -> Option<String> {
    let etag = response.headers().get(header::ETAG)?.to_str().ok()?;
    etag.starts_with('"').then(|| etag.to_owned())
}

fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).to_ascii_lowercase();
    ["localhost", "127.", "[::1]"].iter().any(|name| host.starts_with(name))
}
