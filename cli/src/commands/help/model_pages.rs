//! The examples and exit codes of the commands that say what a registered model is called, and what
//! there is to know about a version.

use super::form::{ASK, Page, page};

/// One page for each of these commands.
pub(super) const MODEL_PAGES: &[Page] = &[
    page(
        "models rename",
        ASK,
        &[
            "ktrdr models rename eurusd_rsi_macd euro_momentum",
            "ktrdr models rename trend-sweep-20261128-085256 trend --note 'the one we keep'",
        ],
    ),
    page(
        "models note",
        ASK,
        &[
            "ktrdr models note eurusd_rsi_macd@3 'holds up in the spring'",
            "ktrdr models note eurusd_rsi_macd@3",
        ],
    ),
    page(
        "models tag",
        ASK,
        &[
            "ktrdr models tag eurusd_rsi_macd@3 desk=fx reviewed=yes",
            "ktrdr models tag eurusd_rsi_macd@3 --remove reviewed",
        ],
    ),
];
