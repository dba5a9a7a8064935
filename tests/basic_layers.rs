//! The example that compares the layers of basic operations with the framework's own.

#[path = "common/example.rs"]
mod example;

use std::process::Command;

#[test]
fn every_layer_of_the_example_agrees_in_output_and_gradient() {
    let arguments = ["--batch", "2", "--repeat", "1", "--device", "flex"];
    let output = Command::new(example::program("basic_layers")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let text = String::from_utf8(output.stdout).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    assert!(header.starts_with("layer "), "{header}");
    let mut compared = 0;
    for row in rows.lines() {
        // The columns that are numbers in scientific notation; a whole network shows no gradient.
        let numbers = row
            .split_whitespace()
            .filter_map(|word| word.contains('e').then(|| word.parse::<f32>().ok()).flatten());
        for difference in numbers {
            assert!(difference <= 1e-5, "{row}");
            compared += 1;
        }
    }
    assert_eq!(compared, 9, "outputs of five rows, gradients of four:\n{text}");
}
