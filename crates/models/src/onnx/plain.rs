//! Operations without weights as ONNX nodes.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use super::average;
use super::graph::{Builder, Flow};
use super::proto::Node;
use super::tensor::Values;
use crate::{GeluApproximation, ModelError, Op, Shape};

impl Builder<'_> {
    /// The node, all that it reads before it in the graph; `output` is the shape of what it gives.
    pub(super) fn plain(
        &mut self,
        op: &Op,
        path: &str,
        input: Flow,
        output: Shape,
    ) -> Result<Node, ModelError> {
        let node = |op_type| Node::new(op_type, path).reads([&input.name]);
        match (op, input.shape) {
            (Op::Relu, _) => Ok(node("Relu")),
            (Op::Sigmoid, _) => Ok(node("Sigmoid")),
            (Op::Tanh, _) => Ok(node("Tanh")),
            (Op::Flatten, _) => Ok(node("Flatten")),
            (Op::HardSwish, _) => Ok(node("HardSwish")),
            (Op::HardSigmoid, _) => {
                Ok(node("HardSigmoid").with("alpha", 1.0f32 / 6.0).with("beta", 0.5f32))
            }
            (Op::LeakyRelu { negative_slope }, _) => {
                Ok(node("LeakyRelu").with("alpha", *negative_slope as f32))
            }
            (Op::Relu6, _) => {
                let [min, max] = [("min", 0.0), ("max", 6.0)].map(|(n, v)| self.number(path, n, v));
                Ok(Node::new("Clip", path).reads([input.name, min?, max?]))
            }
            (Op::Silu, _) => {
                let sigmoid = Node::new("Sigmoid", &format!("{path}.sigmoid")).reads([&input.name]);
                let sigmoid = self.push(sigmoid, input.shape)?;
                Ok(Node::new("Mul", path).reads([input.name, sigmoid.name]))
            }
            (&Op::Scale { factor }, _) => {
                let factor = self.number(path, "factor", factor)?;
                Ok(Node::new("Mul", path).reads([input.name, factor]))
            }
            (Op::Gelu { approximate }, _) => self.gelu(*approximate, path, input),
            (&Op::MaxPool2d { kernel, stride, padding, .. }, Shape::Images([_, height, width])) => {
                let [_, rows, columns] = output.as_images();
                let [top, left] = padding.each();
                // Where sizes round up, as much as the last window reaches over the border: so the operator, which
                // rounds in a way of its own, need not.
                let after = |size: usize, places: usize, axis: usize| {
                    let [kernel, stride, padding] =
                        [kernel, stride, padding].map(|sides| sides.each()[axis]);
                    ((places - 1) * stride + kernel).saturating_sub(size + padding).max(padding)
                };
                let (bottom, right) = (after(height, rows, 0), after(width, columns, 1));
                Ok(node("MaxPool")
                    .with("kernel_shape", kernel.each())
                    .with("pads", [top, left, bottom, right])
                    .with("strides", stride.each()))
            }
            (&Op::AvgPool2d { .. }, _) => self.avg_pool(op, path, input, output),
            (&Op::Upsample { scale }, _) => {
                // Pixel x of the output is pixel ⌊x / scale⌋ of the input: each is repeated.
                let scales =
                    Values::Given { dims: vec![4], of: vec![1.0, 1.0, scale as f32, scale as f32] };
                let scales = self.initializer(path, "scales", scales)?;
                Ok(Node::new("Resize", path)
                    .reads([&input.name, "", &scales])
                    .with("coordinate_transformation_mode", "asymmetric")
                    .with("mode", "nearest")
                    .with("nearest_mode", "floor"))
            }
            (&Op::AdaptiveAvgPool2d { size: 1 }, _) => Ok(node("GlobalAveragePool")),
            (&Op::AdaptiveAvgPool2d { size }, Shape::Images([channels, height, width])) => {
                if height.is_multiple_of(size) && width.is_multiple_of(size) {
                    let window = [height / size, width / size];
                    return Ok(node("AveragePool")
                        .with("kernel_shape", window)
                        .with("strides", window));
                }
                let rows = average::rows(height, size);
                let columns = average::columns(width, size);
                let sizes = [channels, size, width];
                let [rows, columns] = [(rows, [size, height]), (columns, [width, size])]
                    .map(|(of, dims)| Values::Given { dims: dims.into(), of });
                self.between(path, input.name, [rows, columns], sizes)
            }
            (op, shape) => {
                Err(self.refused(path, format!("`{}` cannot follow {shape}", op.kind())))
            }
        }
    }

    /// `rows · images · columns`: the last of two products, of which the first gives images of `sizes`.
    fn between(
        &mut self,
        path: &str,
        images: String,
        [rows, columns]: [Values; 2],
        sizes: [usize; 3],
    ) -> Result<Node, ModelError> {
        let rows = self.initializer(path, "rows", rows)?;
        let columns = self.initializer(path, "columns", columns)?;
        let over_rows = Node::new("MatMul", &format!("{path}.over_rows"));
        let averaged = self.push(over_rows.reads([rows, images]), Shape::Images(sizes))?;
        Ok(Node::new("MatMul", path).reads([averaged.name, columns]))
    }

    /// An average pool. Where its last windows reach over the border, the operator and its runtimes do not
    /// agree on what they divide by: there it is two products, as an adaptive pool.
    fn avg_pool(
        &mut self,
        op: &Op,
        path: &str,
        input: Flow,
        output: Shape,
    ) -> Result<Node, ModelError> {
        let (
            &Op::AvgPool2d { kernel, stride, padding, ceil_mode, count_include_pad },
            Shape::Images([channels, height, width]),
        ) = (op, input.shape)
        else {
            return Err(self.refused(path, "an average pool needs images".into()));
        };
        if !ceil_mode {
            return Ok(Node::new("AveragePool", path)
                .reads([input.name])
                .with("count_include_pad", i64::from(count_include_pad))
                .with("kernel_shape", kernel.each())
                .with("pads", [padding.height, padding.width, padding.height, padding.width])
                .with("strides", stride.each()));
        }
        let [_, high, wide] = output.as_images();
        let pool = |axis: usize| {
            let [kernel, stride, padding] =
                [kernel, stride, padding].map(|sides| sides.each()[axis]);
            average::Pool { kernel, stride, padding, count_include_pad }
        };
        let rows = Values::Given { dims: vec![high, height], of: pool(0).rows(height, high) };
        let columns = Values::Given { dims: vec![width, wide], of: pool(1).columns(width, wide) };
        self.between(path, input.name, [rows, columns], [channels, high, width])
    }

    fn gelu(
        &mut self,
        approximate: GeluApproximation,
        path: &str,
        input: Flow,
    ) -> Result<Node, ModelError> {
        let shape = input.shape;
        let step = |builder: &mut Self, op_type, name: &str, reads: [&str; 2]| {
            let node = Node::new(op_type, &format!("{path}.{name}"));
            let reads = reads.into_iter().filter(|read| !read.is_empty());
            Ok::<String, ModelError>(builder.push(node.reads(reads), shape)?.name)
        };
        let x = input.name.as_str();
        let one = self.number(path, "one", 1.0)?;
        let half = self.number(path, "half", 0.5)?;
        let curve = match approximate {
            GeluApproximation::None => {
                let scale = self.number(path, "scale", FRAC_1_SQRT_2)?;
                let scaled = step(self, "Mul", "scaled", [x, &scale])?;
                step(self, "Erf", "curve", [&scaled, ""])?
            }
            GeluApproximation::Tanh => {
                let cubic = self.number(path, "cubic", 0.044715)?;
                let scale = self.number(path, "scale", FRAC_2_SQRT_PI * FRAC_1_SQRT_2)?;
                let square = step(self, "Mul", "square", [x, x])?;
                let cube = step(self, "Mul", "cube", [&square, x])?;
                let small = step(self, "Mul", "small", [&cube, &cubic])?;
                let inner = step(self, "Add", "inner", [x, &small])?;
                let scaled = step(self, "Mul", "scaled", [&inner, &scale])?;
                step(self, "Tanh", "curve", [&scaled, ""])?
            }
        };
        let raised = step(self, "Add", "raised", [&curve, &one])?;
        let doubled = step(self, "Mul", "doubled", [x, &raised])?;
        Ok(Node::new("Mul", path).reads([doubled, half]))
    }

    /// A constant of the layer.
    fn number(&mut self, path: &str, name: &str, value: f64) -> Result<String, ModelError> {
        self.initializer(path, name, Values::Given { dims: Vec::new(), of: vec![value as f32] })
    }
}
