//! Which layers are computed together.

use selvedge_kernels::{ConvBlockOptions, FusedActivation};

use super::plain::{Plain, Pointwise, Spatial};
use super::step::{Built, Core, Step};

/// Joins layers, each a step of its own, to the steps in which they are computed.
pub(super) fn plan(layers: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for layer in layers {
        let step = match layer.core {
            Core::Plain(plain) => {
                if let Some(last) = steps.last_mut()
                    && absorbs(&mut last.core, plain.module)
                {
                    last.after.push(plain);
                    continue;
                }
                Core::Plain(plain).into()
            }
            Core::Decoder { conv, mut options } => {
                let upsampling = take_upsampling(&mut steps);
                options.upsample = [upsampling.as_ref().map_or(1, |(scale, _)| *scale); 2];
                let before = upsampling.map(|(_, plain)| plain);
                Step { before, ..Core::Decoder { conv, options }.into() }
            }
            core @ Core::Linear { .. } => {
                Step { before: take_flattening(&mut steps), ..core.into() }
            }
            core => core.into(),
        };
        steps.push(step);
    }
    steps
}

/// Whether a layer that follows can be computed with the core, which is made to do so.
fn absorbs(core: &mut Core, plain: Plain) -> bool {
    let joins = |done: &mut bool| !std::mem::replace(done, true);
    match (core, plain) {
        // What multiplies or joins paths is no sum.
        (Core::Paths { paths, .. }, _) if !paths.module.is_sum() => false,
        // ReLU is the same once or twice, but a step computes it once.
        (Core::Decoder { options, .. }, Plain::RELU) => joins(&mut options.relu),
        (Core::Linear { relu, .. }, Plain::RELU) => joins(relu),
        // A factor of channel dropout trades places with ReLU, but not with ReLU6.
        (Core::Conv { dropout: Some(_), .. }, Plain::Pointwise(Pointwise::Relu6)) => false,
        (
            Core::Conv { options: ConvBlockOptions { activation, .. }, .. }
            | Core::GroupedConv { activation, .. }
            | Core::Norm { activation, .. }
            | Core::Paths { activation, .. },
            Plain::Pointwise(Pointwise::Relu | Pointwise::Relu6),
        ) => {
            let joins = *activation == FusedActivation::None;
            if joins {
                *activation = match plain {
                    Plain::RELU => FusedActivation::Relu,
                    _ => FusedActivation::Relu6,
                };
            }
            joins
        }
        (Core::Conv { options, .. }, Plain::Spatial(Spatial::MaxPool(pool))) => {
            let joins = options.pool.is_none();
            options.pool = options.pool.or(Some(pool));
            joins
        }
        (Core::Conv { dropout, .. }, Plain::Spatial(Spatial::ChannelDropout { probability })) => {
            let joins = dropout.is_none();
            *dropout = dropout.or(Some(probability));
            joins
        }
        _ => false,
    }
}

/// Takes the last step if it is an upsampling, and gives it with its scale.
fn take_upsampling(steps: &mut Vec<Step>) -> Option<(usize, Built<Plain>)> {
    let scale = match &steps.last()?.core {
        Core::Plain(Built { module: Plain::Spatial(Spatial::Upsample { scale }), .. }) => *scale,
        _ => return None,
    };
    Some((scale, take_plain(steps)?))
}

/// Takes the last step if it is a flattening of what a convolution with channel dropout and ReLU gives:
/// no gradient flows back into channels that are zero.
fn take_flattening(steps: &mut Vec<Step>) -> Option<Built<Plain>> {
    let [.., conv, flatten] = &steps[..] else { return None };
    let is_flatten = matches!(&flatten.core, Core::Plain(plain) if plain.module == Plain::Flatten);
    let drops_channels = matches!(
        &conv.core,
        Core::Conv { options, dropout: Some(_), .. } if options.activation == FusedActivation::Relu
    );
    if is_flatten && drops_channels { take_plain(steps) } else { None }
}

