//! Functions that searches are tried on.

use std::f64::consts::PI;

use super::{Dimension, Point, Space, Value};

/// A function whose smallest value is known.
pub struct Function {
    /// What it is called.
    pub name: &'static str,
    /// Where it is defined.
    pub space: Space,
    /// What it is.
    pub value: fn(&Point) -> f64,
    /// Its smallest value.
    pub smallest: f64,
}

/// Branin, Hartmann with six dimensions, and a sum of two of three functions that two categories choose.
pub fn functions() -> [Function; 3] {
    let float = |low, high| Dimension::Float { low, high };
    let space = |dimensions| Space::new(dimensions).expect("the spaces below are possible");
    [
        Function {
            name: "Branin",
            space: space(vec![float(-5.0, 10.0), float(0.0, 15.0)]),
            value: branin,
            smallest: 0.397_887,
        },
        Function {
            name: "Hartmann-6",
            space: space(vec![float(0.0, 1.0); 6]),
            value: hartmann,
            smallest: -3.322_368,
        },
        Function {
            name: "mixed",
            space: space(vec![
                Dimension::Categorical { choices: 3 },
                Dimension::Categorical { choices: 3 },
                float(-1.0, 1.0),
                float(-1.0, 1.0),
            ]),
            value: mixed,
            smallest: -0.206_326,
        },
    ]
}

fn number(value: &Value) -> f64 {
    match *value {
        Value::Float(value) => value,
        Value::Integer(value) => value as f64,
        Value::Choice(choice) => choice as f64,
    }
}

/// F. Branin, 1972.
fn branin(point: &Point) -> f64 {
    let (x, y) = (number(&point[0]), number(&point[1]));
    let valley = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
    valley * valley + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * libm::cos(x) + 10.0
}

/// J. Hartman, 1973.
fn hartmann(point: &Point) -> f64 {
    const HEIGHTS: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
    const NARROWNESS: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const CENTERS: [[f64; 6]; 4] = [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ];
    let hill = |((height, narrow), center): ((&f64, &[f64; 6]), &[f64; 6])| {
        let along = |((x, a), c): ((&Value, &f64), &f64)| a * (number(x) - c) * (number(x) - c);
        let far: f64 = point.iter().zip(narrow).zip(center).map(along).sum();
        height * libm::exp(-far)
    };
    -HEIGHTS.iter().zip(&NARROWNESS).zip(&CENTERS).map(hill).sum::<f64>()
}

/// Rosenbrock, six-hump camel or Beale, each divided as B. Ru et al. do (*Bayesian optimisation over multiple
/// continuous and categorical inputs*, ICML 2020); smallest where both are the camel.
fn mixed(point: &Point) -> f64 {
    let (x, y) = (2.0 * number(&point[2]), 2.0 * number(&point[3]));
    let square = |v: f64| v * v;
    let chosen = |value: &Value| match number(value) {
        0.0 => (100.0 * square(y - x * x) + square(1.0 - x)) / 300.0,
        1.0 => {
            let camel = (4.0 - 2.1 * x * x + square(x * x) / 3.0) * x * x;
            (camel + x * y + (4.0 * y * y - 4.0) * y * y) / 10.0
        }
        _ => {
            let part = |start: f64, power: f64| square(start - x + x * power);
            (part(1.5, y) + part(2.25, y * y) + part(2.625, y * y * y)) / 50.0
        }
    };
    chosen(&point[0]) + chosen(&point[1])
}
