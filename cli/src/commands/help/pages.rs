//! The examples and exit codes of every command, in the order of the command line.

use super::form::{ASK, LOAD, LOOK, Page, RUN, STOP, page, table_page};

/// One page for each command.
pub(crate) const PAGES: &[Page] = &[
    page(
        "",
        LOAD,
        &[
            "ktrdr up",
            "ktrdr data load EURUSD --timeframe 1h --mode full",
            "ktrdr train eurusd_rsi_macd EURUSD 1h",
            "ktrdr status last",
        ],
    ),
    page(
        "up",
        RUN,
        &[
            "ktrdr up",
            "ktrdr up --services fetcher,validator -- ktrdr data load EURUSD -t 1h --mode full",
        ],
    ),
    page("down", STOP, &["ktrdr down"]),
    page("logs", LOOK, &["ktrdr logs", "ktrdr logs trainer --follow"]),
    page("config", ASK, &["ktrdr config show", "ktrdr config check"]),
    page(
        "config show",
        ASK,
        &["ktrdr config show", "ktrdr config show --origin"],
    ),
    page("config check", ASK, &["ktrdr config check"]),
    page(
        "run",
        LOAD,
        &["ktrdr run nightly.yaml", "ktrdr run nightly.yaml --detach"],
    ),
    table_page("schedule", ASK, &["ktrdr schedule"]),
    page(
        "schedule add",
        ASK,
        &[
            "ktrdr schedule add '0 22 * * 1-5' -- data load AAPL MSFT",
            "ktrdr schedule add --every 1h --name hourly -- data load EURUSD -t 1h",
            "ktrdr schedule add '30 16 * * *' --time-zone America/New_York --calendar us_equities \
             -- run nightly.yaml",
        ],
    ),
    table_page("schedule list", ASK, &["ktrdr schedule list"]),
    page(
        "schedule show",
        ASK,
        &[
            "ktrdr schedule show hourly",
            "ktrdr schedule show hourly --json",
        ],
    ),
    page("schedule remove", ASK, &["ktrdr schedule remove hourly"]),
    page(
        "doctor",
        ASK,
        &[
            "ktrdr doctor",
            "ktrdr doctor --deep",
            "ktrdr doctor --json",
            "ktrdr doctor --gpu",
        ],
    ),
    page("infra", ASK, &["ktrdr infra check"]),
    page(
        "infra apply",
        ASK,
        &[
            "ktrdr infra apply",
            "ktrdr infra apply --server nats://bus:4222 --profile prod",
        ],
    ),
    page("infra check", ASK, &["ktrdr infra check"]),
    page(
        "infra credentials",
        ASK,
        &[
            "ktrdr infra credentials --dir credentials --person ann",
            "ktrdr infra credentials --dir credentials --tenant north --person ann --storage 20",
            "ktrdr infra credentials --dir credentials --rotate ann",
            "ktrdr infra credentials --dir credentials --list",
        ],
    ),
    page(
        "infra backup",
        ASK,
        &["ktrdr infra backup backups/2026-11-28"],
    ),
    page(
        "infra restore",
        ASK,
        &[
            "ktrdr infra restore backups/2026-11-28 --dry-run",
            "ktrdr infra restore backups/2026-11-28 --force",
        ],
    ),
    page(
        "infra rebuild",
        ASK,
        &["ktrdr infra rebuild --dry-run", "ktrdr infra rebuild"],
    ),
    page(
        "data",
        ASK,
        &[
            "ktrdr data load EURUSD --timeframe 1h --mode full",
            "ktrdr data list",
        ],
    ),
    page(
        "data load",
        LOAD,
        &[
            "ktrdr data load EURUSD --timeframe 1h --mode full",
            "ktrdr data load AAPL MSFT -t 1d --start 2020-01-01",
        ],
    ),
    page(
        "data follow",
        RUN,
        &[
            "ktrdr data follow BTCUSDT -t 1h --provider binance --detach",
            "ktrdr data follow AAPL MSFT -t 1m,5m --provider ib --until 2027-01-01",
        ],
    ),
    page(
        "data plan",
        ASK,
        &["ktrdr data plan EURUSD --timeframe 1h --mode full"],
    ),
    page(
        "data import",
        ASK,
        &[
            "ktrdr data import EURUSD_1h.csv",
            "ktrdr data import spy.us.txt --symbol SPY --timeframe 1d --yes",
        ],
    ),
    page("data check", ASK, &["ktrdr data check EURUSD_1h.csv.gz"]),
    page(
        "data quality",
        ASK,
        &["ktrdr data quality EURUSD --timeframe 1h"],
    ),
    page(
        "data repair",
        ASK,
        &["ktrdr data repair EURUSD_1h.csv --method ffill --dry-run"],
    ),
    table_page(
        "data list",
        ASK,
        &["ktrdr data list", "ktrdr data list EURUSD --format csv"],
    ),
    table_page(
        "data show",
        ASK,
        &[
            "ktrdr data show EURUSD --timeframe 1h --rows 5",
            "ktrdr data show EURUSD -t 1h --start 2018-01-01 --out eurusd.parquet",
        ],
    ),
    page(
        "data export",
        ASK,
        &["ktrdr data export EURUSD --timeframe 1h --out eurusd.parquet"],
    ),
    table_page(
        "data range",
        ASK,
        &["ktrdr data range EURUSD --timeframe 1h"],
    ),
    page("data path", ASK, &["ktrdr data path EURUSD --timeframe 1h"]),
    page(
        "data gaps",
        ASK,
        &["ktrdr data gaps EURUSD --timeframe 1h --explain"],
    ),
    page(
        "data resample",
        ASK,
        &["ktrdr data resample EURUSD --timeframe 1h --to 4h"],
    ),
    page(
        "data delete",
        ASK,
        &[
            "ktrdr data delete EURUSD --timeframe 1h",
            "ktrdr data delete EURUSD --timeframe 1h --end 2015-12-31 --yes",
        ],
    ),
    page(
        "data undelete",
        ASK,
        &["ktrdr data undelete EURUSD --timeframe 1h"],
    ),
    table_page(
        "data symbols",
        ASK,
        &["ktrdr data symbols ES EUR_USD BTCUSDT"],
    ),
    page("provider", ASK, &["ktrdr provider list"]),
    table_page("provider list", ASK, &["ktrdr provider list"]),
    table_page("provider status", ASK, &["ktrdr provider status"]),
    table_page("provider search", ASK, &["ktrdr provider search btc"]),
    page(
        "provider test",
        ASK,
        &["ktrdr provider test binance BTCUSDT"],
    ),
    page("store", ASK, &["ktrdr store gc"]),
    page(
        "store gc",
        ASK,
        &["ktrdr store gc", "ktrdr store gc --days 30 --yes"],
    ),
    page("calendars", ASK, &["ktrdr calendars list"]),
    table_page("calendars list", ASK, &["ktrdr calendars list"]),
    table_page(
        "calendars show",
        ASK,
        &["ktrdr calendars show us_equities --start 2026-12-21 --end 2026-12-31"],
    ),
    page(
        "calendars add",
        ASK,
        &["ktrdr calendars add my_exchange.yaml"],
    ),
    page("strategies", ASK, &["ktrdr strategies list"]),
    table_page(
        "strategies list",
        ASK,
        &[
            "ktrdr strategies list",
            "ktrdr strategies list --format csv",
        ],
    ),
    page(
        "strategies show",
        ASK,
        &["ktrdr strategies show eurusd_rsi_macd"],
    ),
    page(
        "strategies validate",
        ASK,
        &[
            "ktrdr strategies validate mine.yaml",
            "ktrdr strategies validate mine.yaml --bars EURUSD_1h.csv.gz",
        ],
    ),
    page(
        "strategies features",
        ASK,
        &[
            "ktrdr strategies features eurusd_rsi_macd",
            "ktrdr strategies features mine.yaml --bars EURUSD_1h.csv.gz --out features.parquet",
        ],
    ),
    table_page(
        "strategies folds",
        ASK,
        &["ktrdr strategies folds eurusd_rsi_macd --start 2014-01-01 --end 2018-12-31 --folds 3"],
    ),
    page(
        "strategies new",
        ASK,
        &[
            "ktrdr strategies new mine",
            "ktrdr strategies new mine --from us_equities_trend",
        ],
    ),
    page(
        "strategies schema",
        ASK,
        &["ktrdr strategies schema > strategy.schema.json"],
    ),
    table_page("strategies rules", ASK, &["ktrdr strategies rules"]),
    page("indicators", ASK, &["ktrdr indicators list"]),
    table_page("indicators list", ASK, &["ktrdr indicators list"]),
    page(
        "indicators describe",
        ASK,
        &["ktrdr indicators describe rsi"],
    ),
    page(
        "indicators compute",
        ASK,
        &["ktrdr indicators compute --bars SPY_1d.csv.gz --indicator 'rsi(period=14)'"],
    ),
    page(
        "train",
        RUN,
        &[
            "ktrdr train eurusd_rsi_macd",
            "ktrdr train us_equities_trend AAPL,MSFT 1d --epochs 50",
            "ktrdr train mine.yaml --validation-split 0.2 --data-mode full --detach",
            "ktrdr train mine.yaml --set training.optimizer=sgd --set training.momentum=0.8",
            "ktrdr train mine.yaml --sweep training.learning_rate=1e-4,1e-3 --seeds 3 --folds 4",
        ],
    ),
    page("models", ASK, &["ktrdr models list"]),
    page(
        "models train",
        RUN,
        &["ktrdr models train eurusd_rsi_macd EURUSD 1h"],
    ),
    table_page(
        "models list",
        ASK,
        &[
            "ktrdr models list",
            "ktrdr models list --sort validation.log_loss --columns seed,overrides",
            "ktrdr models list eurusd_rsi_macd --symbol EURUSD",
        ],
    ),
    table_page(
        "models show",
        ASK,
        &[
            "ktrdr models show eurusd_rsi_macd",
            "ktrdr models show eurusd_rsi_macd@1 --thresholds",
            "ktrdr models show eurusd_rsi_macd --strategy",
        ],
    ),
    table_page(
        "models compare",
        ASK,
        &[
            "ktrdr models compare eurusd_rsi_macd@1 eurusd_rsi_macd@2",
            "ktrdr models compare eurusd_rsi_macd eurusd_rules eurusd_lstm",
            "ktrdr models compare eurusd_rsi_macd eurusd_rsi_macd.yaml",
        ],
    ),
    page(
        "models confirm",
        RUN,
        &[
            "ktrdr models confirm eurusd_rsi_macd",
            "ktrdr models confirm eurusd_rsi_macd@2 --again",
        ],
    ),
    page(
        "models rerun",
        RUN,
        &[
            "ktrdr models rerun eurusd_rsi_macd --check",
            "ktrdr models rerun eurusd_rsi_macd@1 --set training.epochs=200 --seed 7",
        ],
    ),
    table_page(
        "models sweep",
        ASK,
        &["ktrdr models sweep", "ktrdr models sweep 9f3a01bc"],
    ),
    page(
        "models promote",
        ASK,
        &[
            "ktrdr models promote eurusd_rsi_macd@3 candidate",
            "ktrdr models promote eurusd_rsi_macd@candidate production --note 'three months'",
        ],
    ),
    page(
        "models demote",
        ASK,
        &["ktrdr models demote eurusd_rsi_macd candidate"],
    ),
    table_page(
        "models aliases",
        ASK,
        &[
            "ktrdr models aliases",
            "ktrdr models aliases eurusd_rsi_macd",
        ],
    ),
    page(
        "models path",
        ASK,
        &[
            "ktrdr models path eurusd_rsi_macd",
            "ktrdr models path eurusd_rsi_macd@2 --data",
        ],
    ),
    page(
        "models export",
        ASK,
        &[
            "ktrdr models export eurusd_rsi_macd",
            "ktrdr models export eurusd_rsi_macd@2 --to safetensors --out weights.safetensors",
        ],
    ),
    page(
        "models report",
        ASK,
        &[
            "ktrdr models report eurusd_rsi_macd",
            "ktrdr models report eurusd_rsi_macd@2 --out report.html",
        ],
    ),
    page(
        "models delete",
        ASK,
        &[
            "ktrdr models delete eurusd_rsi_macd@1 eurusd_rsi_macd@2 --note 'wrong dates'",
            "ktrdr models delete eurusd_rsi_macd-sweep-20261128-085256 --all-versions",
        ],
    ),
    page(
        "models undelete",
        ASK,
        &["ktrdr models undelete eurusd_rsi_macd@1"],
    ),
    page("models rules", ASK, &["ktrdr models rules eurusd_rules"]),
    table_page(
        "models predict",
        ASK,
        &[
            "ktrdr models predict eurusd_rsi_macd --start 2018-12-31",
            "ktrdr models predict eurusd_rsi_macd --part test --out predictions.parquet",
            "ktrdr models predict eurusd_rsi_macd --bars EURUSD_1h.csv.gz --out predictions.csv",
        ],
    ),
    table_page(
        "ops",
        LOOK,
        &[
            "ktrdr ops",
            "ktrdr ops --active --watch",
            "ktrdr ops --kind train --state failed --since 7d",
        ],
    ),
    table_page(
        "ops list",
        LOOK,
        &[
            "ktrdr ops list --limit 10",
            "ktrdr ops list --label symbol=EURUSD --format csv",
        ],
    ),
    table_page(
        "ops logs",
        ASK,
        &["ktrdr ops logs last", "ktrdr ops logs bf025e43"],
    ),
    table_page("ops dead", ASK, &["ktrdr ops dead"]),
    table_page(
        "ops dead list",
        ASK,
        &["ktrdr ops dead list", "ktrdr ops dead list --json"],
    ),
    page("ops dead show", ASK, &["ktrdr ops dead show 7"]),
    page(
        "ops dead requeue",
        ASK,
        &["ktrdr ops dead requeue 7", "ktrdr ops dead requeue --all"],
    ),
    page(
        "ops dead drop",
        ASK,
        &[
            "ktrdr ops dead drop 7 8",
            "ktrdr ops dead drop --all",
            "ktrdr ops dead drop --completed",
        ],
    ),
    page(
        "ops prune",
        ASK,
        &[
            "ktrdr ops prune",
            "ktrdr ops prune --older-than 7d --state failed --yes",
        ],
    ),
    table_page(
        "ops acts",
        ASK,
        &["ktrdr ops acts", "ktrdr ops acts --limit 5 --json"],
    ),
    page(
        "status",
        ASK,
        &["ktrdr status", "ktrdr status last", "ktrdr status bf025e43"],
    ),
    page(
        "follow",
        LOAD,
        &[
            "ktrdr follow last",
            "ktrdr follow bf025e43 29d79ff9",
            "ktrdr follow last --until running",
        ],
    ),
    page(
        "wait",
        LOAD,
        &[
            "ktrdr wait last",
            "ktrdr wait bf025e43 29d79ff9 --timeout 10m",
            "ktrdr wait bf025e43 29d79ff9 --any",
        ],
    ),
    page(
        "tap",
        LOOK,
        &[
            "ktrdr tap last",
            "ktrdr tap 'ktrdr.>'",
            "ktrdr tap 'ktrdr.*.trainer.>' --json",
        ],
    ),
    page(
        "cancel",
        RUN,
        &[
            "ktrdr cancel last",
            "ktrdr cancel bf025e43 --wait --reason lunch",
            "ktrdr cancel last --force --grace 30s",
            "ktrdr cancel --all --kind dummy --yes",
        ],
    ),
    page(
        "resume",
        LOAD,
        &["ktrdr resume last", "ktrdr resume bf025e43 --detach"],
    ),
    page(
        "retry",
        LOAD,
        &["ktrdr retry last", "ktrdr retry bf025e43 --set epochs=20"],
    ),
    table_page("checkpoints", ASK, &["ktrdr checkpoints"]),
    table_page("checkpoints list", ASK, &["ktrdr checkpoints list"]),
    table_page(
        "checkpoints show",
        ASK,
        &["ktrdr checkpoints show op_train_20260301_142233_9f3a01bc"],
    ),
    page(
        "checkpoints delete",
        ASK,
        &["ktrdr checkpoints delete op_train_20260301_142233_9f3a01bc --force"],
    ),
    page(
        "checkpoints prune",
        ASK,
        &["ktrdr checkpoints prune --older-than 30d --force"],
    ),
    page("workers", ASK, &["ktrdr workers list"]),
    table_page(
        "workers list",
        ASK,
        &["ktrdr workers list", "ktrdr workers list --here"],
    ),
    page(
        "workers show",
        ASK,
        &["ktrdr workers show trainer-here-4711-0a1b"],
    ),
    page(
        "workers drain",
        ASK,
        &["ktrdr workers drain trainer-here-4711-0a1b"],
    ),
    page("dummy", RUN, &["ktrdr dummy start"]),
    page(
        "dummy start",
        RUN,
        &[
            "ktrdr dummy start --duration 8 --iterations 16",
            "ktrdr dummy start --duration 60 --checkpoint-every 2 --detach",
        ],
    ),
    page("decode", ASK, &["ktrdr decode < payload.bin"]),
    page(
        "completions",
        ASK,
        &[
            "ktrdr completions bash > ~/.local/share/bash-completion/completions/ktrdr",
            "ktrdr completions zsh > ~/.zfunc/_ktrdr",
            "ktrdr completions fish > ~/.config/fish/completions/ktrdr.fish",
        ],
    ),
    page("man", ASK, &["ktrdr man --out ~/.local/share/man/man1"]),
];
