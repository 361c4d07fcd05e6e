//! The strategies that ship with the program, so that they are there in any folder.

/// Declares the strategies of the catalogue by their names.
macro_rules! catalogue {
    ($($name:literal),+ $(,)?) => {
        /// The strategies of the catalogue, in the order of their names: the name and the text.
        pub const CATALOGUE: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../catalog/", $name, ".yaml")))),+];
    };
}

catalogue!(
    "eurusd_events",
    "eurusd_momentum_regression",
    "eurusd_rsi_macd",
    "eurusd_rules",
    "eurusd_swings",
    "eurusd_two_timeframes",
    "eurusd_zigzag",
    "spy_lstm",
    "spy_path_quality",
    "spy_return_regression",
    "us_equities_regimes",
    "us_equities_trend",
);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_strategy_of_the_folder_is_in_the_program() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();

        let listed: Vec<String> = CATALOGUE
            .iter()
            .map(|(name, _)| format!("{name}.yaml"))
            .collect();
        assert_eq!(listed, names);
    }
}
