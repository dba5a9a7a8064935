//! Small files whose numbers come back to the last bit and whose damage is noticed.
//!
//! They are TOML, which every f64 goes into and comes out of unchanged (`serde_json` reads some of them a
//! bit off), below a line with the SHA-256 of the rest: a file that was cut off within a number is TOML, too.

use std::io::{self, ErrorKind};
use std::path::Path;

use selvedge_files::sha256;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What the first line begins with.
const HASH: &str = "# sha256 of the rest: ";

/// Writes `value`, replacing an older file once the new one is whole.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    selvedge_files::write(path, to_text(value)?)
}

/// What [`write`] writes.
pub(crate) fn to_text(value: &impl Serialize) -> io::Result<String> {
    let body = toml::to_string(value).map_err(io::Error::other)?;
    Ok(format!("{HASH}{}\n{body}", sha256(body.as_bytes())))
}

/// Reads what [`write`] wrote; `None` if there is nothing.
///
/// # Errors
///
/// If the file cannot be read or is not what was written.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    of_text(&text).map(Some)
}

/// Reads what [`to_text`] made.
///
/// # Errors
///
/// If it is something else.
pub(crate) fn of_text<T: DeserializeOwned>(text: &str) -> io::Result<T> {
    let damaged = || io::Error::new(ErrorKind::InvalidData, "it is damaged");
    let (first, body) = text.split_once('\n').ok_or_else(damaged)?;
    if first.strip_prefix(HASH) != Some(&sha256(body.as_bytes())) {
        return Err(damaged());
    }
    toml::from_str(body).map_err(|_| damaged())
}

#[cfg(test)]
mod tests {
    use selvedge_data::SplitMix64;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Figures {
        values: Vec<f64>,
        name: String,
    }

    #[test]
    fn every_number_comes_back_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.toml");
        let mut rng = SplitMix64::new(1);
        // All exponents, numbers below 1 as they are measured, and those that formats get wrong.
        let mut values: Vec<f64> = (0..5000).map(|_| f64::from_bits(rng.next_u64())).collect();
        values.extend((0..5000).map(|_| rng.unit()));
        values.extend([
            0.0,
            -0.0,
            5e-324,
            f64::MAX,
            f64::MIN_POSITIVE,
            0.1,
            1e23,
            2.0_f64.powi(53),
        ]);
        values.extend([f64::INFINITY, f64::NEG_INFINITY]);
        values.retain(|value| !value.is_nan());
        let figures = Figures { values, name: "line\nbreak".into() };
        write(&path, &figures).unwrap();
        let again: Figures = read(&path).unwrap().unwrap();
        let bits = |f: &Figures| f.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&again), bits(&figures));
        assert_eq!(again.name, figures.name);
    }

    #[test]
    fn a_file_that_was_cut_off_or_changed_anywhere_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.toml");
        assert!(read::<Figures>(&path).unwrap().is_none());
        write(&path, &Figures { values: vec![0.8765], name: "x".into() }).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(read::<Figures>(&path).is_err(), "cut off after {length} bytes");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert!(read::<Figures>(&path).is_err(), "byte {at} changed");
        }
    }
}
