use selvedge_kernels::{ConvBlockOptions, ConvTransposeBlockOptions, PoolOptions};

use crate::{Layer, Op};

/// Layers that are computed together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// A layer of its own.
    Layer(usize),
    /// A convolution with the ReLU and the max-pool that follow it, in either order: max(x, 0)
    /// grows with x, so it may trade places with a maximum. A channel dropout among them, given by its
    /// probability, is applied after them: it multiplies by a number that is not negative, which may
    /// trade places with both.
    Block { conv: usize, options: ConvBlockOptions, dropout: Option<f64> },
    /// A linear layer, with the ReLU that follows it.
    Linear { linear: usize, relu: bool },
    /// The same, with the flattening before it, of a block with channel dropout and ReLU: no gradient
    /// flows back into channels that are zero.
    FlatLinear { linear: usize, relu: bool },
    /// A transposed convolution, with the upsampling before it and the ReLU that follows it.
    Decoder { conv: usize, options: ConvTransposeBlockOptions },
    /// A batch normalisation, with the ReLU that follows it.
    Norm { norm: usize, relu: bool },
    /// A max-pool that is in no block.
    Pool { pool: PoolOptions },
}

/// Groups the layers into steps.
pub(crate) fn plan(layers: &[Layer]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut next = 0;
    while next < layers.len() {
        let relu = is(layers, next + 1, is_relu);
        let (step, length) = match layers[next].op {
            Op::Conv2d { stride, padding, .. } => block(layers, next, stride, padding),
            Op::Upsample { .. } | Op::ConvTranspose2d { .. } => decoder(layers, next),
            Op::Linear { .. } => (Step::Linear { linear: next, relu }, 1 + usize::from(relu)),
            Op::BatchNorm2d => (Step::Norm { norm: next, relu }, 1 + usize::from(relu)),
            Op::MaxPool2d { kernel, stride, padding } => {
                (Step::Pool { pool: pool_options(kernel, stride, padding) }, 1)
            }
            Op::Flatten if drops_channels(steps.last()) && is(layers, next + 1, is_linear) => {
                let relu = is(layers, next + 2, is_relu);
                (Step::FlatLinear { linear: next + 1, relu }, 2 + usize::from(relu))
            }
            _ => (Step::Layer(next), 1),
        };
        steps.push(step);
        next += length;
    }
    steps
}

/// Whether there is such a layer at that place.
fn is(layers: &[Layer], i: usize, wanted: fn(&Op) -> bool) -> bool {
    layers.get(i).is_some_and(|layer| wanted(&layer.op))
}

fn is_relu(op: &Op) -> bool {
    *op == Op::Relu
}

fn is_linear(op: &Op) -> bool {
    matches!(op, Op::Linear { .. })
}

/// Whether whole channels of the result may be zero, and get no gradient then.
fn drops_channels(step: Option<&Step>) -> bool {
    matches!(step, Some(Step::Block { options, dropout: Some(_), .. }) if options.relu)
}

/// Square windows.
fn pool_options(kernel: usize, stride: usize, padding: usize) -> PoolOptions {
    PoolOptions { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2] }
}

/// The layers from an upsampling or a transposed convolution on, and their number.
fn decoder(layers: &[Layer], first: usize) -> (Step, usize) {
    let scale = match layers[first].op {
        Op::Upsample { scale } => Some(scale),
        _ => None,
    };
    let conv = first + usize::from(scale.is_some());
    if !is(layers, conv, |op| matches!(op, Op::ConvTranspose2d { .. })) {
        return (Step::Layer(first), 1);
    }
    let relu = is(layers, conv + 1, is_relu);
    let upsample = [scale.unwrap_or(1); 2];
    let options = ConvTransposeBlockOptions { upsample, relu, ..Default::default() };
    (Step::Decoder { conv, options }, conv - first + 1 + usize::from(relu))
}

