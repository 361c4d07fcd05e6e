//! Rule files: what they change, and what is refused.

use market::Calendar;
use quality::{Check, Options, Rules, Severity, check};

use crate::findings::hours;

fn error_of(text: &str) -> String {
    let error = Rules::from_toml(text).unwrap_err();
    format!("{error}\n{}", error.hint())
}

#[test]
fn a_file_names_only_what_differs() {
    assert_eq!(Rules::from_toml("").unwrap(), Rules::default());

    let rules = Rules::from_toml("# ours\noutlier_z = 12\nstale_daily = 3\n").unwrap();
    let changed = Rules {
        outlier_z: 12.0,
        stale_daily: 3,
        ..Rules::default()
    };
    assert_eq!(rules, changed);
}

#[test]
fn what_no_check_can_use_is_refused_with_its_line() {
    let errors = [
        "outlier_zz = 12",
        "outlier_z = 8\nmissing_high = \"many\"",
        "missing_high = 1.5",
        "outlier_z = -1",
        "outlier_z = nan",
        "move_daily_medium = 0.5",
        "outlier_z = 8\noutlier_z = 9",
    ];
    insta::assert_snapshot!(errors.map(error_of).join("\n\n"));
}

#[test]
fn prices_below_zero_are_possible_where_the_rules_say_so() {
    let (key, mut bars) = hours();
    bars.low[10] = -37.63;
    let severity = |rules: Rules| {
        let options = Options {
            rules,
            ..Options::default()
        };
        let report = check(&bars, &key, Calendar::for_key(&key), &options);
        let finding = report.findings.into_iter().next().unwrap();
        (finding.check, finding.severity)
    };

    let not_positive = Check::PriceNotPositive;
    assert_eq!(
        severity(Rules::default()),
        (not_positive, Severity::Critical)
    );
    let rules = Rules::from_toml("allow_negative_prices = true").unwrap();
    assert_eq!(severity(rules), (not_positive, Severity::Info));
}

#[test]
fn the_page_lists_every_rule_with_its_default() {
    let page = std::fs::read_to_string(format!(
        "{}/../../docs/quality.md",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap();
    let start = page.find("```toml\n").unwrap() + "```toml\n".len();
    let block = &page[start..start + page[start..].find("```").unwrap()];

    assert_eq!(Rules::from_toml(block).unwrap(), Rules::default());
    let rules = serde_json::to_value(Rules::default()).unwrap();
    for rule in rules.as_object().unwrap().keys() {
        let is_listed = block
            .lines()
            .any(|line| line.starts_with(&format!("{rule} = ")));
        assert!(is_listed, "{rule}");
    }
}

#[test]
fn the_page_names_every_check() {
    let page = std::fs::read_to_string(format!(
        "{}/../../docs/quality.md",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap();

    for check in [
        Check::Empty,
        Check::CurrencyUnit,
        Check::CapitalGains,
        Check::Calendar,
    ] {
        let name = serde_json::to_string(&check).unwrap().replace('"', "`");
        assert!(page.contains(&name), "{name}");
    }
}
