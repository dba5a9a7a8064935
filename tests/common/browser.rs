//! A headless Chromium, driven by the DevTools protocol: keys, clicks and files as a user's, without a driver.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take before a test fails: two cores may have other work.
const PATIENCE: Duration = Duration::from_secs(120);

/// A page in a browser of its own, which ends with it. It finds no host but this computer.
pub struct Page {
    child: Child,
    socket: BufReader<TcpStream>,
    session: Option<String>,
    next: u64,
    /// What the browser has told without being asked.
    pub events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Page {
    /// Opens `url` in a window as wide as that; below 500 pixels it is a telephone's.
    pub fn open(chromium: &str, url: &str, [width, height]: [u32; 2]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new(chromium)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--remote-debugging-port=0"])
            // A camera whose pictures move, and nobody who has to allow it.
            .args(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.ok()?.split_once("ws://")?.1.to_owned()));
        // What it says later is read, so that it never waits for somebody to do so.
        std::thread::spawn(move || lines.for_each(drop));
        let socket = connect(&address.expect("the browser says where it listens"));
        let (events, next, session) = (Vec::new(), 0, None);
        let mut page = Self { child, socket, session, next, events, _profile: profile };
        let target = page.send("Target.createTarget", json!({ "url": "about:blank" }));
        let about = json!({ "targetId": target["targetId"], "flatten": true });
        let session = page.send("Target.attachToTarget", about);
        page.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Network", "Log", "DOM", "Accessibility"] {
            page.send(&format!("{domain}.enable"), json!({}));
        }
        let is_phone = width < 500;
        let screen = json!({ "width": width, "height": height, "mobile": is_phone,
            "deviceScaleFactor": if is_phone { 2 } else { 1 } });
        page.send("Emulation.setDeviceMetricsOverride", screen);
        page.send("Page.navigate", json!({ "url": url }));
        page
    }

    /// What the browser answers to a command of the protocol.
    pub fn send(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        write_text(self.socket.get_mut(), &message.to_string());
        loop {
            let message: Value = serde_json::from_str(&read_text(&mut self.socket)).unwrap();
            if message["id"] == self.next {
                assert!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    /// The value of an expression of JavaScript in the page.
    pub fn js(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let found = self.send("Runtime.evaluate", params);
        assert!(found.get("exceptionDetails").is_none(), "{expression}: {found}");
        found["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn until(&mut self, expression: &str) {
        let start = Instant::now();
        while self.js(expression) != true {
            let text = || "document.body.innerText";
            if start.elapsed() > PATIENCE {
                panic!("{expression} does not come true: {}\n{:?}", self.js(text()), self.faults());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Gives a file to the input that has this id.
    pub fn give_file(&mut self, id: &str, file: &Path) {
        let document = self.send("DOM.getDocument", json!({}));
        let node = json!({ "nodeId": document["root"]["nodeId"], "selector": format!("#{id}") });
        let found = self.send("DOM.querySelector", node);
        let files = json!({ "files": [file], "nodeId": found["nodeId"] });
        self.send("DOM.setFileInputFiles", files);
    }

    /// Presses a key and lets it go; `key` and `code` as in events of the keyboard.
    pub fn key(&mut self, key: &str, code: &str, number: u32) {
        for kind in ["rawKeyDown", "char", "keyUp"] {
            let text = if key == " " { " " } else { "\r" };
            let types = matches!(key, " " | "Enter");
            if kind == "char" && !types {
                continue;
            }
            let mut event = json!({ "type": kind, "key": key, "code": code,
                "windowsVirtualKeyCode": number });
            if kind == "char" {
                event["text"] = text.into();
            }
            self.send("Input.dispatchKeyEvent", event);
        }
    }

    /// Draws with the mouse along these points of the window.
    pub fn drag(&mut self, points: &[[f64; 2]]) {
        let mut mouse = |kind: &str, [x, y]: [f64; 2], buttons: u32| {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left",
                "buttons": buttons, "clickCount": 1 });
            self.send("Input.dispatchMouseEvent", event);
        };
        mouse("mousePressed", points[0], 1);
        points[1..].iter().for_each(|point| mouse("mouseMoved", *point, 1));
        mouse("mouseReleased", points[points.len() - 1], 0);
    }

    /// What went wrong in the page.
    pub fn faults(&self) -> Vec<&Value> {
        let is_fault = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            Some("Runtime.consoleAPICalled") => event["params"]["type"] == "error",
            _ => false,
        };
        self.events.iter().filter(is_fault).collect()
    }

    /// The addresses that the page has asked for.
    pub fn requests(&self) -> Vec<&str> {
        let sent =
            self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        sent.filter_map(|event| event["params"]["request"]["url"].as_str()).collect()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection by the protocol of WebSocket (RFC 6455).
fn connect(address: &str) -> BufReader<TcpStream> {
    let (host, path) = address.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    .unwrap();
    let mut socket = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        socket.read_line(&mut line).unwrap();
    }
    socket
}

/// A frame of text, under a mask of zeros.
fn write_text(stream: &mut TcpStream, text: &str) {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    stream.write_all(&frame).unwrap();
}

/// The next text, of one frame or several.
fn read_text(socket: &mut impl Read) -> String {
    let mut text = Vec::new();
    loop {
        let mut bytes = |count: usize| {
            let mut read = vec![0; count];
            socket.read_exact(&mut read).expect("the browser answers");
            read
        };
        let head = bytes(2);
        let length = match head[1] & 0x7f {
            126 => bytes(2),
            127 => bytes(8),
            short => vec![short],
        };
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let content = bytes(length);
        // Text, or the rest of one; others are questions whether somebody is there.
        if matches!(head[0] & 0x0f, 0 | 1) {
            text.extend(content);
            if head[0] & 0x80 != 0 {
                return String::from_utf8(text).unwrap();
            }
        }
    }
}
