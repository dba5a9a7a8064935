//! Layers by their paths.

use crate::{Architecture, ModelError, Shape};

/// The path of a layer that is there and gives maps.
pub(super) fn with_maps(architecture: &Architecture, layer: &str) -> Result<String, ModelError> {
    match architecture.output_of(layer)? {
        Shape::Images(_) => Ok(layer.into()),
        Shape::Features(_) => Err(ModelError::Layer {
            architecture: architecture.name.clone(),
            layer: layer.into(),
            reason: "it gives features, not maps".into(),
        }),
    }
}
