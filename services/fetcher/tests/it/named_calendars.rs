//! Series that trade by another calendar than that of their instrument.

use fetcher::FetchError;
use market::SeriesKeyError;
use schemas::commands::FetchMode;

use crate::fetching::{hourly, memory, run, spring};

#[tokio::test]
async fn a_series_is_fetched_under_the_calendar_of_its_command() {
    let store = memory().await;
    let (provider, now) = spring();
    let mut request = hourly(FetchMode::Full);

    request.calendar = Some("always".to_owned());
    let fetched = run(&store, &provider, &request, now).await.unwrap();
    assert!(fetched.series.ends_with("-always/1h"), "{}", fetched.series);
    // Also the hours of Saturday are expected now, and the provider has none.
    assert!(fetched.remaining > 0);

    request.calendar = Some("nowhere".to_owned());
    let refused = run(&store, &provider, &request, now).await;
    assert!(matches!(
        refused,
        Err(FetchError::Key(SeriesKeyError::Calendar(name))) if name == "nowhere"
    ));
}
