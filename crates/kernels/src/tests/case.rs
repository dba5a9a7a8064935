//! A block with inputs, compared with the oracle.

use crate::backward::{Gradients, Saved, Wanted, backward_by};
use crate::columns;
use crate::forward::{Inputs, Output};
use crate::naive;
use crate::options::{ConvBlockOptions, Geometry, PoolOptions};
use crate::simd::Isa;
use crate::winograd::{Methods, Variant};

/// Every gradient.
pub const ALL: Wanted = Wanted { x: true, weight: true };

/// Pseudo-random numbers between -1 and 1 (a multiplicative congruential generator).
pub fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// The same stride and padding in both directions.
pub fn options(
    stride: usize,
    padding: usize,
    relu: bool,
    pool: Option<PoolOptions>,
) -> ConvBlockOptions {
    ConvBlockOptions {
        stride: [stride; 2],
        padding: [padding; 2],
        relu,
        pool,
        ..Default::default()
    }
}

/// A block with its inputs and the gradient of its output.
pub struct Case {
    pub g: Geometry,
    pub methods: Methods,
    pub x: Vec<f32>,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub scale: Option<Vec<f32>>,
    pub grad: Vec<f32>,
}

impl Case {
    pub fn new(
        x: [usize; 4],
        out_channels: usize,
        kernel: [usize; 2],
        options: ConvBlockOptions,
    ) -> Self {
        let weight = [out_channels, x[1], kernel[0], kernel[1]];
        let g = Geometry::new(x, weight, &options);
        assert!(g.is_fusable());
        Case {
            g,
            methods: Methods::default(),
            x: numbers(x.iter().product(), 1),
            weight: numbers(weight.iter().product(), 2),
            bias: numbers(out_channels, 3),
            scale: None,
            grad: numbers(g.batch * g.output_len(), 4),
        }
    }

    pub fn forward(&self, isa: Isa, codes: bool) -> Output {
        crate::forward::forward_by(isa, (&self.g, self.methods), self.inputs(), codes)
    }

    pub fn backward(&self, isa: Isa, codes: &[u8], wanted: Wanted) -> Gradients {
        let saved = Saved { x: &self.x, weight: &self.weight, scale: self.scale.as_deref(), codes };
        backward_by(isa, (&self.g, self.methods), saved, &self.grad, wanted)
    }

    /// The case, computed by Winograd's method.
    pub fn by(self, variant: Variant) -> Self {
        let variant = Some(variant);
        Case { methods: Methods { forward: variant, input: variant, weight: variant }, ..self }
    }