/// Takes the last step if it is a layer without parameters.
fn take_plain(steps: &mut Vec<Step>) -> Option<Built<Plain>> {
    match steps.pop_if(|step| matches!(step.core, Core::Plain(_)))?.core {
        Core::Plain(plain) => Some(plain),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use selvedge_kernels::PoolOptions;

    use super::*;
    use crate::{Architecture, Cnn, Conv, ConvAutoencoder, Initialization, Op, TransferCnn};

    /// The steps of a network.
    fn steps(architecture: &Architecture) -> Vec<Step> {
        let network = architecture.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        network.body().steps.clone()
    }

    /// The names of the layers of each step.
    fn groups(architecture: &Architecture) -> Vec<String> {
        let names = |step: &Step| {
            step.nodes().map(|node| node.layer.name.clone()).collect::<Vec<_>>().join(" ")
        };
        steps(architecture).iter().map(names).collect()
    }

    #[test]
    fn relu_pool_and_dropout_join_their_convolution_in_any_order() {
        let transfer = TransferCnn::new(5).with_dropout(0.3).architecture();
        let expected = ["conv1 pool1 channel_dropout1 relu1", "conv2 channel_dropout2 relu2"];
        assert_eq!(groups(&transfer)[..2], expected);
        let cnn = Cnn::cnn2(5).with_dropout(0.3).architecture();
        let expected = ["conv1 relu1 pool1 channel_dropout1", "conv2 relu2 pool2"];
        assert_eq!(groups(&cnn)[..2], expected);
        for (net, pools) in [(transfer, [true, false]), (cnn, [true, true])] {
            for (step, pool) in steps(&net).iter().zip(pools) {
                let Core::Conv { options, .. } = &step.core else { panic!("a convolution") };
                assert_eq!(options.activation, FusedActivation::Relu);
                assert_eq!(options.pool, pool.then(|| PoolOptions::tiles(2)));
            }
        }
    }

    #[test]
    fn relu6_joins_convolutions_and_norms_but_not_one_whose_channels_were_dropped() {
        let depthwise = Conv::new(3, 3).groups(3).padding(1);
        let net =
            Architecture::new("a", [3, 9, 9]).conv("conv1", 3, 3, 0).layer("relu1", Op::Relu6);
        let net = net.channel_dropout(0.5).layer("conv2", depthwise).layer("relu2", Op::Relu6);
        let net = net.batch_norm("bn1").layer("relu3", Op::Relu6);
        let net = net.conv("conv3", 3, 3, 0).channel_dropout(0.5).layer("relu4", Op::Relu6);
        let expected = [
            "conv1 relu1 channel_dropout1",
            "conv2 relu2",
            "bn1 relu3",
            "conv3 channel_dropout2",
            "relu4",
        ];
        assert_eq!(groups(&net), expected);
    }

    #[test]
    fn an_activation_joins_the_sum_of_a_residual_block_but_no_other_paths() {
        let net = Architecture::new("a", [2, 9, 9]);
        let net = net.residual("sum", |main| main.conv("conv1", 2, 3, 1), |shortcut| shortcut);
        let net = net.relu().relu();
        let net = net.squeeze_excite("product", 1, Op::Relu, Op::Sigmoid);
        assert_eq!(groups(&net.relu()), ["sum relu1", "relu2", "product", "relu3"]);
    }

    #[test]
    fn a_linear_layer_skips_the_channels_that_were_dropped_before_a_relu() {
        let transfer = TransferCnn::new(5).with_dropout(0.3).architecture();
        assert!(groups(&transfer).contains(&"flatten1 fc1 relu3".into()));
        // Without dropout there is nothing to skip, without ReLU a channel may be zero by chance.
        assert!(groups(&TransferCnn::new(5).architecture()).contains(&"flatten1".into()));
        let open = Architecture::new("a", [1, 5, 5]).conv("conv1", 2, 3, 0).channel_dropout(0.5);
        let open = open.flatten().linear("fc1", 3);
        assert_eq!(groups(&open), ["conv1 channel_dropout1", "flatten1", "fc1"]);
    }

    #[test]
    fn a_decoder_is_computed_in_one_step_a_layer() {
        let net = ConvAutoencoder::default().architecture();
        let expected = ["upsample1 t_conv1 relu3", "upsample2 t_conv2 relu4"];
        assert_eq!(groups(&net)[2..], expected);
        for step in &steps(&net)[2..] {
            let Core::Decoder { options, .. } = &step.core else { panic!("a decoder") };
            assert_eq!((options.upsample, options.relu), ([2, 2], true));
        }
        // An upsampling before anything else, and a transposed convolution without one.
        let own = Architecture::new("a", [1, 5, 5]).upsample(3).relu().conv_transpose("up", 2, 3);
        assert_eq!(groups(&own), ["upsample1", "relu1", "up"]);
    }

    #[test]
    fn every_layer_is_in_exactly_one_step() {
        let net = Architecture::new("a", [1, 20, 20])
            .relu()
            .conv("conv1", 2, 3, 0)
            .max_pool(2)
            .max_pool(2)
            .relu()
            .conv("conv2", 2, 3, 0)
            .batch_norm("bn2")
            .relu()
            .relu()
            .residual("sum", |main| main, |shortcut| shortcut)
            .relu()
            .flatten()
            .linear("fc1", 5)
            .relu()
            .linear("fc2", 2);
        let expected = [
            "relu1",
            "conv1 pool1",
            "pool2",
            "relu2",
            "conv2",
            "bn2 relu3",
            "relu4",
            "sum relu5",
            "flatten1",
            "fc1 relu6",
            "fc2",
        ];
        assert_eq!(groups(&net), expected);
        // Taken apart, every step is one layer, and joined again they are the same steps.
        let single: Vec<Step> = steps(&net).into_iter().flat_map(Step::into_single).collect();
        assert_eq!(single.len(), net.layers.len());
        let alone = |step: &Step| match &step.core {
            Core::Conv { options, dropout, .. } => {
                options.activation == FusedActivation::None
                    && options.pool.is_none()
                    && dropout.is_none()
            }
            Core::Linear { relu, .. } => !relu,
            Core::Norm { activation, .. }
            | Core::GroupedConv { activation, .. }
            | Core::Paths { activation, .. } => *activation == FusedActivation::None,
            _ => true,
        };
        assert!(single.iter().all(alone));
        let joined: Vec<usize> = plan(single).iter().map(|step| step.nodes().count()).collect();
        let expected: Vec<usize> = steps(&net).iter().map(|step| step.nodes().count()).collect();
        assert_eq!(joined, expected);
    }
}
