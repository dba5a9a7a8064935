//! Layers by their paths.

use crate::{Architecture, ModelError, Shape};

/// What the layer at a path gives, if it is there.
pub(super) fn output_of(architecture: &Architecture, layer: &str) -> Result<Shape, ModelError> {
    let rows = architecture.summary()?.rows;
    let found = rows.iter().find(|row| row.name == layer).map(|row| row.output);
    found.ok_or_else(|| ModelError::UnknownLayer {
        architecture: architecture.name.clone(),
        layer: layer.into(),
        known: rows.into_iter().map(|row| row.name).collect(),
    })
}

/// The path of a layer that is there and gives maps.
pub(super) fn with_maps(architecture: &Architecture, layer: &str) -> Result<String, ModelError> {
    match output_of(architecture, layer)? {
        Shape::Images(_) => Ok(layer.into()),
        Shape::Features(_) => Err(ModelError::Layer {
            architecture: architecture.name.clone(),
            layer: layer.into(),
            reason: "it gives features, not maps".into(),
        }),
    }
}
