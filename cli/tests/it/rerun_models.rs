//! `ktrdr models rerun`: the same again, or with one thing changed, on the same data set.

use serde_json::Value;

use crate::program::{Ended, run_in_system};

const SERVICES: &str = "fetcher,validator,processor,trainer,registry";
/// A model of two epochs.
const TRAINED: &str = "\
    ktrdr data load EURUSD --timeframe 1h --mode full --start 2014-01-01 --end 2015-12-31 \
        --quiet >load.txt 2>&1 || exit 9; \
    ktrdr train eurusd_rsi_macd --end 2015-12-31 --epochs 2 --model trend --quiet >train.txt 2>&1 \
        || exit 8;";

fn run(commands: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    run_in_system(folder.path(), SERVICES, &format!("{TRAINED} {commands}"))
}

fn models(ended: &Ended) -> Vec<Value> {
    let lines = ended.out.lines();
    let values = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    values.filter(|value| value["type"] == "model").collect()
}

#[test]
fn a_check_finds_the_same_weights_and_registers_nothing() {
    let ended =
        run("ktrdr models rerun trend --check 2>&1; echo exit $?; ktrdr models list --json");

    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    assert!(
        ended
            .out
            .contains("trend@1: the same weights again, sha256 "),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("exit 0"), "{}", ended.out);
    assert_eq!(models(&ended).len(), 1);
}

#[test]
fn a_rerun_changes_what_is_named_and_keeps_the_data_set() {
    let ended = run("\
        ktrdr models rerun trend --set training.optimizer=sgd --seed 7 >rerun.txt 2>&1 || exit 7; \
        ktrdr models rerun trend@1 --as other >rerun.txt 2>&1 || exit 6; \
        ktrdr models list --json; \
        ktrdr models list --json --dataset $(ktrdr models list trend --columns dataset | \
            grep -o '[0-9a-f]\\{64\\}' | head -1) | wc -l");

    assert_eq!(ended.exit, Some(0), "{}{}", ended.out, ended.err);
    let models = models(&ended);
    let find = |name: &str, version: u64| {
        let mut models = models.iter();
        models
            .find(|model| model["name"] == name && model["version"] == version)
            .unwrap()
    };
    let changed = find("trend", 2);
    assert_eq!(changed["overrides"]["training"]["optimizer"], "sgd");
    assert_eq!(changed["overrides"]["epochs"], 2);
    assert_eq!(changed["seed"], 7);

    // The same again under another name has the same artifact, and all three one data set.
    assert_eq!(find("other", 1)["metrics"], find("trend", 1)["metrics"]);
    assert!(ended.out.ends_with("\n3\n"), "{}", ended.out);
}

#[test]
fn a_rerun_without_its_data_set_or_with_other_keys_is_refused() {
    let ended = run("\
        ktrdr models rerun trend --set indicators.rsi_14.period=7; echo exit $?; \
        ktrdr models rerun trend --set training.epochs=0; echo exit $?; \
        ktrdr models rerun nothing; echo exit $?; \
        rm -r .ktrdr/objects/datasets; ktrdr models rerun trend; echo exit $?");

    assert_eq!(
        ended.out, "exit 2\nexit 2\nexit 4\nexit 4\n",
        "{}",
        ended.err
    );
    for text in [
        "there is no setting `indicators.rsi_14.period`",
        "request.epochs: 0",
        "there is no model `nothing`",
        "of trend@1 is not in the store any more",
        "--strategy >again.yaml`, then `ktrdr train again.yaml`",
    ] {
        assert!(ended.err.contains(text), "{text}: {}", ended.err);
    }
}
