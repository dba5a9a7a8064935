use super::*;

fn study(text: &str) -> StudyConfig {
    text.parse().unwrap()
}

fn message(text: &str) -> String {
    text.parse::<StudyConfig>().unwrap_err().to_string()
}

fn names(text: &str) -> Vec<String> {
    study(text).variants().unwrap().into_iter().map(|variant| variant.name).collect()
}

#[test]
fn three_lines_are_a_study() {
    let study = study("[vary]\nlearning_rate = [0.01, 0.001]");
    assert_eq!(study.seeds, [0, 1, 2]);
    assert_eq!(study.metric.to_string(), "validation.loss");
    let rates = study.variants().unwrap().into_iter().map(|v| v.trial.fit.learning_rate);
    assert_eq!(rates.collect::<Vec<_>>(), [0.01, 0.001]);
}

#[test]
fn a_grid_has_every_combination_in_the_order_of_the_file() {
    let text = "[vary]\nlearning_rate = [0.01, 0.001]\n'model.dropout' = [0, 0.25]\n\
                batch_size = { min = 32, max = 64, integer = true, points = 2 }";
    let names = names(text);
    assert_eq!(names.len(), 8);
    assert_eq!(names[0], "learning_rate=0.01, model.dropout=0, batch_size=32");
    assert_eq!(names[1], "learning_rate=0.01, model.dropout=0, batch_size=64");
    assert_eq!(names[7], "learning_rate=0.001, model.dropout=0.25, batch_size=64");
}

#[test]
fn a_condition_sets_a_value_only_where_it_matters() {
    let text = "[vary]\n'optimizer.momentum' = { values = [0, 0.9], when = { optimizer = 'sgd' } }\n\
                optimizer = ['adam', 'sgd']";
    let expected = [
        "optimizer=adam",
        "optimizer.momentum=0, optimizer=sgd",
        "optimizer.momentum=0.9, optimizer=sgd",
    ];
    assert_eq!(names(text), expected);
}

#[test]
fn one_at_a_time_varies_each_setting_from_the_base() {
    let text = "[study]\nsearch = 'one_at_a_time'\n[base]\nlearning_rate = 0.01\n\
                [vary]\nlearning_rate = [0.01, 0.001]\nepochs = [10, 20]\n\
                [[variant]]\nname = 'bold'\nlearning_rate = 1\nepochs = 1";
    // The base has 0.01 and 10 epochs already.
    assert_eq!(names(text), ["base", "learning_rate=0.001", "epochs=20", "bold"]);
}

#[test]
fn arms_change_several_settings_and_are_crossed_with_what_varies() {
    let text = "[base.model]\nname = 'transfer_cnn'\n[vary]\nlearning_rate = [0.01, 0.001]\n\
                [[variant]]\nname = 'random'\n[[variant]]\nname = 'from FM-2'\n\
                pretrain = { dataset = 'fashion_mnist[fm2]', model = 'transfer_cnn', epochs = 3, keep = 'conv*' }";
    let variants = study(text).variants().unwrap();
    assert_eq!(variants.len(), 4);
    assert_eq!(variants[2].name, "from FM-2, learning_rate=0.01");
    let pretrain = variants[2].trial.pretrain.as_ref().unwrap();
    assert_eq!(pretrain.trial.fit.epochs, 3);
    assert_eq!(pretrain.keep.to_string(), "conv*");
    assert!(variants[0].trial.pretrain.is_none());
}

#[test]
fn names_stand_for_tables_and_classes_stand_in_brackets() {
    let text = "[base]\ndataset = 'fashion_mnist[1, 3, 5]'\noptimizer = 'sgd'\nschedule = 'cosine'\n\
                task = { name = 'classify', loss = { name = 'focal' } }";
    let trial = &study(text).variants().unwrap()[0].trial;
    assert_eq!(trial.dataset.classes, Some(Classes::Labels(vec![1, 3, 5])));
    assert_eq!(trial.fit.optimizer, selvedge_train::OptimizerConfig::sgd(0.0));
    assert_eq!(trial.fit.schedule, selvedge_train::Schedule::cosine());
    let fm2 = &study("[base]\ndataset = 'fashion_mnist[fm2]'").variants().unwrap()[0].trial;
    assert_eq!(fm2.dataset.classes, Some(Classes::Named(Subset::Fm2)));
}

