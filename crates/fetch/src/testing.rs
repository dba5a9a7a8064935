//! For tests: an HTTP server on this machine, which answers as it is told, also wrongly; and small archives.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc};

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The path without its leading `/`.
    pub file: String,
    /// The first byte asked for, if not the whole file is.
    pub from: Option<usize>,
    /// The version on which a partial answer depends.
    pub if_range: Option<String>,
}

/// What the server sends before it closes the connection.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    status: String,
    headers: Vec<String>,
    body: Vec<u8>,
    /// Bytes of the body really sent.
    sent: usize,
    announced: bool,
    delay: Duration,
    stalls: bool,
}

impl Reply {
    /// This status, and no body.
    pub fn status(status: &str) -> Self {
        Self { status: status.to_owned(), announced: true, ..Self::default() }
    }

    /// The whole file.
    pub fn whole(body: &[u8]) -> Self {
        Self { body: body.to_vec(), sent: body.len(), ..Self::status("200 OK") }
    }

    /// What was asked for, if only a part of the file, then that part.
    pub fn ranged(body: &[u8], request: &Request) -> Self {
        match request.from {
            None => Self::whole(body),
            Some(from) if from >= body.len() => Self::status("416 Range Not Satisfiable"),
            Some(from) => Self {
                headers: vec![format!(
                    "Content-Range: bytes {from}-{}/{}",
                    body.len() - 1,
                    body.len()
                )],
                status: "206 Partial Content".to_owned(),
                ..Self::whole(&body[from..])
            },
        }
    }

    /// Breaks the connection off after this many bytes of the body.
    pub fn cut_off_after(mut self, bytes: usize) -> Self {
        self.sent = bytes.min(self.body.len());
        self
    }

    /// Sends so many bytes of the body, then nothing, but stays.
    pub fn stalled_after(self, bytes: usize) -> Self {
        Self { stalls: true, ..self.cut_off_after(bytes) }
    }

    /// Does not say how long the body is: its end is the connection's.
    pub fn without_length(mut self) -> Self {
        self.announced = false;
        self
    }

    /// With this line among the headers.
    pub fn with_header(mut self, header: &str) -> Self {
        self.headers.push(header.to_owned());
        self
    }

    /// Stays silent for a time before answering.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        std::thread::sleep(self.delay);
        let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\n", self.status);
        for header in &self.headers {
            head += &format!("{header}\r\n");
        }
        if self.announced {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        stream.write_all(&self.body[..self.sent])?;
        if self.stalls {
            loop {
                std::thread::park();
            }
        }
        Ok(())
    }
}

/// A server on a port of its own.
pub struct Server {
    /// Its address.
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by `reply`, which also gets the number of earlier requests for the
    /// same file. The server lives as long as the test process.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub fn start(reply: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::<Request>::new()));
        let log = requests.clone();
        let reply = Arc::new(reply);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, reply) = (log.clone(), reply.clone());
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let Some(request) = read_request(&stream) else {
                        return;
                    };
                    let earlier = {
                        let mut log = log.lock().unwrap();
                        let earlier = log.iter().filter(|r| r.file == request.file).count();
                        log.push(request.clone());
                        earlier
                    };
                    // A client that went away is part of some tests.
                    let _ = reply(&request, earlier).send(&mut stream);
                });
            }
        });
        Self { url, requests }
    }

    /// What it was asked for so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let file = lines.next()?.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    let (mut from, mut if_range) = (None, None);
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "range" => from = value.strip_prefix("bytes=")?.trim_end_matches('-').parse().ok(),
            "if-range" => if_range = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(Request { file, from, if_range })
}

/// A zip archive of these members, the even ones stored and the odd ones compressed by deflate.
///
/// # Panics
///
/// If a member has more than 4 GiB.
pub fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (index, (name, content)) in members.iter().enumerate() {
        let mut crc = Crc::new();
        crc.update(content);
        let (method, packed) = match index % 2 {
            0 => (0u16, content.to_vec()),
            _ => (8, deflated(content)),
        };
        let size = |bytes: usize| u32::try_from(bytes).unwrap().to_le_bytes();
        // Version, flags, method, time, date.
        let mut entry = vec![20, 0, 0, 0];
        entry.extend(method.to_le_bytes());
        entry.extend([0; 4]);
        entry.extend(crc.sum().to_le_bytes());
        entry.extend(size(packed.len()));
        entry.extend(size(content.len()));
        entry.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        entry.extend([0; 2]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&entry);
        // Comment, disk, attributes, then where the member is.
        directory.extend([0; 10]);
        directory.extend(size(archive.len()));
        directory.extend(name.as_bytes());
        archive.extend(b"PK\x03\x04");
        archive.extend(&entry);
        archive.extend(name.as_bytes());
        archive.extend(packed);
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let start = u32::try_from(archive.len()).unwrap().to_le_bytes();
    let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([count, count].concat());
    archive.extend([length, start].concat());
    archive.extend([0; 2]);
    archive
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

/// A tar archive of these members, compressed by gzip.
///
/// # Panics
///
/// If a name is too long for its header.
pub fn tar_gz(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *content).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}
