//! Expressions that are read, refused and named.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn parsed(texts: &[&str]) -> Vec<Expression> {
    texts
        .iter()
        .map(|text| Expression::parse(text).unwrap_or_else(|error| panic!("{error}")))
        .collect()
}

#[test]
fn parameters_are_optional_and_blanks_do_not_matter() {
    let indicator_of = |text| Expression::parse(text).unwrap().indicator.to_string();

    assert_eq!(indicator_of("RSI"), "rsi period=14 source=\"close\"");
    assert_eq!(indicator_of(" rsi ( ) "), "rsi period=14 source=\"close\"");
    assert_eq!(
        indicator_of("rsi( period = 7 ,source=\"hl2\")"),
        "rsi period=7 source=\"hl2\""
    );
    assert_eq!(
        indicator_of("bbands(multiplier=2,period=10)"),
        "bollingerbands period=10 multiplier=2.0 source=\"close\" ddof=0"
    );
}

fn names_of(texts: &[&str]) -> Vec<String> {
    column_names(&parsed(texts)).unwrap().concat()
}

#[test]
fn columns_are_named_by_type_and_output() {
    assert_eq!(
        names_of(&["rsi(period=7)", "macd"]),
        ["rsi", "macd.line", "macd.signal", "macd.histogram"]
    );
}

#[test]
fn columns_show_parameters_where_a_type_comes_twice() {
    assert_eq!(
        names_of(&["rsi(source=open, period=7)", "rsi"]),
        ["rsi(period=7,source=open)", "rsi(period=14,source=close)"]
    );

    assert_eq!(
        names_of(&["macd(fast_period=5)", "rsi", "macd"]),
        [
            "macd(fast_period=5).line",
            "macd(fast_period=5).signal",
            "macd(fast_period=5).histogram",
            "rsi",
            "macd(fast_period=12).line",
            "macd(fast_period=12).signal",
            "macd(fast_period=12).histogram",
        ]
    );
}

#[test]
fn one_indicator_twice_is_refused() {
    let error = column_names(&parsed(&["rsi", "rsi(period=14)"])).unwrap_err();

    assert_eq!(
        error.to_string(),
        "`rsi period=14 source=\"close\"` is asked for twice"
    );
}

#[test]
fn every_refusal_names_the_column() {
    let texts = [
        "",
        "(period=14)",
        "rsii(period=14)",
        "zigzag(threshold=0.1)",
        "rsi(period=14",
        "rsi(period)",
        "rsi(period=)",
        "rsi(period=14) x",
        "rsi x",
        "rsi(perod=14)",
        "rsi(source=close, period=14.0)",
        "rsi(period=14, period=15)",
        "rsi(period=1000)",
        "rsi(source=\"close)",
        "rsi(period=1-2)",
        "rsi(,)",
    ];

    let refusals = texts.map(|text| {
        let error = Expression::parse(text).unwrap_err();
        let cause = std::error::Error::source(&error)
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        format!("{error}{cause}; hint: {}", error.hint())
    });

    insta::assert_snapshot!(refusals.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// However the parameters are written, out of all that may be.
    #[test]
    fn a_column_name_reads_back_as_its_own_indicator(
        written in proptest::collection::vec((proptest::option::of(2..4), proptest::bool::ANY, proptest::bool::ANY), 2..6)
    ) {
        let texts = written.iter().map(|(period, source, multiplier)| {
            let period = period.map(|period| format!("period={period}"));
            let parts = [period, source.then(|| "source=close".to_owned()), multiplier.then(|| "multiplier=2".to_owned())];
            format!("bbands({})", parts.into_iter().flatten().collect::<Vec<_>>().join(","))
        });
        let texts: Vec<String> = texts.collect();
        let expressions = parsed(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        if let Ok(names) = column_names(&expressions) {
            for (expression, names) in expressions.iter().zip(&names) {
                let again = Expression::parse(names[0].strip_suffix(".upper").unwrap()).unwrap();
                prop_assert_eq!(again.indicator.to_string(), expression.indicator.to_string());
            }
            let all: BTreeSet<&String> = names.iter().flatten().collect();
            prop_assert_eq!(all.len(), 3 * expressions.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Half of the texts are expressions with something changed, the others anything.
    #[test]
    fn any_text_is_an_indicator_or_an_error_with_a_column_inside_it(
        text in prop_oneof!["[a-z]{0,6}[( ]{0,2}[a-z_]{0,8}[ =]{0,2}[0-9a-z.+\"-]{0,5}[,) ]{0,3}\\PC{0,3}", "\\PC{0,40}",
            "(rsi|macd|bbands)\\((period|source|fast_period)=(7|2.5|hl2|true)[,)]{1,2}"]
    ) {
        match Expression::parse(&text) {
            Ok(expression) => {
                // The label with parameters reads back as the same indicator.
                let again = Expression::parse(&expression.label_with(&expression.written_names)).unwrap();
                prop_assert_eq!(again.indicator.to_string(), expression.indicator.to_string());
            }
            Err(
                ExpressionError::Syntax { column, .. } | ExpressionError::UnknownType { column, .. }
                | ExpressionError::LabelOnly { column, .. } | ExpressionError::Repeated { column, .. }
                | ExpressionError::Parameter { column, .. },
            ) => prop_assert!((1..=text.chars().count() + 1).contains(&column)),
            Err(ExpressionError::Twice { .. }) => prop_assert!(false),
        }
    }
}
