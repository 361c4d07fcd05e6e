//! Hostile answers of every provider on the network: what is stored, and what the user reads. Each
//! row of the table is a load of 49 hours that are over, from a server that answers the requests
//! for bars in another way than it should.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fake_http::exchanges::{Candle, binance, coinbase, kraken};
use fake_http::yahoo::yahoo;
use fake_http::{Manner, Reply, Request};
use fetcher::breaker::Breaker;
use fetcher::fetch::{Asking, fetch_as};
use fetcher::provider::AskingRules;
use fetcher::waits::with_shown_waits;
use fetcher::{FetchError, GapSettings};
use jiff::SignedDuration;
use market::Utc;
use schemas::codes::Advice as _;
use schemas::commands::{FetchBars, FetchMode, FetchedSeries};
use schemas::gaps::GapClass;
use serde_json::{Value, json};
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::fake_exchange::{Exchange, HOUR_S, Place};
use crate::fetching::{command, memory, run, stored};
use crate::scripted::Runner;

const CANDLES: i64 = 50;

/// A provider with an instrument of it, and which of its requests are for hourly bars.
#[derive(Clone, Copy)]
struct Subject {
    name: &'static str,
    symbol: &'static str,
    exchange: Exchange,
    is_for_bars: fn(&Request) -> bool,
    /// Seconds of the pause after 429 without `Retry-After`.
    pause_s: i64,
}

const SUBJECTS: [Subject; 4] = [
    Subject {
        name: "binance",
        symbol: "BTCUSDT",
        exchange: binance,
        is_for_bars: |request| request.value("limit") == "1000",
        pause_s: 60,
    },
    Subject {
        name: "kraken",
        symbol: "crypto:BTC/USD",
        exchange: kraken,
        is_for_bars: |request| request.number("since", 0) > 0,
        pause_s: 5,
    },
    Subject {
        name: "coinbase",
        symbol: "crypto:BTC/USD",
        exchange: coinbase,
        is_for_bars: |request| request.value("granularity") == "3600",
        pause_s: 1,
    },
    Subject {
        name: "yahoo",
        symbol: "BMW.F",
        exchange: yahoo,
        is_for_bars: |request| !request.value("period1").is_empty(),
        pause_s: 60,
    },
];

/// A request for bars, as a script sees it.
struct Order<'a> {
    subject: Subject,
    candles: &'a [Candle],
    request: &'a Request,
    /// Requests for bars before it.
    number: u32,
}

impl Order<'_> {
    fn honest(&self) -> Reply {
        (self.subject.exchange)(self.candles, self.request)
    }

    /// The honest answer if the exchange had these candles.
    fn over(&self, candles: &[Candle]) -> Reply {
        (self.subject.exchange)(candles, self.request)
    }

    /// Another answer to the first requests, the honest one to the others.
    fn first(&self, count: u32, reply: Reply) -> Reply {
        if self.number < count {
            reply
        } else {
            self.honest()
        }
    }

    /// The honest answer with every value of its JSON changed.
    fn changed(&self, change: fn(&mut Value)) -> Reply {
        let reply = self.honest();
        let mut content: Value = serde_json::from_str(reply.body()).unwrap();
        change_all(&mut content, change);
        reply.with_body(content)
    }
}

fn change_all(value: &mut Value, change: fn(&mut Value)) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|each| change_all(each, change)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|each| change_all(each, change)),
        _ => {}
    }
    change(value);
}

/// Numbers that are no times: those have nine digits or more.
fn is_amount(number: &serde_json::Number) -> bool {
    number.as_f64().is_some_and(|number| number < 1e6)
}

type Case = (&'static str, fn(&Order<'_>) -> Reply);