/// The block that begins with the convolution `conv`, and its number of layers.
fn block(layers: &[Layer], conv: usize, stride: usize, padding: usize) -> (Step, usize) {
    let mut options = ConvBlockOptions {
        stride: [stride; 2],
        padding: [padding; 2],
        ..ConvBlockOptions::default()
    };
    let mut dropout = None;
    let mut length = 1;
    for layer in &layers[conv + 1..] {
        match layer.op {
            // ReLU is the same once or twice, but a block computes it once.
            Op::Relu if !options.relu => options.relu = true,
            Op::MaxPool2d { kernel, stride, padding } if options.pool.is_none() => {
                options.pool = Some(pool_options(kernel, stride, padding));
            }
            Op::ChannelDropout { probability } if dropout.is_none() => dropout = Some(probability),
            _ => break,
        }
        length += 1;
    }
    (Step::Block { conv, options, dropout }, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, Cnn, ConvAutoencoder, TransferCnn};

    fn blocks(architecture: &Architecture) -> Vec<(bool, bool, bool)> {
        let steps = plan(&architecture.layers);
        let of = |step: &Step| match step {
            Step::Block { options, dropout, .. } => {
                Some((options.relu, options.pool.is_some(), dropout.is_some()))
            }
            _ => None,
        };
        steps.iter().filter_map(of).collect()
    }

    #[test]
    fn relu_pool_and_dropout_join_their_convolution_in_any_order() {
        // convolution, pool, dropout, ReLU; convolution, dropout, ReLU
        let transfer = TransferCnn::new(5).with_dropout(0.3).architecture();
        assert_eq!(blocks(&transfer), [(true, true, true), (true, false, true)]);
        // convolution, ReLU, pool, dropout; the last without dropout
        let cnn = Cnn::cnn2(5).with_dropout(0.3).architecture();
        assert_eq!(blocks(&cnn), [(true, true, true), (true, true, false)]);
    }

    #[test]
    fn a_linear_layer_skips_the_channels_that_were_dropped_before_a_relu() {
        let flat = |architecture: &Architecture| {
            let steps = plan(&architecture.layers);
            let of = |step: &Step| match step {
                Step::FlatLinear { linear, relu } => Some((*linear, *relu)),
                _ => None,
            };
            steps.iter().find_map(of)
        };
        // conv1, pool1, dropout, ReLU, conv2, dropout, ReLU, flatten, fc1
        let transfer = TransferCnn::new(5).with_dropout(0.3).architecture();
        assert_eq!(flat(&transfer), Some((8, true)));
        // Without dropout there is nothing to skip, without ReLU a channel may be zero by chance.
        assert_eq!(flat(&TransferCnn::new(5).architecture()), None);
        let open = Architecture::new("a", [1, 5, 5]).conv("conv1", 2, 3, 0).channel_dropout(0.5);
        assert_eq!(flat(&open.flatten().linear("fc1", 3)), None);
    }

    #[test]
    fn a_decoder_is_computed_in_one_step_a_layer() {
        let steps = plan(&ConvAutoencoder::default().architecture().layers);
        let decoders = steps.iter().filter_map(|step| match step {
            Step::Decoder { options, .. } => Some((options.upsample, options.relu)),
            _ => None,
        });
        assert_eq!(decoders.collect::<Vec<_>>(), [([2, 2], true), ([2, 2], true)]);
        // An upsampling before anything else, and a transposed convolution without one.
        let own = Architecture::new("a", [1, 5, 5])
            .op(Op::Upsample { scale: 3 })
            .relu()
            .layer("t_conv1", Op::ConvTranspose2d { out_channels: 2, kernel: 3 });
        let options = ConvTransposeBlockOptions::default();
        let expected = [Step::Layer(0), Step::Layer(1), Step::Decoder { conv: 2, options }];
        assert_eq!(plan(&own.layers), expected);
    }

    #[test]
    fn every_layer_is_in_exactly_one_step() {
        let architecture = Architecture::new("a", [1, 20, 20])
            .relu()
            .conv("conv1", 2, 3, 0)
            .max_pool(2)
            .max_pool(2)
            .relu()
            .conv("conv2", 2, 3, 0)
            .batch_norm("bn2")
            .relu()
            .flatten()
            .linear("fc1", 5)
            .relu()
            .linear("fc2", 2);
        let options = |pool| ConvBlockOptions { pool, ..ConvBlockOptions::default() };
        let pool = PoolOptions::tiles(2);
        let expected = [
            Step::Layer(0),
            Step::Block { conv: 1, options: options(Some(pool)), dropout: None },
            Step::Pool { pool },
            Step::Layer(4),
            Step::Block { conv: 5, options: options(None), dropout: None },
            Step::Norm { norm: 6, relu: true },
            Step::Layer(8),
            Step::Linear { linear: 9, relu: true },
            Step::Linear { linear: 11, relu: false },
        ];
        assert_eq!(plan(&architecture.layers), expected);
    }
}
