//! Sweeps: several trainings of one command, and the table of what they came to.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::program::{Ended, run_in, run_in_system};

const SERVICES: &str = "family,fetcher,validator,processor,trainer,registry";

/// Lines of standard output that are JSON.
fn json_lines(ended: &Ended) -> Vec<Value> {
    let lines = ended.out.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// A command that reads no server, in an empty folder.
fn train(arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["train", "eurusd_rsi_macd"], arguments].concat();
    run_in(folder.path(), &arguments)
}

/// Mean validation loss of each learning rate, from the models alone.
fn validation_by_rate(lines: &[Value]) -> BTreeMap<String, f64> {
    let mut losses: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for model in lines.iter().filter(|line| line["type"] == "model") {
        let rate = model["overrides"]["training"]["learning_rate"].to_string();
        let loss = model["validation"]["loss"].as_f64().unwrap();
        losses.entry(rate).or_default().push(loss);
    }

    let mean = |losses: &Vec<f64>| losses.iter().sum::<f64>() / losses.len() as f64;
    losses
        .iter()
        .map(|(rate, it)| (rate.clone(), mean(it)))
        .collect()
}

#[test]
fn a_sweep_ends_with_a_table_that_the_models_confirm() {
    let folder = tempfile::tempdir().unwrap();
    let commands = "\
        ktrdr data load EURUSD --timeframe 1h --mode full --start 2014-01-01 --end 2018-12-31 \
            --quiet >load.txt 2>&1 || exit 9; \
        ktrdr train eurusd_rsi_macd --sweep training.learning_rate=0.001,0.01 --seeds 2 --folds 4 \
            --epochs 1 >table.txt 2>train.txt || exit 8; \
        ktrdr models sweep --json; ktrdr models list --json; \
        ktrdr ops --parent last --json; cat table.txt";

    let ended = run_in_system(folder.path(), SERVICES, commands);

    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    let lines = json_lines(&ended);
    let sweep = lines.iter().find(|line| line["type"] == "sweep").unwrap();
    assert_eq!(
        (&sweep["trainings"], &sweep["trained"]),
        (&16.into(), &16.into())
    );
    assert_eq!(sweep["overfitting"]["splits"], 6);

    // The table is what an independent computation makes of the models, the best first.
    let expected = validation_by_rate(&lines);
    let combinations = sweep["combinations"].as_array().unwrap();
    assert_eq!(combinations.len(), 2);
    let mut means = Vec::new();
    for combination in combinations {
        let name = combination["combination"].as_str().unwrap();
        let rate = name.strip_prefix("learning_rate=").unwrap();
        let mean = combination["validation"]["mean"].as_f64().unwrap();
        assert!((mean - expected[rate]).abs() < 1e-12, "{name}: {mean}");
        means.push(mean);
    }
    assert!(means[0] <= means[1]);

    // Four folds are four data sets, on each of which one operation trains both rates and seeds.
    let children = lines.iter().filter(|line| line["kind"] == "train");
    assert_eq!(children.count(), 4);
    let model = |line: &&Value| line["type"] == "model";
    let versions = lines.iter().filter(model).map(|line| &line["version"]);
    let mut versions: Vec<u64> = versions.map(|version| version.as_u64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=16).collect::<Vec<u64>>());
    assert!(ended.out.contains("COMBINATION"), "{}", ended.out);
    assert!(
        ended.out.contains("best on validation: learning_rate="),
        "{}",
        ended.out
    );
    assert_judged(sweep, &lines, &ended.out);
}

