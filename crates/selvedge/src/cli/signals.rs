//! Signals that ask a program to end.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use selvedge_train::{Progress, Stop};

/// The number of Ctrl-C, on Windows too.
const INTERRUPT: i32 = 2;

/// What the signals request, of this process.
static STOP: OnceLock<Stop> = OnceLock::new();

/// The first signal that came, or 0.
static FIRST: AtomicI32 = AtomicI32::new(0);

/// Lets Ctrl-C, and on Unix SIGTERM and SIGHUP, request a stop, and say so; the next one ends the program.
///
/// What this process was started to ignore it goes on ignoring: SIGHUP under `nohup`, Ctrl-C in the
/// background of a script.
pub(super) fn catch() -> io::Result<Stop> {
    let stop = stop();
    // Once for all that ask.
    static CAUGHT: OnceLock<Result<(), String>> = OnceLock::new();
    let caught = CAUGHT.get_or_init(|| system::catch().map_err(|error| error.to_string()));
    caught.clone().map_err(io::Error::other)?;
    Ok(stop)
}

/// What the signals request.
pub(super) fn stop() -> Stop {
    STOP.get_or_init(Stop::default).clone()
}

/// The exit status of a program that stopped because it was asked to: 128 and the signal's number, as in
/// a shell. That of Ctrl-C if there was no signal.
pub(super) fn status() -> u8 {
    let signal = match FIRST.load(Ordering::Relaxed) {
        0 => INTERRUPT,
        signal => signal,
    };
    128 + signal as u8
}

/// Requests the stop for the first signal that comes; false for any other.
fn is_first(signal: i32) -> bool {
    let first = FIRST.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    if let Some(stop) = STOP.get().filter(|_| first) {
        stop.request();
    }
    first
}

/// Says what happens now. Nobody may be reading it.
fn announce(signal: i32) {
    let how = match signal {
        INTERRUPT => "press Ctrl-C again",
        _ => "a second signal is there",
    };
    Progress::message(&format!("\nstopping after this batch; {how} to end at once"));
}

#[cfg(unix)]
mod system {
    use std::io::{self, Read};
    use std::os::fd::IntoRawFd;

    use super::*;

    const SIGNALS: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

    /// Where the handler writes the signal's number for the thread that speaks.
    static TO_SPEAKER: AtomicI32 = AtomicI32::new(-1);

    pub fn catch() -> io::Result<()> {
        let (mut signals, to_speaker) = io::pipe()?;
        // A handler may not speak: it may have interrupted whoever is speaking.
        let speak = move || {
            let mut signal = [0];
            while signals.read_exact(&mut signal).is_ok() {
                announce(signal[0].into());
            }
        };
        let started = std::thread::Builder::new().name("signals".into()).spawn(speak);
        started.map_err(|e| io::Error::new(e.kind(), format!("cannot start a thread: {e}")))?;
        TO_SPEAKER.store(to_speaker.into_raw_fd(), Ordering::Relaxed);
        SIGNALS.iter().filter(|signal| !is_ignored(**signal)).try_for_each(|&signal| handle(signal))
    }

    fn is_ignored(signal: i32) -> bool {
        // SAFETY: zeros are a value of this plain structure; with no new action given, the call only
        // writes the present one to it.
        let present = unsafe {
            let mut present: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut present);
            present
        };
        present.sa_sigaction == libc::SIG_IGN
    }

    fn handle(signal: i32) -> io::Result<()> {
        let handler: extern "C" fn(i32) = on_signal;
        // SAFETY: zeros are a value of this plain structure, with an empty mask; the handler does only
        // what one may.
        let result = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as usize;
            // What a signal interrupts goes on.
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &action, std::ptr::null_mut())
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Of what it calls, the atomic operations are free of locks, and `_exit` and `write` are on POSIX's list
    /// of functions for handlers.
    extern "C" fn on_signal(signal: i32) {
        if !is_first(signal) {
            // Even if a thread hangs. What is unfinished on the disk, the next run clears away.
            // SAFETY: it ends the process.
            unsafe { libc::_exit(128 + signal) }
        }
        let byte = signal as u8;
        // SAFETY: the pipe stays open for as long as the process lives, and the byte is one. It leaves
        // `errno` alone, since there is place in the pipe for the one byte.
        unsafe { libc::write(TO_SPEAKER.load(Ordering::Relaxed), (&raw const byte).cast(), 1) };
    }
}

#[cfg(not(unix))]
mod system {
    use super::*;

    pub fn catch() -> io::Result<()> {
        let caught = ctrlc::set_handler(|| match is_first(INTERRUPT) {
            true => announce(INTERRUPT),
            false => std::process::exit(128 + INTERRUPT),
        });
        caught.map_err(io::Error::other)
    }
}
