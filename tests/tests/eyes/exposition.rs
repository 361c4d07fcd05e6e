//! The text format of Prometheus, version 0.0.4, read more strictly than Prometheus does: what this
//! reads, every scraper reads.

use std::collections::{BTreeMap, BTreeSet};

/// The samples of a page by their name with labels, as in `ktrdr_slots` or `x{a="b"}`.
#[derive(Debug, Default)]
pub struct Page {
    samples: BTreeMap<String, f64>,
    /// Name → type of each family.
    pub families: BTreeMap<String, String>,
}

/// A sample line in parts.
struct Sample<'a> {
    name: &'a str,
    /// The text between the braces.
    labels: &'a str,
    value: f64,
}

impl Page {
    /// The value of a sample; `None` where the page has none.
    pub fn value(&self, sample: &str) -> Option<f64> {
        self.samples.get(sample).copied()
    }

    /// Reads a page: each family has a help text and a type before its samples, which stand
    /// together.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.ends_with('\n') {
            return Err("the last line does not end".to_owned());
        }

        let mut page = Self::default();
        let mut family = String::new();
        let mut helped = BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').ok_or_else(|| refuse(line))?;
                if help.len() < 10 || !helped.insert(name.to_owned()) {
                    return Err(refuse(line));
                }
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or_else(|| refuse(line))?;
                check_family(name, kind)?;
                let is_new = !page.families.contains_key(name);
                if !helped.contains(name) || !is_new {
                    return Err(refuse(line));
                }
                family = name.to_owned();
                page.families.insert(family.clone(), kind.to_owned());
            } else {
                let sample = Sample::parse(line)?;
                page.add(&family, &sample, line)?;
            }
        }
        page.check_histograms()?;
        Ok(page)
    }

    fn add(&mut self, family: &str, sample: &Sample<'_>, line: &str) -> Result<(), String> {
        let kind = self.families.get(family).map_or("", String::as_str);
        let suffix = sample
            .name
            .strip_prefix(family)
            .ok_or_else(|| refuse(line))?;
        let is_allowed = match kind {
            "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
            _ => suffix.is_empty(),
        };
        let is_counter_below_zero = kind == "counter" && sample.value < 0.0;
        if !is_allowed || is_counter_below_zero {
            return Err(refuse(line));
        }

        let key = match sample.labels {
            "" => sample.name.to_owned(),
            labels => format!("{}{{{labels}}}", sample.name),
        };
        match self.samples.insert(key, sample.value) {
            None => Ok(()),
            Some(_) => Err(refuse(line)),
        }
    }

    /// Buckets never fall, and the last one counts all.
    fn check_histograms(&self) -> Result<(), String> {
        let mut series: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (key, count) in &self.samples {
            let Some((name, labels)) = key.split_once("_bucket{") else {
                continue;
            };
            let (others, bound) = labels.split_once("le=\"").ok_or_else(|| refuse(key))?;
            let bound = bound.trim_end_matches("\"}");
            let bound = if bound == "+Inf" {
                f64::INFINITY
            } else {
                number(bound)?
            };
            let others = others.trim_end_matches(',');
            series
                .entry(join(name, others))
                .or_default()
                .push((bound, *count));
        }

        for (key, mut buckets) in series {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            let is_cumulative = buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1);
            let last = buckets.last().filter(|last| last.0.is_infinite());
            let all = self.value(&with_suffix(&key, "_count"));
            let has_sum = self.value(&with_suffix(&key, "_sum")).is_some();
            if !is_cumulative || !has_sum || last.map(|last| last.1) != all {
                return Err(format!("the histogram {key} contradicts itself"));
            }
        }
        Ok(())
    }
}

impl<'a> Sample<'a> {
    fn parse(line: &'a str) -> Result<Self, String> {
        let (head, value) = line.rsplit_once(' ').ok_or_else(|| refuse(line))?;
        let (name, labels) = match head.split_once('{') {
            Some((name, rest)) => (name, rest.strip_suffix('}').ok_or_else(|| refuse(line))?),
            None => (head, ""),
        };

        let is_labelled = labels.is_empty() || labels.split(',').all(is_label);
        if !is_name(name) || !is_labelled {
            return Err(refuse(line));
        }
        Ok(Self {
            name,
            labels,
            value: number(value)?,
        })
    }
}

/// Counters end in `_total` and nothing else does; every name has a prefix.
fn check_family(name: &str, kind: &str) -> Result<(), String> {
    let is_known = ["counter", "gauge", "histogram"].contains(&kind);
    let is_counter_name = name.ends_with("_total");
    let has_prefix = name.starts_with("ktrdr_") || name.starts_with("process_");

    if is_name(name) && is_known && has_prefix && is_counter_name == (kind == "counter") {
        Ok(())
    } else {
        Err(format!("the family {name} may not be a {kind}"))
    }
}

fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(is_allowed)
}

/// `name="value"`; values of ours have neither quotes nor commas.
fn is_label(text: &str) -> bool {
    let parts = text.split_once("=\"");
    parts.is_some_and(|(name, value)| {
        is_name(name)
            && value
                .strip_suffix('"')
                .is_some_and(|value| !value.contains(['"', '\\']))
    })
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn join(name: &str, labels: &str) -> String {
    match labels {
        "" => name.to_owned(),
        labels => format!("{name}{{{labels}}}"),
    }
}

fn with_suffix(key: &str, suffix: &str) -> String {
    match key.split_once('{') {
        Some((name, labels)) => format!("{name}{suffix}{{{labels}"),
        None => format!("{key}{suffix}"),
    }
}

fn refuse(line: &str) -> String {
    format!("not the text format of Prometheus: {line}")
}

#[test]
fn pages_that_a_scraper_might_misread_are_refused() {
    const HEAD: &str = "# HELP ktrdr_a_total Some text of help.\n# TYPE ktrdr_a_total counter\n";
    let parse = |rest: &str| Page::parse(&format!("{HEAD}{rest}"));

    let page = parse("ktrdr_a_total{kind=\"x\"} 3\n").unwrap();
    assert_eq!(page.value("ktrdr_a_total{kind=\"x\"}"), Some(3.0));

    for wrong in [
        "ktrdr_a_total 1",
        "ktrdr_b_total 1\n",
        "ktrdr_a_total -1\n",
        "ktrdr_a_total 1\nktrdr_a_total 2\n",
        "ktrdr_a_total{kind=x} 1\n",
        "ktrdr_a_total one\n",
        "# TYPE ktrdr_a_total counter\n",
        "# TYPE ktrdr_c gauge\nktrdr_c 1\n",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_histogram_that_contradicts_itself_is_refused() {
    let page = |last: &str| {
        Page::parse(&format!(
            "# HELP ktrdr_h_seconds Some text of help.\n# TYPE ktrdr_h_seconds histogram\n\
             ktrdr_h_seconds_bucket{{le=\"1\"}} 2\nktrdr_h_seconds_bucket{{le=\"+Inf\"}} {last}\n\
             ktrdr_h_seconds_sum 4.5\nktrdr_h_seconds_count 3\n"
        ))
    };

    assert!(page("3").is_ok());
    assert!(page("1").is_err());
    assert!(page("4").is_err());
}
