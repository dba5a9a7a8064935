//! A server of files for one's own computer.

use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use selvedge::cli;

/// The longest head of a request.
const LONGEST: u64 = 16 << 10;

/// Serves the files of a folder until the program is ended.
pub fn serve(folder: &Path, host: IpAddr, port: u16) -> Result<(), Box<dyn Error>> {
    if !folder.join("index.html").is_file() {
        return Err(format!("{} holds no page: leave out --serve-only", folder.display()).into());
    }
    let listener = TcpListener::bind((host, port));
    let listener = listener.map_err(|error| format!("{host}, port {port}: {error}; try --port"))?;
    cli::print(&format!("http://{} (Ctrl-C ends it)\n", listener.local_addr()?))?;
    for stream in listener.incoming() {
        let (Ok(stream), folder) = (stream, folder.to_owned()) else { continue };
        // A browser that goes away in the middle of an answer is no fault of anyone.
        std::thread::spawn(move || drop(answer(stream, &folder)));
    }
    Ok(())
}

fn answer(mut stream: TcpStream, folder: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(60)))?;
    let mut head = BufReader::new(stream.try_clone()?.take(LONGEST)).lines();
    let request = head.next().unwrap_or(Ok(String::new()))?;
    // The rest of the head: a connection that is closed before it is read would be reset.
    for line in head {
        if line?.is_empty() {
            break;
        }
    }
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (status, kind, body) = match (method, file(folder, target)) {
        ("GET" | "HEAD", Some(path)) => ("200 OK", kind(&path), fs::read(&path)?),
        ("GET" | "HEAD", None) => ("404 Not Found", "text/plain", b"no such file\n".to_vec()),
        _ => ("405 Method Not Allowed", "text/plain", b"GET alone\n".to_vec()),
    };
    let length = body.len();
    // Asked for anew each time, so that a page that was built again is the one that is seen.
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Cache-Control: no-cache\r\nConnection: close\r\n\r\n"
    )?;
    if method != "HEAD" {
        stream.write_all(&body)?;
    }
    Ok(())
}

/// The file that a request asks for, if it is one of the folder's.
fn file(folder: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let path = Path::new(if path.is_empty() { "index.html" } else { path });
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    let path = folder.join(path);
    // No link leads out of the folder.
    let real = path.canonicalize().ok()?;
    let stays = real.starts_with(folder.canonicalize().ok()?);
    (inside && stays && real.is_file()).then_some(real)
}

/// The type by the ending: browsers insist on those of scripts.
fn kind(path: &Path) -> &'static str {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("gz") => "application/gzip",
        _ => "application/octet-stream",
    }
}
