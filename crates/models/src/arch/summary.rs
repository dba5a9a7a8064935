use std::fmt;

use crate::{Architecture, GeluApproximation, Layer, ModelError, Op, Shape, Sides};

/// A layer in a [`Summary`].
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRow {
    /// The layer's path within the network.
    pub name: String,
    /// What it does.
    pub operation: String,
    /// The shape that comes out, without the batch.
    pub output: Shape,
    /// How many values are learned.
    pub parameters: usize,
    /// Products that are added up for one image; additions alone do not count.
    pub multiply_adds: u64,
}

/// The layers of a network with their shapes, parameters and multiply-adds.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The network's name.
    pub name: String,
    /// `[channels, height, width]` of an image.
    pub input: [usize; 3],
    /// The layers in their order; those of a block stand before the block.
    pub rows: Vec<SummaryRow>,
}

impl Summary {
    /// How many values are learned, over all layers.
    pub fn parameters(&self) -> usize {
        self.rows.iter().map(|row| row.parameters).sum()
    }

    /// Multiply-adds for one image, over all layers.
    pub fn multiply_adds(&self) -> u64 {
        self.rows.iter().map(|row| row.multiply_adds).sum()
    }
}

impl Architecture {
    /// A table of the layers: output shapes, parameters and multiply-adds.
    ///
    /// # Errors
    ///
    /// As [`shapes`](Self::shapes).
    ///
    /// ```
    /// use selvedge_models::Cnn;
    ///
    /// let summary = Cnn::cnn2_small(5).architecture().summary()?;
    /// assert_eq!(summary.parameters(), 51_225);
    /// println!("{summary}");
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn summary(&self) -> Result<Summary, ModelError> {
        self.shapes()?;
        let mut rows = Vec::new();
        add_rows(&self.layers, "", Shape::Images(self.input), &mut rows);
        Ok(Summary { name: self.name.clone(), input: self.input, rows })
    }
}

/// Adds the layers of a path, which have been checked, and gives the shape at its end.
fn add_rows(layers: &[Layer], prefix: &str, input: Shape, rows: &mut Vec<SummaryRow>) -> Shape {
    let mut shape = input;
    for Layer { name, op } in layers {
        let name = format!("{prefix}{name}");
        let (before, paths) = op.paths();
        let inner = format!("{name}.");
        let reaches = add_rows(before, &inner, shape, rows);
        for path in paths {
            add_rows(path, &inner, reaches, rows);
        }
        let output = op.apply(shape).expect("the architecture was checked");
        let (parameters, multiply_adds) = cost(op, shape, output);
        rows.push(SummaryRow { name, operation: describe(op), output, parameters, multiply_adds });
        shape = output;
    }
    shape
}

/// Parameters and multiply-adds of one layer; those of a block are its layers'.
fn cost(op: &Op, input: Shape, output: Shape) -> (usize, u64) {
    let with_bias =
        |weights: usize, bias: bool, count: usize| weights + if bias { count } else { 0 };
    match (op, input, output) {
        (
            &Op::Conv2d { kernel, bias, groups, .. },
            Shape::Images([i, ..]),
            Shape::Images([o, h, w]),
        ) => {
            let weights = o * (i / groups) * kernel.height * kernel.width;
            (with_bias(weights, bias, o), times(&[weights, h, w]))
        }
        (
            &Op::ConvTranspose2d { kernel, bias, groups, .. },
            Shape::Images([i, h, w]),
            Shape::Images([o, ..]),
        ) => {
            let weights = (o / groups) * i * kernel.height * kernel.width;
            (with_bias(weights, bias, o), times(&[weights, h, w]))
        }
        (
            Op::BatchNorm2d { .. }
            | Op::BatchNorm1d { .. }
            | Op::GroupNorm { .. }
            | Op::LayerNorm { .. },
            input,
            _,
        ) => (2 * input.as_images()[0], times(&[input.size()])),
        (&Op::Linear { bias, .. }, Shape::Features(i), Shape::Features(o)) => {
            (with_bias(i * o, bias, o), times(&[i, o]))
        }
        (Op::Gate { .. }, input, _) => (0, times(&[input.size()])),
        _ => (0, 0),
    }
}

/// The product, or the largest number where that is larger still.
fn times(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |product: u64, factor| product.saturating_mul(*factor as u64))
}

/// What most convolutions do not have.
fn unusual(dilation: usize, groups: usize) -> String {
    let mut text = String::new();
    if dilation != 1 {
        text += &format!(", dilation {dilation}");
    }
    if groups != 1 {
        text += &format!(", {groups} groups");
    }
    text
}