    pub fn inputs(&self) -> Inputs<'_> {
        Inputs { x: &self.x, weight: &self.weight, bias: &self.bias, scale: self.scale.as_deref() }
    }

    /// The factor of an output.
    fn factor(&self, at: usize) -> f32 {
        let plane = self.g.output[0] * self.g.output[1];
        self.scale.as_ref().map_or(1.0, |scale| scale[at / plane])
    }

    /// These outputs of the oracle, each times its factor.
    fn scaled(&self, outputs: &[f64]) -> Vec<f64> {
        let outputs = outputs.iter().enumerate();
        outputs.map(|(at, output)| output * f64::from(self.factor(at))).collect()
    }

    /// Compares the outputs computed by columns with the oracle.
    pub fn check_columns(&self, isa: Isa) {
        let g = &self.g;
        let expected = naive::forward(g, &self.x, &self.weight, &self.bias).output;
        let output = columns::forward(isa, g, self.inputs());
        self.close(isa, "output by columns", &output, &self.scaled(&expected), g.taps());
    }

    /// Compares outputs and gradients of one instruction set with the oracle.
    pub fn check(&self, isa: Isa) {
        let g = &self.g;
        let expected = naive::forward(g, &self.x, &self.weight, &self.bias);
        let grad = self.grad.iter().enumerate();
        let grad: Vec<f32> = grad.map(|(at, grad)| grad * self.factor(at)).collect();
        let output = self.forward(isa, true);
        let scaled = self.scaled(&expected.output);
        self.close(isa, "output", &output.values, &scaled, g.taps());
        let plain = self.forward(isa, false);
        assert_eq!(output.values[..], plain.values[..], "codes do not change the output");
        assert!(plain.codes.is_empty());

        // Of pixels that are nearly equal, rounding may choose another one than the oracle.
        let choice = match g.needs_codes() {
            true => self.choices(isa, &output.codes),
            false => expected.choice,
        };
        self.close(isa, "chosen value", &self.values(&choice), &expected.output, g.taps());
        let gradients = self.backward(isa, &output.codes, ALL);
        let naive = naive::backward(g, &self.x, &self.weight, &choice, &grad);
        self.close(
            isa,
            "gradient of x",
            &gradients.x,
            &naive.x,
            g.out_channels * g.kernel[0] * g.kernel[1] * g.upsample[0] * g.upsample[1],
        );
        let pixels = g.batch * g.conv[0] * g.conv[1];
        self.close(isa, "gradient of weight", &gradients.weight, &naive.weight, pixels);
        self.close(isa, "gradient of bias", &gradients.bias, &naive.bias, pixels);
    }

    /// The pixel of the convolution that each output was taken from, as its code says.
    fn choices(&self, isa: Isa, codes: &[u8]) -> Vec<Option<[usize; 2]>> {
        let (g, lanes) = (&self.g, isa.lanes());
        let choice = |at: usize| {
            let (image, rest) = (at / g.output_len(), at % g.output_len());
            let pixel = rest % (g.output[0] * g.output[1]);
            let output = [pixel / g.output[1], pixel % g.output[1]];
            let code = codes[(image / lanes * g.output_len() + rest) * lanes + image % lanes];
            let k = [usize::from(code) / g.pool.kernel[1], usize::from(code) % g.pool.kernel[1]];
            let along = |axis: usize| {
                let position = output[axis] * g.pool.stride[axis] + k[axis];
                let position = position.checked_sub(g.pool.padding[axis]);
                position.filter(|&p| p < g.conv[axis]).expect("a pixel of the plane")
            };
            (code < 255).then(|| [along(0), along(1)])
        };
        (0..g.batch * g.output_len()).map(choice).collect()
    }

    /// The outputs that these choices stand for.
    fn values(&self, choices: &[Option<[usize; 2]>]) -> Vec<f32> {
        let (g, inputs) = (&self.g, [&self.x[..], &self.weight, &self.bias]);
        let plane = g.output[0] * g.output[1];
        let value = |(at, choice): (usize, &Option<[usize; 2]>)| {
            let [y, x] = (*choice)?;
            let (image, channel) = (at / plane / g.out_channels, at / plane % g.out_channels);
            let value = naive::convolution(g, [image, channel, y, x], inputs);
            Some(if g.relu { value.max(0.0) } else { value })
        };
        let values = choices.iter().enumerate().map(|choice| value(choice).unwrap_or(0.0) as f32);
        values.collect()
    }

    /// Sums of `terms` products of numbers up to 1 may differ by their rounding errors, which the
    /// factors of Winograd's transforms enlarge.
    fn close(&self, isa: Isa, what: &str, values: &[f32], expected: &[f64], terms: usize) {
        assert_eq!(values.len(), expected.len(), "{what}");
        let larger = match self.methods.forward {
            None => 1.0,
            Some(Variant::F2x3) => 4.0,
            Some(Variant::F2x5 | Variant::F4x3) => 32.0,
        };
        let tolerance = f64::from(f32::EPSILON) * (terms as f64 + 2.0) * larger;
        for (i, (&value, &expected)) in values.iter().zip(expected).enumerate() {
            assert!(
                (f64::from(value) - expected).abs() <= tolerance,
                "{isa:?} {what}[{i}]: {value}, expected {expected}; {:?}",
                self.g
            );
        }
    }
}
