//! The journal of a study is one that Optuna and optuna-dashboard read.
//!
//! `tests/python/read_journal.py` reads it with Optuna, and `tests/data/optuna_read.json` records what Optuna found,
//! with the SHA-256 of the journal: its trials are made up, so that it has the same bytes everywhere. A machine without
//! Optuna proves that its journal is the one that was read.
//!
//! After a change of the journal, record it with
//!
//! ```sh
//! OPTUNA_RECORD=1 PYTHON=python3 cargo test --test study_journal
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use selvedge::study::config::Part;
use selvedge::study::trial::{Ending, Epoch};
use selvedge::study::{StudyConfig, StudyResults, TrialRecord, VariantResults};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const SCRIPT: &str = "tests/python/read_journal.py";
const RECORD: &str = "tests/data/optuna_read.json";
const HOW_TO_RECORD: &str = "OPTUNA_RECORD=1 PYTHON=python3 cargo test --test study_journal";

/// A range by ratio, whole numbers, a list of numbers, and one of a text and a table.
const STUDY: &str = r#"
[study]
question = "Which of all these is best?"
seeds = 2
[vary]
learning_rate = { min = 1e-4, max = 1e-2, log = true, points = 2 }
epochs = { min = 2, max = 3, integer = true, points = 2 }
"model.dropout" = [0.0, 0.25]
optimizer = ["adam", { name = "sgd", momentum = 0.9 }]
[base]
model = "cnn2"
"#;

/// The trials in their order, of made-up values: one is not finished, one diverged in its second epoch.
fn results() -> StudyResults {
    let study: StudyConfig = STUDY.parse().unwrap();
    let variants: Vec<VariantResults> = study
        .variants()
        .unwrap()
        .into_iter()
        .enumerate()
        .map(|(place, variant)| {
            let epochs = variant.trial.fit.epochs;
            let trials = study
                .seeds
                .iter()
                .map(|seed| ((place, *seed) != (3, 1)).then(|| record(place, *seed, epochs)));
            VariantResults { trials: trials.collect(), variant, failures: Vec::new() }
        })
        .collect();
    StudyResults::new(study, variants)
}

fn record(place: usize, seed: u64, epochs: usize) -> TrialRecord {
    let loss = |epoch: usize| {
        1.0 / (2 + epoch) as f64 + ((place * 7 + seed as usize * 3) % 16) as f64 / 64.0
    };
    let diverges = (place, seed) == (5, 0);
    let values = |epoch: usize| {
        if diverges && epoch == 1 { vec![f64::NAN, 0.5] } else { vec![loss(epoch), 0.5] }
    };
    let epoch = |epoch: usize| Epoch {
        train: vec![0.5, 0.5],
        validation: values(epoch),
        learning_rate: 0.001,
        seconds: 1.5,
    };
    let (ran, ending) = match diverges {
        true => (2, Ending::Diverged { epoch: 2, batch: 3 }),
        false => (epochs, Ending::Complete {}),
    };
    let best = if diverges { 1 } else { epochs };
    let scores = |part: Part| {
        let values = [("loss".to_owned(), loss(best - 1)), ("accuracy".to_owned(), 0.5)];
        (part, BTreeMap::from(values))
    };
    TrialRecord {
        key: format!("{place:032x}"),
        seed,
        ending,
        best_epoch: best,
        images: 100,
        parameters: 10,
        device: "flex".into(),
        version: "0.1.0".into(),
        seconds: 1.5 * ran as f64,
        columns: vec!["loss".into(), "accuracy".into()],
        scores: Part::ALL.map(scores).into(),
        settings: Default::default(),
        data: String::new(),
        confusion: BTreeMap::new(),
        epochs: (0..ran).map(epoch).collect(),
    }
}

/// What Optuna is to find of each trial, in the order of the study.
fn expected(results: &StudyResults) -> Vec<Value> {
    let mut expected = Vec::new();
    for variant in &results.variants {
        let settings: BTreeMap<&str, Value> = variant
            .variant
            .settings
            .iter()
            .map(|(name, value)| {
                let number =
                    value.as_float().map(Value::from).or(value.as_integer().map(Value::from));
                let text = || value.as_str().map_or_else(|| value.to_string(), String::from);
                (name.as_str(), number.unwrap_or_else(|| text().into()))
            })
            .collect();
        for trial in variant.trials.iter().flatten() {
            let losses = trial.epochs.iter().map(|epoch| epoch.validation[0]).enumerate();
            let steps: BTreeMap<String, f64> = losses
                .filter(|(_, loss)| loss.is_finite())
                .map(|(at, loss)| ((at + 1).to_string(), loss))
                .collect();
            let is_complete = matches!(trial.ending, Ending::Complete {});
            let score = trial.score(Part::Validation, "loss");
            expected.push(json!({
                "state": if is_complete { "COMPLETE" } else { "FAIL" },
                "value": score.filter(|_| is_complete),
                "params": settings,
                "intermediate_values": steps,
                "user_attrs": {
                    "variant": variant.variant.name,
                    "seed": trial.seed,
                    "best_epoch": trial.best_epoch,
                    "test loss": trial.score(Part::Test, "loss"),
                    "test accuracy": 0.5,
                },
                "seconds": trial.seconds,
            }));
        }
    }
    expected
}