const CASES: &[Case] = &[
    ("half", |order| {
        order.first(1, order.honest().in_manner(Manner::Half))
    }),
    ("half_said_to_be_whole", |order| {
        order.first(1, order.honest().in_manner(Manner::HalfAsWhole))
    }),
    ("always_half", |order| {
        order.honest().in_manner(Manner::Half)
    }),
    ("429_with_retry_after", |order| {
        let reply = Reply::of(429, "slow down").with_header("Retry-After", 1);
        order.first(2, reply)
    }),
    ("429_for_ever", |_| {
        Reply::of(429, "slow down").with_header("Retry-After", 0)
    }),
    ("418_for_two_hours", |_| {
        Reply::of(418, "banned").with_header("Retry-After", 7_200)
    }),
    ("unknown_fields", |order| {
        order.changed(|value| {
            if let Value::Object(fields) = value {
                fields.insert("zz_new".to_owned(), json!({"deep": [1, null]}));
            }
        })
    }),
    ("prices_that_are_true", |order| {
        order.changed(|value| match value {
            Value::Number(number) if is_amount(number) => *value = json!(true),
            Value::String(text) if text.parse::<f64>().is_ok() => *value = json!(true),
            _ => {}
        })
    }),
    ("prices_as_text", |order| {
        order.changed(|value| match value {
            Value::Number(number) if is_amount(number) => *value = json!(number.to_string()),
            _ => {}
        })
    }),
    ("prices_as_words", |order| {
        order.changed(|value| match value {
            Value::Number(number) if is_amount(number) => *value = json!("many"),
            Value::String(text) if text.parse::<f64>().is_ok() => *value = json!("many"),
            _ => {}
        })
    }),
    ("times_as_text", |order| {
        order.changed(|value| match value {
            Value::Number(number) if !is_amount(number) => *value = json!(number.to_string()),
            _ => {}
        })
    }),
    ("every_bar_twice", |order| {
        let candles = order.candles.iter();
        let twice: Vec<Candle> = candles.flat_map(|candle| [*candle, *candle]).collect();
        order.over(&twice)
    }),
    ("newest_first", |order| {
        let mut candles = order.candles.to_vec();
        candles.reverse();
        order.over(&candles)
    }),
    ("bars_of_other_years", |order| {
        let mut candles = order.candles.to_vec();
        candles
            .iter_mut()
            .for_each(|each| each.time -= 9_000 * 3_600);
        let request = everything(order.request, &candles);
        (order.subject.exchange)(&candles, &request)
    }),
    ("no_bars", |order| order.over(&[])),
    ("html", |_| {
        Reply::ok("<html><body>Please log in</body></html>")
    }),
    ("null", |_| Reply::ok("null")),
    ("a_list_in_a_list", |_| Reply::ok("[".repeat(100_000))),
    ("ten_megabytes", |order| {
        let reply = order.honest();
        let body = format!("{}{}", " ".repeat(10 << 20), reply.body());
        reply.with_body(body)
    }),
    ("elsewhere", |_| {
        Reply::of(302, "").with_header("Location", "http://127.0.0.1:1/")
    }),
    ("slow_drip", |order| {
        let drip = Manner::Drip(Duration::from_millis(2));
        order.honest().in_manner(drip)
    }),
    ("too_slow_drip", |order| {
        let drip = Manner::Drip(Duration::from_millis(100));
        order.honest().in_manner(drip)
    }),
];

/// The request for everything from the first candle on.
fn everything(request: &Request, candles: &[Candle]) -> Request {
    let first = candles.first().unwrap().time;
    let last = candles.last().unwrap().time;
    let text = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap().to_string();

    let mut request = request.clone();
    let wide = [
        ("startTime", "0".to_owned()),
        ("endTime", i64::MAX.to_string()),
        ("since", "0".to_owned()),
        ("start", text(first)),
        ("end", text(last)),
        ("period1", "0".to_owned()),
        ("period2", i64::MAX.to_string()),
    ];
    for (name, value) in wide {
        request.query.insert(name.to_owned(), value);
    }
    request
}

