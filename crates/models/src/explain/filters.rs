//! The filters of convolutions, and what one of them gives in every layer.

use burn::module::Module;
use burn::tensor::Tensor;

use super::subject::{Ready, outputs, plain_device, setting};
use crate::{ModelError, Network, state};

/// The filters of the first convolution, which look at the image itself: the path of the layer, and its weight,
/// `[filters, channels of a group, height, width]`.
///
/// # Errors
///
/// [`ModelError::Outputs`] for a network without convolutions, or whose weight is not finite.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_models::{Cnn, Initialization, explain};
///
/// let network = Cnn::cnn2(5).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
/// let (layer, filters) = explain::first_filters(&network)?;
/// assert_eq!((layer.as_str(), filters.dims()), ("conv1", [20, 1, 3, 3]));
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
pub fn first_filters(network: &Network) -> Result<(String, Tensor<4>), ModelError> {
    let Some((layer, _)) = network.architecture().convolutions().into_iter().next() else {
        return Err(outputs(network, "it has no convolution".into()));
    };
    let weight = format!("{layer}.weight");
    let data = state::read_some(network, |name| name == weight).remove(&weight);
    let data = data.expect("a convolution has a weight");
    if !data.iter::<f32>().all(f32::is_finite) {
        return Err(outputs(network, format!("`{weight}` has values that are NaN or infinite")));
    }
    Ok((layer, Tensor::from_data(data, &plain_device(network))))
}

/// The maps of one filter, counted from 0, through every convolution: the path of the layer behind it, as
/// [`Architecture::convolutions`](crate::Architecture::convolutions) gives it, and the channel of this number of its
/// output, `[batch, 1, rows, columns]`. Convolutions with fewer filters are left out.
///
/// # Errors
///
/// [`ModelError::Setting`] for images as [`saliency`](super::saliency) refuses them, and for a filter that no convolution
/// has; [`ModelError::Outputs`] for a network without convolutions, or with weights that are not finite.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::{Cnn, Initialization, explain};
///
/// let network = Cnn::cnn2(5).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
/// let maps = explain::filter_through_layers(&network, Tensor::ones([1, 1, 28, 28], &Device::flex()), 3)?;
/// assert_eq!((maps[1].0.as_str(), maps[1].1.dims()), ("relu2", [1, 1, 14, 14]));
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
pub fn filter_through_layers(
    network: &Network,
    images: Tensor<4>,
    filter: usize,
) -> Result<Vec<(String, Tensor<4>)>, ModelError> {
    let Ready { network, images, .. } = Ready::new(network, images)?;
    let behind = network.architecture().convolutions().into_iter().map(|(_, shown)| shown);
    let layers: Vec<String> = behind.collect();
    if layers.is_empty() {
        return Err(outputs(&network, "it has no convolution".into()));
    }
    let maps = network.valid().feature_maps(&layers, images)?;
    let most = maps.iter().map(|(_, maps)| maps.dims()[1]).max().unwrap_or(0);
    if filter >= most {
        let expected = format!("below {most}, the most that a convolution has");
        return Err(setting("filter", filter, expected));
    }
    let has = |(_, maps): &(String, Tensor<4>)| filter < maps.dims()[1];
    let channel = |(layer, maps): (String, Tensor<4>)| (layer, maps.narrow(1, filter, 1));
    Ok(maps.into_iter().filter(has).map(channel).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{images, message, network, values};
    use super::*;
    use crate::{Architecture, Mlp, ResNet};

    #[test]
    fn one_filter_is_that_channel_of_every_convolution_that_has_it() {
        let net = Architecture::new("two", [2, 6, 6]).conv("conv1", 3, 3, 1).relu();
        let network = network(net.conv("conv2", 5, 3, 1).flatten().linear("fc1", 2));
        let maps = filter_through_layers(&network, images(2), 4).unwrap();
        assert_eq!(maps.len(), 1);
        let (layer, found) = &maps[0];
        assert_eq!((layer.as_str(), found.dims()), ("conv2", [2, 1, 6, 6]));
        let all = network.valid().feature_maps(&["conv2"], images(2)).unwrap();
        assert_eq!(values(found.clone()), values(all[0].1.clone().narrow(1, 4, 1)));
        let told = message(filter_through_layers(&network, images(1), 5));
        assert_eq!(told, "filter is 5, but must be below 5, the most that a convolution has");
    }

    #[test]
    fn first_filters_are_the_weight_of_the_first_convolution_wherever_it_stands() {
        let resnet = network(ResNet::resnet18_cifar(10).architecture().unwrap());
        let (layer, filters) = first_filters(&resnet).unwrap();
        assert_eq!((layer.as_str(), filters.dims()), ("conv1", [64, 3, 3, 3]));
        let weight = state::read(&resnet).remove("conv1.weight").unwrap();
        assert_eq!(values(filters), weight.try_to_vec::<f32>().unwrap());
        let told = message(first_filters(&network(Mlp::new(3).architecture())));
        assert!(told.ends_with(": it has no convolution"), "{told}");
    }
}
