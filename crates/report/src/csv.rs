use selvedge_train::{History, Score};

/// The epochs of a run as a table with a header, separated by commas: epoch, what was measured in
/// training and in validation, seconds.
///
/// ```
/// use selvedge_report::history_csv;
/// use selvedge_train::{History, Metrics};
///
/// let empty = history_csv(&History::<Metrics>::default());
/// let header = "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,seconds\n";
/// assert_eq!(empty, header);
/// ```
pub fn history_csv<S: Score>(history: &History<S>) -> String {
    let header = |part: &str| {
        S::COLUMNS.iter().map(|column| format!("{part}_{column},")).collect::<String>()
    };
    let row = |score: &S| score.values().iter().map(|v| format!("{v:.6},")).collect::<String>();
    let mut csv = format!("epoch,{}{}seconds\n", header("train"), header("validation"));
    for e in &history.epochs {
        let (train, validation) = (row(&e.train), row(&e.validation));
        csv += &format!("{},{train}{validation}{:.3}\n", e.epoch, e.seconds);
    }
    csv
}

#[cfg(test)]
mod tests {
    use selvedge_train::{EpochRecord, Metrics};

    use super::*;

    #[test]
    fn csv_has_a_line_an_epoch_below_its_header() {
        let epoch = |epoch, loss| EpochRecord {
            epoch,
            train: Metrics { loss: 1.0, accuracy: 0.5 },
            validation: Metrics { loss, accuracy: 0.25 },
            seconds: 2.0,
        };
        let csv = history_csv(&History { epochs: vec![epoch(1, 0.125), epoch(2, 0.5)] });
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 3);
        let header = "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,seconds";
        assert_eq!(lines[0], header);
        assert_eq!(lines[1], "1,1.000000,0.500000,0.125000,0.250000,2.000");
    }
}