/// The edge of the best is judged as one of 16: by the p of its version, and what Holm makes of it.
fn assert_judged(sweep: &Value, lines: &[Value], screen: &str) {
    let figure = |model: &Value, name: &str| model["validation"][name].as_f64();
    let is_model = |line: &&Value| line["type"] == "model";
    let models: Vec<&Value> = lines.iter().filter(is_model).collect();
    let chosen = &sweep["combinations"][0]["best_version"];
    let chosen = models.iter().find(|model| model["version"] == *chosen);

    let p = figure(chosen.unwrap(), "rank_ic_p").unwrap();
    let lower = models.iter().filter_map(|model| figure(model, "rank_ic_p"));
    let mut lower: Vec<f64> = lower.filter(|other| *other <= p).collect();
    lower.sort_by(f64::total_cmp);
    let steps = lower
        .iter()
        .zip(0..)
        .map(|(p, rank)| f64::from(16 - rank) * p);
    let holm = steps.fold(0.0, f64::max).min(1.0);

    let edge = &sweep["edge"];
    assert_eq!(edge["trainings"], 16);
    assert!(
        (edge["validation"]["p"].as_f64().unwrap() - holm).abs() < 1e-12,
        "{edge}"
    );
    assert_eq!(edge["is_edge"], false, "{edge}");
    assert!(screen.contains("edge: none is shown"), "{screen}");
    assert!(screen.contains("deflated Sharpe ratio"), "{screen}");
}