fn python() -> String {
    std::env::var("PYTHON").unwrap_or("python3".into())
}

/// Whether Python has a package.
fn has(package: &str) -> bool {
    let output = Command::new(python()).args(["-c", &format!("import {package}")]).output();
    let has = output.is_ok_and(|output| output.status.success());
    if !has {
        // Not with `println`, which a test that passes does not show.
        let _ = writeln!(std::io::stderr(), "skipped: {} has no {package}", python());
    }
    has
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn optuna_reads_the_states_params_and_values_of_all_trials() {
    let folder = tempfile::tempdir().unwrap();
    let results = results();
    results.write(folder.path()).unwrap();
    let journal = fs::read(folder.path().join("optuna.jsonl")).unwrap();
    let sha256: String =
        Sha256::digest(&journal).iter().map(|byte| format!("{byte:02x}")).collect();
    if has("optuna") {
        let output = Command::new(python())
            .current_dir(root())
            .arg(SCRIPT)
            .arg(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut found: Value = serde_json::from_slice(&output.stdout).unwrap();
        check(&results, &found);
        if std::env::var_os("OPTUNA_RECORD").is_some() {
            found["journal_sha256"] = sha256.clone().into();
            let text = serde_json::to_string_pretty(&found).unwrap() + "\n";
            fs::write(root().join(RECORD), text).unwrap();
        }
    }
    let recorded = fs::read_to_string(root().join(RECORD)).unwrap();
    let recorded: Value = serde_json::from_str(&recorded).unwrap();
    check(&results, &recorded);
    assert_eq!(
        recorded["journal_sha256"], sha256,
        "the journal is no longer the one that Optuna read; record it with\n{HOW_TO_RECORD}"
    );
}

/// Holds what Optuna found to what the trials are.
fn check(results: &StudyResults, found: &Value) {
    assert_eq!(
        (&found["study_name"], &found["direction"]),
        (&json!(results.study.question), &json!("MINIMIZE"))
    );
    let trials = found["trials"].as_array().unwrap();
    let expected = expected(results);
    // 16 variants with two seeds, one trial of which is not finished.
    assert_eq!((trials.len(), expected.len()), (31, 31));
    for (trial, expected) in trials.iter().zip(&expected) {
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(trial[name], *value, "{name}");
        }
    }
    let kinds = trials[0]["distributions"].as_object().unwrap();
    let kinds =
        ["learning_rate", "epochs", "model.dropout"].map(|name| kinds[name].as_str().unwrap());
    assert_eq!(kinds[0], "FloatDistribution(high=0.01, log=True, low=0.0001, step=None)");
    assert_eq!(kinds[1], "IntDistribution(high=3, log=False, low=2, step=1)");
    assert_eq!(kinds[2], "CategoricalDistribution(choices=(0.0, 0.25))");
    let value = |trial: &Value| trial["value"].as_f64();
    let best = trials.iter().filter_map(value).fold(f64::INFINITY, f64::min);
    let place = found["best"].as_u64().unwrap() as usize;
    assert_eq!(value(&trials[place]), Some(best));
}

/// A program that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The answer to a request; `None` if nobody answers yet.
fn get(port: u16, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.lines().next()?.contains(" 200 "), "{path}: {answer}");
    Some(serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {body}")))
}

#[test]
fn optuna_dashboard_shows_the_study_with_all_its_trials() {
    if !has("optuna_dashboard") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let results = results();
    results.write(folder.path()).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The program of the same name calls it so.
    let start = "import sys; from optuna_dashboard._cli import main; sys.exit(main())";
    let mut command = Command::new(python());
    command.args(["-c", start]).arg(folder.path().join("optuna.jsonl"));
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--server", "wsgiref"]);
    command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = Server(command.spawn().unwrap());
    let begin = Instant::now();
    let studies = loop {
        if let Some(studies) = get(port, "/api/studies") {
            break studies;
        }
        let ended = server.0.try_wait().unwrap();
        assert!(ended.is_none() && begin.elapsed() < Duration::from_secs(240), "{ended:?}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let studies = studies["study_summaries"].as_array().expect("studies").clone();
    assert_eq!(studies.len(), 1);
    assert_eq!(
        (&studies[0]["study_id"], &studies[0]["study_name"]),
        (&json!(0), &json!(results.study.question))
    );
    let study = get(port, "/api/studies/0").unwrap();
    let trials = study["trials"].as_array().unwrap();
    let expected = expected(&results);
    assert_eq!(trials.len(), expected.len());
    for (trial, expected) in trials.iter().zip(&expected) {
        let state = trial["state"].as_str().unwrap().to_uppercase();
        assert_eq!(state, expected["state"]);
        let values = trial["values"].as_array().map(|values| values[0].as_f64().unwrap());
        assert_eq!(values, expected["value"].as_f64());
        let steps = trial["intermediate_values"].as_array().unwrap();
        assert_eq!(steps.len(), expected["intermediate_values"].as_object().unwrap().len());
        assert_eq!(
            trial["params"].as_array().unwrap().len(),
            expected["params"].as_object().unwrap().len()
        );
    }
}
