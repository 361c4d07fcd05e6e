//! Which values of which keys are combined: `--sweep KEY=VALUE,VALUE`.

/// A key of the strategy, and the values that it takes in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands::models) struct SweptKey {
    /// Path of the key, as in `model.architecture.hidden_layers`.
    pub(super) key: String,
    /// Its values, as a file would have them.
    pub(super) values: Vec<String>,
}

/// One value of each swept key, in the order of the flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Combination {
    pub(super) pairs: Vec<Pair>,
}

/// A key and one of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// Path of the key.
    pub(super) key: String,
    /// Its last word, or the whole path where another key ends with the same one.
    pub(super) name: String,
    /// As a file has it.
    pub(super) value: String,
}

impl SweptKey {
    /// Reads `training.learning_rate=1e-4,1e-3`. Commas between brackets or quotes belong to a
    /// value.
    pub(in crate::commands::models) fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected KEY=VALUE,VALUE, as in training.learning_rate=1e-4,1e-3";
        let (key, values) = text.split_once('=').ok_or(expected)?;
        if key.trim().is_empty() {
            return Err(expected.to_owned());
        }

        let values = split_values(values)?;
        if let Some(twice) = find_repeated(&values) {
            return Err(format!("`{twice}` is there twice"));
        }
        Ok(Self {
            key: key.trim().to_owned(),
            values,
        })
    }
}

impl Combination {
    /// The combination as people read it; empty where nothing is swept.
    pub(super) fn text(&self) -> String {
        let pairs = self.pairs.iter();
        let pairs: Vec<String> = pairs
            .map(|Pair { name, value, .. }| format!("{name}={value}"))
            .collect();
        pairs.join(", ")
    }
}

/// Every combination of the values, the last key changing fastest; without keys the one that
/// changes nothing.
pub(super) fn combine(keys: &[SweptKey]) -> Vec<Combination> {
    let mut combinations = vec![Combination::default()];

    for SweptKey { key, values } in keys {
        let name = short_name(key, keys);
        let mut longer = Vec::with_capacity(combinations.len() * values.len());
        for combination in &combinations {
            for value in values {
                let mut next = combination.clone();
                next.pairs.push(Pair {
                    key: key.clone(),
                    name: name.to_owned(),
                    value: value.clone(),
                });
                longer.push(next);
            }
        }
        combinations = longer;
    }
    combinations
}

/// The last word of a path, unless the path of another key ends with it.
fn short_name<'a>(key: &'a str, keys: &[SweptKey]) -> &'a str {
    let last_word = |key: &'a str| key.rsplit('.').next().unwrap_or(key);
    let name = last_word(key);
    let same = keys
        .iter()
        .filter(|other| other.key.rsplit('.').next() == Some(name));
    if same.count() > 1 { key } else { name }
}

/// The values of a list between commas.
fn split_values(text: &str) -> Result<Vec<String>, String> {
    let mut values = vec![String::new()];
    let mut depth = 0_usize;
    let mut quote = None;

    for letter in text.chars() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                values.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(value) = values.last_mut() {
            value.push(letter);
        }
    }

    if depth > 0 || quote.is_some() {
        return Err(format!("`{text}` has an open bracket or quote"));
    }
    let values: Vec<String> = values.iter().map(|value| value.trim().to_owned()).collect();
    match values.iter().any(String::is_empty) {
        true => Err("a value is empty".to_owned()),
        false => Ok(values),
    }
}

fn find_repeated(values: &[String]) -> Option<&String> {
    let mut places = (1..).zip(values);
    places.find_map(|(next, value)| values.get(next..)?.contains(value).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SweptKey {
        SweptKey::parse(text).unwrap()
    }

    #[test]
    fn commas_between_brackets_and_quotes_belong_to_a_value() {
        assert_eq!(key("a.b=1e-4, 1e-3").values, ["1e-4", "1e-3"]);
        assert_eq!(
            key("m=[32],[64, 32],{a: 1, b: 2}").values,
            ["[32]", "[64, 32]", "{a: 1, b: 2}"]
        );
        assert_eq!(key(r#"x="a,b",c"#).values, [r#""a,b""#, "c"]);
    }

    #[test]
    fn a_list_with_a_gap_or_a_repetition_is_refused() {
        for text in [
            "a", "=1", "a=", "a=1,", "a=1,,2", "a=[1,2", "a='x", "a=1,2,1",
        ] {
            assert!(SweptKey::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_key_changes_fastest() {
        let combinations = combine(&[key("a=1,2"), key("b=x,y,z")]);
        let texts: Vec<String> = combinations.iter().map(Combination::text).collect();
        assert_eq!(
            texts,
            [
                "a=1, b=x", "a=1, b=y", "a=1, b=z", "a=2, b=x", "a=2, b=y", "a=2, b=z"
            ]
        );
        assert_eq!(combine(&[]), [Combination::default()]);
    }

    #[test]
    fn a_key_is_called_by_its_last_word_unless_two_share_it() {
        let text_of = |keys: &[SweptKey]| combine(keys)[0].text();
        let keys = [
            key("training.epochs=5"),
            key("model.architecture.dropout=0.1"),
        ];
        assert_eq!(text_of(&keys), "epochs=5, dropout=0.1");
        let keys = [key("indicators.a.period=5"), key("indicators.b.period=7")];
        assert_eq!(
            text_of(&keys),
            "indicators.a.period=5, indicators.b.period=7"
        );
    }
}