#[test]
fn a_dry_run_says_which_trainings_there_would_be() {
    let ended = train(&[
        "--sweep",
        "indicators.rsi_14.period=7,14",
        "--seeds",
        "2",
        "--model",
        "mine",
        "--dry-run",
    ]);

    assert_eq!(ended.exit, Some(0), "{}", ended.err);
    insta::assert_snapshot!(ended.out, @"
    Would start 2 operations, at most 64 at a time:
      train   2 trainings period=7
      train   2 trainings period=14
    ");
    let heading = "2 combinations × 2 seeds × 1 fold = 4 trainings, versions of mine";
    assert!(ended.err.contains(heading), "{}", ended.err);
    let unknown = "How long they take is not known yet: no version of eurusd_rsi_macd is stored";
    assert!(ended.err.contains(unknown), "{}", ended.err);
}

#[test]
fn a_dry_run_says_how_long_the_trainings_take() {
    let folder = tempfile::tempdir().unwrap();
    let commands = "\
        ktrdr train eurusd_rsi_macd --data-mode full --epochs 2 --quiet >train.txt 2>&1 || exit 9; \
        ktrdr train eurusd_rsi_macd --seeds 40 --epochs 2 --dry-run";

    let ended = run_in_system(folder.path(), SERVICES, commands);

    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    let line = ended
        .err
        .lines()
        .find(|line| line.starts_with("Expected: "));
    let line = line.unwrap_or_else(|| panic!("{}", ended.err));
    assert!(line.contains("of 1 trainer"), "{line}");
    assert!(
        line.contains("as eurusd_rsi_macd@1 trained 2 epochs in "),
        "{line}"
    );
}

#[test]
fn what_cannot_be_swept_is_refused_before_anything_starts() {
    let wrong: [&[&str]; 7] = [
        &["--sweep", "model.architecture.hiden_layers=[8],[16]"],
        &["--sweep", "training.learning_rate=1e9,1e-3"],
        &["--sweep", "training.seed=1,2"],
        &["--sweep", "training.epochs=5,5"],
        &["--folds", "900"],
        &["--limit", "3"],
        &["--seeds", "9000", "--folds", "4"],
    ];

    let mut screens = String::new();
    for arguments in wrong {
        let ended = train(arguments);
        assert_eq!(ended.exit, Some(2), "{arguments:?}: {}", ended.err);
        screens.push_str(&format!("{}\n{}\n", arguments.join(" "), ended.err));
    }
    insta::assert_snapshot!(screens, @"
    --sweep model.architecture.hiden_layers=[8],[16]
    error: the strategy has no key `model.architecture.hiden_layers`; did you mean `model.architecture.hidden_layers`?
    hint: `--sweep` takes the keys that the file has, and those of `training` that set the trainer

    --sweep training.learning_rate=1e9,1e-3
    error: with learning_rate=1e9: built-in/eurusd_rsi_macd.yaml: the strategy has 1 error(s) and 0 warning(s)
      error[value.range] request.learning_rate: 1000000000 is not a number above 0 and at most 1
    hint: change the value of `--sweep` or the flag named after `request.`

    --sweep training.seed=1,2
    error: `--sweep training.seed` makes a combination of each seed
    hint: use --seeds N, and --seed for the first of them: their results are averaged

    --sweep training.epochs=5,5
    error: invalid value 'training.epochs=5,5' for '--sweep <KEY=VALUES>': `5` is there twice

    For more information, try '--help'.

    --folds 900
    error: 1826 days are too few for 900 folds
    hint: cut a longer time, or ask for fewer --folds

    --limit 3
    error: --limit and --fail-fast are for several trainings, and this is one
    hint: take them out, or add --sweep, --seeds or --folds

    --seeds 9000 --folds 4
    error: 36000 trainings, at most 10000
    hint: sweep fewer values, seeds or folds
    ");
}

#[test]
fn a_sweep_in_a_file_or_a_schedule_is_all_of_its_trainings() {
    let folder = tempfile::tempdir().unwrap();
    let line = "train eurusd_rsi_macd --seeds 3 --model swept";
    let lines = format!("- {line}\n- {line} --data-mode full\n");
    std::fs::write(folder.path().join("good.yaml"), format!("- {line}\n")).unwrap();
    std::fs::write(folder.path().join("wrong.yaml"), lines).unwrap();

    let good = run_in(folder.path(), &["run", "good.yaml", "--dry-run"]);
    assert!(good.out.contains("3 trainings"), "{}{}", good.out, good.err);
    let wrong = run_in(folder.path(), &["run", "wrong.yaml", "--dry-run"]);
    assert_eq!(wrong.exit, Some(2), "{}", wrong.err);
    assert!(
        wrong.err.contains("trains on bars as they are stored"),
        "{}",
        wrong.err
    );

    let commands = format!(
        "ktrdr schedule add '0 22 * * *' -- {line} >added.txt || exit 9; \
         ktrdr schedule list --json"
    );
    let scheduled = run_in_system(folder.path(), "dummy", &commands);
    assert_eq!(scheduled.exit, Some(0), "{}", scheduled.err);
    // A schedule without a name is called after the kind of its operation.
    let name = "\"name\":\"family-";
    assert!(scheduled.out.contains(name), "{}", scheduled.out);
}

#[test]
fn an_operation_that_is_no_sweep_has_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let commands = "\
        ktrdr dummy start --iterations 1 --duration 0 --quiet; \
        ktrdr models sweep $(ktrdr ops --json | grep -o 'op_dummy_[0-9a-f_]*' | head -1); \
        echo exit $?; ktrdr models sweep";

    let ended = run_in_system(folder.path(), "dummy", commands);

    assert_eq!(ended.exit, Some(4), "{}", ended.err);
    assert!(ended.out.ends_with("\nexit 2\n"), "{}", ended.out);
    assert!(
        ended.err.contains("is no sweep of trainings"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("there is no sweep yet"), "{}", ended.err);
}

#[test]
fn a_sweep_of_which_trainings_fail_has_a_table_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    // At a learning rate of 1 the square of the error grows without bounds.
    let commands = "\
        ktrdr data load EURUSD --timeframe 1h --mode full --quiet >load.txt 2>&1 || exit 9; \
        ktrdr train eurusd_momentum_regression --epochs 2 --set training.optimizer=sgd \
            --set training.loss=mse --set training.gradient_clip=1000000 \
            --sweep training.learning_rate=0.001,1 --seeds 2 --quiet; echo exit $?; \
        ktrdr train eurusd_momentum_regression --epochs 2 --set training.optimizer=sgd \
            --set training.loss=mse --set training.gradient_clip=1000000 \
            --sweep training.learning_rate=1,0.001 --seeds 2 --fail-fast --quiet; echo exit $?";

    let ended = run_in_system(folder.path(), SERVICES, commands);

    let row = |name: &str| ended.out.lines().find(|line| line.starts_with(name));
    assert!(row("learning_rate=0.001").unwrap().contains(" 2/2 "));
    assert!(row("learning_rate=1 ").unwrap().contains(" 0/2"));
    assert!(
        ended.err.contains("error: 2 of 4 trainings failed"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("cause: the training diverged"));
    let exits = ended.out.lines().filter(|line| line.starts_with("exit "));
    assert_eq!(exits.collect::<Vec<_>>(), ["exit 1"; 2]);
}