#[test]
fn settings_come_back_from_their_table_as_they_were() {
    let text = "[base]\nmodel = { name = 'cnn2', dropout = 0.25 }\nlearning_rate = 0.02\n\
                transforms = [{ name = 'random_horizontal_flip' }]\nfreeze = 'conv1.*'\n\
                [base.pretrain]\ntask = 'reconstruct'\nmodel = 'conv_autoencoder'\nnormalization = 'unit'\n\
                [base.pretrain.dataset]\nclasses = 'fm1'\nalso = [{ classes = 'fm2', parts = ['train', 'test'] }]";
    let trial = study(text).variants().unwrap().remove(0).trial;
    let again = TrialConfig::from_table(trial.to_table()).unwrap();
    assert_eq!(again.to_table(), trial.to_table());
    assert_eq!(again.fit, trial.fit);
    let same = StudyConfig::new(&trial).variants().unwrap().remove(0).trial;
    assert_eq!(same.to_table(), trial.to_table());
}

#[test]
fn a_table_is_set_before_what_is_within_it_whatever_the_order_of_the_file() {
    let text = "[vary]\n'optimizer.momentum' = [0.0, 0.5]\noptimizer = ['sgd', 'rmsprop']";
    let expected = [
        "optimizer.momentum=0, optimizer=sgd",
        "optimizer.momentum=0, optimizer=rmsprop",
        "optimizer.momentum=0.5, optimizer=sgd",
        "optimizer.momentum=0.5, optimizer=rmsprop",
    ];
    assert_eq!(names(text), expected);
    let last = study(text).variants().unwrap().remove(3).trial.fit.optimizer;
    assert_eq!(last, serde_json::from_str(r#"{"name": "rmsprop", "momentum": 0.5}"#).unwrap());
}

#[test]
fn conditions_may_depend_on_others_and_have_ranges() {
    let text = "[vary]\n'optimizer.nesterov' = { values = [false, true], when = { 'optimizer.momentum' = 0.9 } }\n\
                'optimizer.momentum' = { min = 0, max = 0.9, points = 2, when = { optimizer = 'sgd' } }\n\
                optimizer = ['adam', 'sgd']";
    let expected = [
        "optimizer=adam",
        "optimizer.momentum=0, optimizer=sgd",
        "optimizer.nesterov=false, optimizer.momentum=0.9, optimizer=sgd",
        "optimizer.nesterov=true, optimizer.momentum=0.9, optimizer=sgd",
    ];
    let mut found = names(text);
    found.sort();
    let mut expected = expected.map(String::from);
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn what_is_trained_before_is_as_the_base_but_for_what_it_says() {
    let text = "[base]\ndataset = { name = 'fashion_mnist', fraction = 0.01 }\noptimizer = 'sgd'\nepochs = 5\n\
                [vary]\nlearning_rate = [0.1, 0.01]\n[[variant]]\nname = 'a'\npretrain = { epochs = 1 }";
    for variant in study(text).variants().unwrap() {
        let before = &variant.trial.pretrain.as_ref().unwrap().trial;
        assert_eq!((before.dataset.fraction, before.fit.epochs), (0.01, 1));
        assert_eq!(before.fit.optimizer, selvedge_train::OptimizerConfig::sgd(0.0));
        // What varies does not: every variant begins with the same weights.
        assert_eq!(before.fit.learning_rate, 0.001);
    }
}

#[test]
fn a_quick_study_leaves_out_what_differs_by_its_epochs_alone() {
    let quick = study("[vary]\nlearning_rate = [0.1, 0.01]\nepochs = [50, 100]").quick();
    let variants = quick.variants().unwrap();
    assert_eq!(variants.len(), 2);
    assert!(variants.iter().all(|v| v.trial.fit.epochs == 1 && v.trial.dataset.fraction == 0.02));
}

#[test]
fn the_epoch_is_chosen_by_the_metric_unless_the_file_says_otherwise() {
    let monitor = |text: &str| study(text).variants().unwrap().remove(0).trial.fit.monitor;
    assert_eq!(monitor("[base]\nepochs = 1"), "loss");
    assert_eq!(monitor("[study]\nmetric = 'validation.accuracy'"), "accuracy");
    assert_eq!(
        monitor("[study]\nmetric = 'validation.accuracy'\n[base]\nmonitor = 'loss'"),
        "loss"
    );
}

#[test]
fn impossible_studies_are_refused_with_their_line() {
    for (text, expected) in [
        ("[study]\nseeds = 0", "line 2: study.seeds: there is none: at least one is needed"),
        ("[study]\nseeds = [1, 1]", "line 2: study.seeds: 1 is there twice"),
        ("[study]\nbudget = 0", "line 2: study.budget: it is 0: nothing would be trained"),
        (
            "[study]\nmetric = 'validation.lss'",
            "line 2: study.metric: `validation.lss` is no metric, there are validation.loss, \
             validation.accuracy, validation.macro_f1, train.loss, train.accuracy, train.macro_f1",
        ),
        (
            "[study]\nmetric = 'test.accuracy'",
            "line 2: study.metric: choices are made on validation images, the test images judge them: take `validation.…`",
        ),
        ("[studdy]", "line 1: studdy: `studdy` is unknown; did you mean `study`?"),
        ("[base]\nepochs = 0", "line 2: base.epochs: epochs is 0, but must be at least 1"),
        (
            "[base]\nepochs = 5\nlerning_rate = 1",
            "line 3: base.lerning_rate: `lerning_rate` is unknown; did you mean `learning_rate`?",
        ),
        (
            "[base.model]\nname = 'cnn2'\ndropot = 0.1",
            "line 3: base.model.dropot: `dropot` is unknown; did you mean `dropout`?",
        ),
        (
            "[base]\nfraction = 0.1",
            "line 2: base.fraction: `fraction` is unknown; did you mean `dataset.fraction`?",
        ),
        ("[base]\nlr = 0.1", "line 2: base.lr: `lr` is unknown; did you mean `learning_rate`?"),
        ("[base]\nseed = 3", "line 2: base.seed: the seeds of a study are those of [study]"),
        (
            "[vary]\nlearning_rate = [0.1,\n  0.01,\n  -1,\n]",
            "line 4: vary.learning_rate: learning rate is -1, but must be above 0",
        ),
        (
            "[vary]\n'dataset.fraction' = [0.5, 1.5]",
            "line 2: vary.dataset.fraction: it is 1.5, but must be above 0 and at most 1",
        ),
        (
            "[vary]\nepochs = { min = 1, max = 9 }",
            "line 2: vary.epochs: a grid needs to know how many `points` the range has",
        ),
        (
            "[study]\nsearch = 'tpe'\n[vary]\nepochs = [1, 2]",
            "line 1: study.budget: a search needs to know how many variants it may try",
        ),
        (
            "[study]\npruner = 'mean'",
            "line 2: study.pruner.name: `mean` is unknown; did you mean `median`?",
        ),
        (
            "[study]\npruner = { name = 'median', startup = 0 }",
            "line 2: study.pruner: startup is 0, but must be at least 1",
        ),
        (
            "[study]\nsearch = 'hyperband'\npruner = 'median'\n[vary]\nbatch_size = [1, 2]",
            "line 3: study.pruner: halving ends trials by itself",
        ),
        (
            "[study]\nsearch = 'one_at_a_time'\npruner = 'median'\n[vary]\nbatch_size = [1, 2]",
            "line 3: study.pruner: one setting at a time asks how much each one matters: all of its trials come to their \
             end",
        ),
        (
            "[study]\nsearch = 'tpee'",
            "line 2: study.search.name: `tpee` is unknown; did you mean `tpe`?",
        ),
        (
            "[study]\nbudget = 3\n[vary]\nepochs = [1, 2]\nbatch_size = [1, 2]",
            "line 2: study.budget: the study has 4 variants, the budget is 3",
        ),
        (
            "[study]\nbaseline = 'x'\n[vary]\nepochs = [1, 2]",
            "line 2: study.baseline: \"x\" is none of \"epochs=1\", \"epochs=2\"",
        ),
        (
            "[[variant]]\nname = 'a'\n[[variant]]\nname = 'b'\nbatch_size = 0",
            "line 5: variant \"b\".batch_size: batch size is 0, but must be at least 1",
        ),
        ("[[variant]]\nepochs = 1", "line 1: variant.0: it has no `name`"),
        ("[[variant]]\nname = \"a\\n\"", "line 1: variant.0: its `name` has control characters"),
        (
            "[[variant]]\nname = 'a'\n[[variant]]\nname = 'b'",
            "line 1: variant: \"a\" and \"b\" are the same variant",
        ),
        (
            "[vary]\noptimizer = ['sgd', { name = 'sgd' }]",
            "line 1: vary: \"optimizer=sgd\" and \"optimizer=sgd\" are the same variant",
        ),
        (
            "[vary]\noptimizer = ['sgd']\nl2 = { values = [0.0, 0.1], when = { optimizer = 'sgdx' } }",
            "line 3: vary.l2: no variant meets its `when`: it would never be set",
        ),
        (
            "[vary]\nmodel.dropout = [0.1, 0.2]",
            "line 2: vary.model: a setting within a table is written in quotes: \"model.dropout\"",
        ),
        (
            "[vary]\nepochs = { min = 1, max = 4, points = 2 }",
            "line 2: vary.epochs: it is 1.0, but must be a whole number, 0 or more; a range of whole numbers says \
             `integer = true`",
        ),
        ("[base\nepochs = 1", "line 1: unclosed table, expected `]`"),
        (
            "[base]\noptimizer = 3",
            "line 2: base.optimizer: it is 3, but must be a name, or a table with a `name`",
        ),
        (
            "[base.pretrain]\nepochs = 1\nepoch = 2",
            "line 3: base.pretrain.epoch: `epoch` is unknown; did you mean `epochs`?",
        ),
    ] {
        assert_eq!(message(text), expected, "{text}");
    }
}

#[test]
fn a_pruner_that_is_none_is_refused_in_plain_words() {
    for (pruner, expected) in [
        ("3", "line 2: study.pruner: it is 3, but must be a name, or a table with a `name`"),
        (
            "['median']",
            "line 2: study.pruner: it is a list, but must be a name, or a table with a `name`",
        ),
        ("{ startup = 3 }", "line 2: study.pruner: it has no `name`"),
        (
            "{ name = 'median', startup = 'x' }",
            "line 2: study.pruner: startup: it is \"x\", but must be a whole number, 0 or more",
        ),
        (
            "{ name = 'median', warmup = -1 }",
            "line 2: study.pruner: warmup: it is -1, but must be a whole number, 0 or more",
        ),
        (
            "{ name = 'median', startup = 9223372036854775808 }",
            "line 2: a number is too large: the largest is 9223372036854775807",
        ),
        // No number of 64 bits at all.
        (
            "{ name = 'median', startup = 99999999999999999999 }",
            "line 2: a number is too large: the largest is 9223372036854775807",
        ),
    ] {
        assert_eq!(message(&format!("[study]\npruner = {pruner}")), expected);
        let of_argument = study("").overridden([format!("pruner={pruner}")]).unwrap_err();
        let expected = expected.replace("line 2: ", "").replace("study.pruner: ", "");
        assert_eq!(of_argument.message, expected);
    }
}

/// Nine batch sizes, in three generations.
const NINE: &str = "[study]\npruner = 'median'\n[base]\nepochs = 3\n[vary]\nbatch_size = [1, 2, 3, 4, 5, 6, 7, 8, 9]\n";

#[test]
fn a_pruner_under_which_no_trial_can_end_early_is_refused() {
    let few = |startup: usize, others: usize| {
        format!(
            "line 2: study.pruner: startup is {startup}, but a trial is compared with {others} others at most, those of \
             earlier generations of 4: none could end early"
        )
    };
    let spared = |warmup: usize, epochs: usize| {
        format!(
            "line 2: study.pruner: warmup is {warmup}, and no trial has more than {epochs} epochs: none could end early"
        )
    };
    let arms = "[[variant]]\nname = 'a'\n[[variant]]\nname = 'b'\nl2 = 0.1\n";
    let with =
        |settings: &str| NINE.replace("'median'", &format!("{{ name = 'median', {settings} }}"));
    let searched = |budget: usize| {
        let search = format!("search = 'random'\nbudget = {budget}\n[base]");
        NINE.replace("[base]", &search)
            .replace("[1, 2, 3, 4, 5, 6, 7, 8, 9]", "{ min = 1, max = 99, integer = true }")
    };
    for (text, expected) in [
        (NINE.replace(", 9]", "]"), few(5, 4)),
        (format!("{}{arms}", NINE.replace(", 9]", "]")), few(5, 4)),
        // The only one of the last generation is the one that always comes to its end.
        (NINE.replace("[base]", "baseline = 'batch_size=9'\n[base]"), few(5, 4)),
        (with("startup = 9"), few(9, 8)),
        (with("startup = 1, warmup = 2"), spared(2, 3)),
        (with("warmup = 9223372036854775807"), spared(i64::MAX as usize, 3)),
        (searched(8), few(5, 4)),
        // There are fewer than the budget.
        (searched(12).replace("max = 99", "max = 8"), few(5, 4)),
    ] {
        assert_eq!(message(&text), expected, "{text}");
    }
    let some = [
        NINE.into(),
        format!("{NINE}{arms}"),
        NINE.replace("[base]", "baseline = 'batch_size=8'\n[base]"),
        with("startup = 8, warmup = 1"),
        // Another arm is trained for longer.
        format!(
            "{}[[variant]]\nname = 'a'\n[[variant]]\nname = 'b'\nepochs = 4\n",
            with("warmup = 2")
        ),
        searched(9),
    ];
    for text in some {
        assert!(study(&text).check().is_ok(), "{text}");
    }
    // The nine of `epochs` have one of the eight before that comes beyond the warmup.
    let longer = "[study]\npruner = { name = 'median', startup = 2, warmup = 2 }\n\
                  [vary]\nepochs = [1, 1, 1, 1, 9]"
        .replace("[1, 1, 1, 1, 9]", "[1, 2, 3, 4, 9]");
    assert!(study(&longer).check().is_ok());
    assert_eq!(message(&longer.replace("[1, 2, 3, 4, 9]", "[4, 1, 2, 9]")), few(2, 0));
    assert_eq!(message(&longer.replace("startup = 2", "startup = 3")), few(3, 2));
    // A quick study is a check that everything works: it has one epoch.
    assert!(study(NINE).quick().check().is_ok());
}
