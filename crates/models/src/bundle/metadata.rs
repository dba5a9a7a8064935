//! The texts that make a file of weights a bundle.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::printable;

use super::{Bundle, ImageResize, limits, predict};
use crate::weights::for_pytorch;
use crate::{Architecture, ModelError};

/// The version of the texts.
const VERSION: &str = "1";

/// What a file is that has no such texts, and what to do with it.
pub(super) const NO_BUNDLE: &str = "weights alone, without architecture, classes and normalization: \
     read it with `Network::load`, and make a bundle of that with `Bundle::from_parts`";

/// The keys of the texts.
const BUNDLE: &str = "bundle";
const SELVEDGE: &str = "selvedge";
const ARCHITECTURE: &str = "architecture";
const CLASSES: &str = "classes";
const NORMALIZATION: &str = "normalization";
const RESIZE: &str = "resize";

/// How pixels become values.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Normalization {
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
}

/// What the texts of a file describe.
pub(super) struct Described {
    pub architecture: Architecture,
    pub classes: Vec<String>,
    pub normalization: Normalization,
    pub resize: Option<ImageResize>,
}

impl Bundle {
    /// The texts of the file, once the parts are known to fit each other.
    pub(super) fn metadata(&self) -> Result<BTreeMap<String, String>, ModelError> {
        self.check()?;
        let normalization = Normalization { mean: self.mean.clone(), std: self.std.clone() };
        let json = |value: Result<String, serde_json::Error>| {
            value.map_err(|error| ModelError::Setting {
                name: "a part of the bundle",
                value: error.to_string(),
                expected: "writable as JSON".into(),
            })
        };
        let texts = [
            (BUNDLE, VERSION.into()),
            (SELVEDGE, env!("CARGO_PKG_VERSION").into()),
            (ARCHITECTURE, json(serde_json::to_string(self.network.architecture()))?),
            (CLASSES, json(serde_json::to_string(&self.classes))?),
            (NORMALIZATION, json(serde_json::to_string(&normalization))?),
        ];
        let mut metadata = for_pytorch();
        metadata.extend(texts.map(|(key, text)| (key.to_string(), text)));
        if let Some(resize) = &self.resize {
            metadata.insert(RESIZE.into(), json(serde_json::to_string(resize))?);
        }
        Ok(metadata)
    }
}

/// Reads the texts of a file and checks that they fit each other.
pub(super) fn read(metadata: &BTreeMap<String, String>) -> Result<Described, String> {
    match metadata.get(BUNDLE).map(String::as_str) {
        Some(VERSION) => {}
        Some(other) => {
            let reason = "of another version of selvedge";
            return Err(format!("a bundle of version {other}, not {VERSION}: {reason}"));
        }
        None => return Err(format!("a file of safetensors, {NO_BUNDLE}")),
    }
    let architecture: Architecture = parsed(metadata, ARCHITECTURE)?;
    let classes: Vec<String> = parsed(metadata, CLASSES)?;
    let normalization: Normalization = parsed(metadata, NORMALIZATION)?;
    // Bundles of before it was kept have none, and are of the same version.
    let resize: Option<ImageResize> = match metadata.contains_key(RESIZE) {
        true => Some(parsed(metadata, RESIZE)?),
        false => None,
    };
    limits::check(&architecture)?;
    let Normalization { mean, std } = &normalization;
    let fits = check(&architecture, &classes, [&mean[..], &std[..]], resize);
    fits.map_err(|error| error.to_string())?;
    Ok(Described { architecture, classes, normalization, resize })
}

/// The value of which a text is the JSON.
fn parsed<'a, T: Deserialize<'a>>(
    metadata: &'a BTreeMap<String, String>,
    key: &str,
) -> Result<T, String> {
    let text = metadata.get(key).ok_or_else(|| format!("a bundle without `{key}`"))?;
    serde_json::from_str(text).map_err(|error| format!("`{key}` of the bundle: {error}"))
}

/// `Ok` if the classes, the mean and standard deviation, and the resize fit the architecture, which must be sound.
pub(super) fn check(
    architecture: &Architecture,
    classes: &[String],
    [mean, std]: [&[f32]; 2],
    resize: Option<ImageResize>,
) -> Result<(), ModelError> {
    check_classes(architecture, classes)?;
    resize.map_or(Ok(()), |resize| resize.check(architecture.input))?;
    predict::affine(mean, std, architecture.input[0]).map(drop)
}

/// `Ok` if there are as many classes as outputs, and their names can be shown. The architecture must be sound.
fn check_classes(architecture: &Architecture, classes: &[String]) -> Result<(), ModelError> {
    if let Some(name) = classes.iter().find(|name| printable(name) != **name) {
        return Err(ModelError::Setting {
            name: "name of a class",
            value: format!("`{}`", printable(name)),
            expected: "without control characters".into(),
        });
    }
    let outputs = architecture.output_shape()?.size();
    match classes.len() == outputs {
        true => Ok(()),
        false => Err(ModelError::Setting {
            name: "number of classes",
            value: classes.len().to_string(),
            expected: format!("{outputs}, one an output of the network").into(),
        }),
    }
}
