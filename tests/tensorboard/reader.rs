//! Two readers of event files: one of our own, and TensorBoard's.

use std::path::Path;
use std::process::Command;

use prost::Message;
use serde_json::Value;

const SCRIPT: &str = "tests/python/read_events.py";

/// An event as far as it is looked at here, written down a second time on purpose.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    value: f32,
}

/// CRC-32C bit by bit, masked as in a `TFRecord`.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc % 2 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The whole records of a file, up to the first that is cut.
pub fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    while bytes.len() >= 12 {
        let (head, rest) = bytes.split_at(12);
        assert_eq!(number(&head[8..]), checksum(&head[..8]));
        let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
        if rest.len() < length + 4 {
            break;
        }
        let (data, rest) = rest.split_at(length);
        assert_eq!(number(&rest[..4]), checksum(data));
        found.push(data);
        bytes = &rest[4..];
    }
    found
}

/// Steps, tags and values of a file's scalars.
pub fn scalars(file: &[u8]) -> Vec<(i64, String, f32)> {
    let events = records(file).into_iter().map(|data| Event::decode(data).unwrap());
    let scalars = events.flat_map(|Event { step, summary }| {
        let values = summary.map(|summary| summary.value).unwrap_or_default();
        values.into_iter().map(move |scalar| (step, scalar.tag, scalar.value))
    });
    scalars.collect()
}

fn python() -> String {
    std::env::var("PYTHON").unwrap_or("python3".into())
}

/// What TensorBoard reads in `folder`, and its version; `None` where there is none.
pub fn read_with_tensorboard(folder: &Path) -> Option<(Value, String)> {
    let imports = Command::new(python()).args(["-c", "import tensorboard"]).output();
    if !imports.is_ok_and(|output| output.status.success()) {
        println!("{} has no tensorboard: compared with the record alone", python());
        return None;
    }
    let output = Command::new(python())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg(SCRIPT)
        .arg(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(without_version(&output.stdout))
}

pub fn without_version(read: &[u8]) -> (Value, String) {
    let mut read: Value = serde_json::from_slice(read).unwrap();
    let version = read.as_object_mut().unwrap().remove("tensorboard").unwrap();
    (read, version.as_str().unwrap().into())
}