fn describe(op: &Op) -> String {
    match op {
        Op::Conv2d { kernel, stride, padding, dilation, groups, .. } => {
            let Sides { height, width } = kernel;
            let more = unusual(*dilation, *groups);
            format!("convolution {height} × {width}, stride {stride}, padding {padding}{more}")
        }
        Op::ConvTranspose2d {
            kernel: Sides { height, width }, stride, dilation, groups, ..
        } => {
            let mut text = format!("transposed convolution {height} × {width}");
            if stride.uniform() != Some(1) {
                text += &format!(", stride {stride}");
            }
            text + &unusual(*dilation, *groups)
        }
        Op::BatchNorm2d { .. } | Op::BatchNorm1d { .. } => "batch normalization".into(),
        Op::GroupNorm { groups, .. } => format!("group normalization, {groups} groups"),
        Op::LayerNorm { .. } => "layer normalization".into(),
        Op::Linear { .. } => "linear".into(),
        Op::Relu => "ReLU".into(),
        Op::Relu6 => "ReLU6".into(),
        Op::LeakyRelu { negative_slope } => format!("leaky ReLU, slope {negative_slope}"),
        Op::Gelu { approximate: GeluApproximation::None } => "GELU".into(),
        Op::Gelu { approximate: GeluApproximation::Tanh } => "GELU by tanh".into(),
        Op::Silu => "SiLU".into(),
        Op::HardSwish => "hard swish".into(),
        Op::HardSigmoid => "hard sigmoid".into(),
        Op::Sigmoid => "sigmoid".into(),
        Op::Tanh => "tanh".into(),
        Op::Scale { factor } => format!("times {factor}"),
        Op::Identity => "identity".into(),
        Op::MaxPool2d { kernel, stride, .. } => format!("max-pool {kernel}, stride {stride}"),
        Op::AvgPool2d { kernel, stride, .. } => format!("average pool {kernel}, stride {stride}"),
        Op::AdaptiveAvgPool2d { size } => format!("average to {size} × {size}"),
        Op::Upsample { scale } => format!("upsample {scale} times"),
        Op::Dropout { probability } => format!("dropout {probability}"),
        Op::ChannelDropout { probability } => format!("channel dropout {probability}"),
        Op::StochasticDepth { probability } => format!("stochastic depth {probability}"),
        Op::Flatten => "flatten".into(),
        Op::Residual { .. } => "sum of two paths".into(),
        Op::Concat { branches } => format!("{} paths one after the other", branches.len()),
        Op::Gate { .. } => "input times a path".into(),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = |shape: Shape| match shape {
            Shape::Images([c, h, w]) => format!("{c} × {h} × {w}"),
            Shape::Features(n) => n.to_string(),
        };
        let mut lines =
            vec![["layer", "operation", "output", "parameters", "multiply-adds"].map(String::from)];
        for row in &self.rows {
            lines.push([
                row.name.clone(),
                row.operation.clone(),
                shape(row.output),
                grouped(row.parameters as u64),
                grouped(row.multiply_adds),
            ]);
        }
        let total = [self.parameters() as u64, self.multiply_adds()].map(grouped);
        let [parameters, multiply_adds] = total;
        let input = shape(Shape::Images(self.input));
        lines.push([
            self.name.clone(),
            format!("for {input}"),
            "".into(),
            parameters,
            multiply_adds,
        ]);

        let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max();
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|column| width(column).unwrap_or_default());
        for [name, operation, output, parameters, adds] in &lines {
            writeln!(f, "{name:a$}  {operation:b$}  {output:>c$}  {parameters:>d$}  {adds:>e$}")?;
        }
        Ok(())
    }
}

/// The number with a space between each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::{ConvAutoencoder, MobileNetV2, ResNet, Vgg};

    #[test]
    fn parameters_and_multiply_adds_are_the_published_ones() {
        // torchvision's documentation: parameters, and giga-multiply-adds of the convolutions and
        // linear layers for an image of 224 × 224.
        for (net, parameters, giga) in [
            (ResNet::resnet18(1000).architecture(), 11_689_512, 1.814),
            (ResNet::resnet34(1000).architecture(), 21_797_672, 3.664),
            (ResNet::resnet50(1000).architecture(), 25_557_032, 4.089),
            (Ok(MobileNetV2::new(1000).architecture()), 3_504_872, 0.301),
            (Vgg::vgg11(1000).architecture(), 132_863_336, 7.609),
            (Vgg::vgg13(1000).architecture(), 133_047_848, 11.308),
            (Vgg::vgg16(1000).architecture(), 138_357_544, 15.47),
            (Vgg::vgg19(1000).architecture(), 143_667_240, 19.632),
        ] {
            let summary = net.unwrap().summary().unwrap();
            assert_eq!(summary.parameters(), parameters, "{}", summary.name);
            let weighty = summary.rows.iter().filter(|row| row.operation != "batch normalization");
            let found = weighty.map(|row| row.multiply_adds).sum::<u64>() as f64 / 1e9;
            assert!((found - giga).abs() < 0.001, "{}: {found} instead of {giga}", summary.name);
        }
    }

    #[test]
    fn layers_of_a_block_are_listed_under_its_name() {
        let summary = ResNet::resnet18_cifar(10).architecture().unwrap().summary().unwrap();
        let names: Vec<&str> = summary.rows.iter().map(|row| row.name.as_str()).collect();
        assert!(names.contains(&"layer2.0.downsample.1") && names.contains(&"layer4.1.conv2"));
    }

    #[test]
    fn the_table_has_a_line_a_layer_between_its_header_and_its_total() {
        let summary = ConvAutoencoder::default().architecture().summary().unwrap();
        let table = summary.to_string();
        assert_eq!(table.lines().count(), summary.rows.len() + 2);
        // torch: sum(p.numel() for p in net.parameters())
        assert!(table.lines().last().unwrap().contains(" 10 541 "), "{table}");
    }
}