fn place_of(subject: Subject, ahead: SignedDuration, answer: fn(&Order<'_>) -> Reply) -> Place {
    let number = AtomicU32::new(0);

    Place::with_clock(subject.name, CANDLES, ahead, move |candles, request| {
        if !(subject.is_for_bars)(request) {
            return (subject.exchange)(candles, request);
        }
        let number = number.fetch_add(1, Ordering::Relaxed);
        answer(&Order {
            subject,
            candles,
            request,
            number,
        })
    })
}

fn load_of(subject: Subject) -> FetchBars {
    command(subject.symbol, "1h", FetchMode::Full)
}

fn now() -> Utc {
    Utc::from_timestamp(jiff::Timestamp::now())
}

/// A load that goes on at once where the provider would be left alone for a minute.
async fn run_without_rest(
    store: &Store,
    place: &Place,
    subject: Subject,
) -> Result<FetchedSeries, FetchError> {
    let provider = &*place.provider;
    let asking = Asking {
        rules: AskingRules {
            rest: Duration::from_millis(10),
            ..provider.asking_rules()
        },
        breaker: &Breaker::default(),
    };

    let load = load_of(subject);
    let settings = GapSettings::default();
    let runner = Runner::default();
    let fetched = fetch_as(store, provider, &load, &settings, now(), &runner, asking);
    Ok(fetched.await?.series.remove(0))
}

/// What a load stores, and what the user reads.
async fn outcome_of(place: &Place, subject: Subject) -> String {
    let store = memory().await;
    let text = match run_without_rest(&store, place, subject).await {
        Ok(loaded) => {
            let absent = loaded.gaps.remaining.get(&GapClass::ProviderEmpty);
            let absent = absent.filter(|_| loaded.work.new == 0);
            let absent = absent.map(|_| "all of them count as absent".to_owned());
            let sentences = loaded.warnings.into_iter().chain(absent);
            sentences.collect::<Vec<_>>().join("; ")
        }
        Err(error) => words_of(&error),
    };

    let key = place.key(subject.symbol);
    let snapshot = store.series().snapshot(&key, None).await.unwrap();
    let count = match snapshot {
        Some(_) => stored(&store, &key).await.len(),
        None => 0,
    };
    format!("{count:>2} bars  {}", morder(&text))
        .trim_end()
        .to_owned()
}

/// The error with its causes, its class and its hint.
fn words_of(error: &FetchError) -> String {
    let mut words = format!("{} {error}", error.code());
    let mut cause = error.source();
    while let Some(source) = cause {
        words.push_str(&format!(": {source}"));
        cause = source.source();
    }
    format!("{words} (hint: {})", error.hint())
}

/// Without ports and instants, which differ from run to run.
fn morder(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        if word.starts_with("20") && word.contains('T') && word.trim_end_matches(':').ends_with('Z')
        {
            return "TIME".to_owned();
        }

        match word.split_once("127.0.0.1:") {
            Some((before, after)) => {
                let rest = after.trim_start_matches(|sign: char| sign.is_ascii_digit());
                format!("{before}127.0.0.1:PORT{rest}")
            }
            None => without_instants(word),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Numbers of nine digits or more are Unix times.
fn without_instants(word: &str) -> String {
    let is_digit = |sign: &char| sign.is_ascii_digit();
    let signs: Vec<char> = word.chars().collect();
    let runs = signs.chunk_by(|one, next| is_digit(one) == is_digit(next));
    let runs = runs.map(
        |run| match run.first().is_some_and(is_digit) && run.len() >= 9 {
            true => "INSTANT".to_owned(),
            false => run.iter().collect(),
        },
    );
    runs.collect()
}

#[tokio::test]
async fn hostile_answers_store_nothing_wrong() {
    let mut loads = JoinSet::new();
    for (index, (name, answer)) in CASES.iter().enumerate() {
        for subject in SUBJECTS {
            loads.spawn(async move {
                let place = place_of(subject, SignedDuration::ZERO, *answer);
                let outcome = outcome_of(&place, subject).await;
                ((index, *name), format!("  {:<9}{outcome}", subject.name))
            });
        }
    }

    let mut table: BTreeMap<(usize, &str), Vec<String>> = BTreeMap::new();
    for (case, row) in loads.join_all().await {
        table.entry(case).or_default().push(row);
    }
    let texts = table.iter_mut().map(|(case, rows)| {
        rows.sort();
        format!("{}\n{}", case.1, rows.join("\n"))
    });
    insta::assert_snapshot!(texts.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_with_the_load() {
    let mut rows = Vec::new();
    for minutes in [-10, 10] {
        for subject in SUBJECTS {
            let ahead = SignedDuration::from_mins(minutes);
            let place = place_of(subject, ahead, |order| order.honest());
            let store = memory().await;

            let loaded = run(&store, &*place.provider, &load_of(subject), now())
                .await
                .unwrap();

            // Within ten minutes of the hour, the bar before it is not over by a slow clock.
            let bars = stored(&store, &place.key(subject.symbol)).await;
            assert!((48..=49).contains(&bars.len()), "{}", subject.name);
            let last = *bars.open_time.last().unwrap();
            let clock = now().plus_micros(minutes.min(0) * 60_000_000);
            assert!(last.plus_micros(HOUR_S * 1_000_000) <= clock, "{last}");
            rows.push(loaded.warnings.join("; ").replace(" 9 min", " 10 min"));
        }
    }
    insta::assert_snapshot!(rows.join("\n"), @"
    the clock of binance is 10 min behind ours: a bar is stored when it is over by both; look at the clock of this machine
    the clock of kraken is 10 min behind ours: a bar is stored when it is over by both; look at the clock of this machine
    the clock of coinbase is 10 min behind ours: a bar is stored when it is over by both; look at the clock of this machine
    the clock of yahoo is 10 min behind ours: a bar is stored when it is over by both; look at the clock of this machine
    the clock of binance is 10 min ahead of ours: a bar is stored when it is over by both; look at the clock of this machine
    the clock of kraken is 10 min ahead of ours: a bar is stored when it is over by both; look at the clock of this machine
    the clock of coinbase is 10 min ahead of ours: a bar is stored when it is over by both; look at the clock of this machine
    the clock of yahoo is 10 min ahead of ours: a bar is stored when it is over by both; look at the clock of this machine
    ");
}

#[tokio::test]
async fn without_a_time_the_pause_is_the_provider_s_own() {
    for subject in SUBJECTS {
        let place = place_of(subject, SignedDuration::ZERO, |_| {
            Reply::of(429, "slow down")
        });
        let (sender, mut waits) = watch::channel(None);
        let range = place.label(0)..place.label(10);
        let key = place.key(subject.symbol);

        let request = with_shown_waits(sender, place.provider.bars(&key, range));
        let first_wait = async {
            let waiting = waits.wait_for(Option::is_some).await.unwrap();
            waiting.clone().unwrap()
        };
        let waiting = tokio::select! {
            _ = request => panic!("{} did not wait", subject.name),
            waiting = first_wait => waiting,
        };

        let rest =
            waiting.until.unwrap().as_millisecond() - jiff::Timestamp::now().as_millisecond();
        let pause = subject.pause_s * 1_000;
        assert!(
            (pause - 900..=pause).contains(&rest),
            "{}: {rest}",
            subject.name
        );
        assert_eq!(waiting.reason, format!("the limit of {}", subject.name));
    }
}

#[tokio::test]
async fn changed_history_replaces_bars_only_when_asked() {
    for subject in SUBJECTS {
        let change = Arc::new(AtomicU32::new(0));
        let of_server = Arc::clone(&change);
        let place = Place::scripted(subject.name, CANDLES, move |candles, request| {
            let mut candles = candles.to_vec();
            candles[7].prices[3] += f64::from(of_server.load(Ordering::Relaxed)) / 2.0;
            (subject.exchange)(&candles, request)
        });
        let store = memory().await;
        let first = run(&store, &*place.provider, &load_of(subject), now())
            .await
            .unwrap();
        assert_eq!(first.work.new, 49, "{}", subject.name);

        change.store(1, Ordering::Relaxed);
        let again = run(&store, &*place.provider, &load_of(subject), now())
            .await
            .unwrap();
        assert_eq!((again.work.segments, again.work.changed), (0, 0));
        let refetch = FetchBars {
            refetch: true,
            ..load_of(subject)
        };
        let renewed = run(&store, &*place.provider, &refetch, now())
            .await
            .unwrap();
        assert_eq!(
            (renewed.work.new, renewed.work.changed),
            (0, 1),
            "{}",
            subject.name
        );
    }
}
