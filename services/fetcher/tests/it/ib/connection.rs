//! The connection: client ids, silence, links that are lost, gateways that go and come back.

use std::io::Write as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use fake_http::{FakeHttp, Reply};
use fake_tws::{FakeTws, Greeting, Request, Script, Verb};
use fetcher::ib::provider::IbProvider;
use fetcher::provider::{FailureClass, Provider as _, ProviderError};
use schemas::codes::Advice as _;

use super::desk::{
    Desk, PAUSE, contracts, make_impatient, quick_settings, quick_waits, until, week,
};

const BARS: usize = 28;

fn text_of(error: &ProviderError, port: u16) -> String {
    let text = format!("{error}\nhint: {}", error.hint());
    text.replace(&port.to_string(), "PORT")
}

#[tokio::test]
async fn a_taken_client_id_is_followed_by_the_next() {
    let desk = Desk::open(|script| script.taken_ids = 2);

    desk.provider.health().await.unwrap();

    let ids = desk.tws.client_ids();
    let numbers: Vec<i32> = ids.iter().map(|(_, id)| *id).collect();
    assert_eq!(numbers, [111, 112, 113]);
    let mut pairs = ids.windows(2);
    assert!(pairs.all(|two| two[1].0 - two[0].0 >= Duration::from_millis(990)));
}

#[tokio::test]
async fn three_taken_client_ids_are_a_wrong_setting() {
    let desk = Desk::open_with(
        |settings| settings.client_ids = vec![7, 8, 9, 10],
        |script| script.taken_ids = 9,
    );

    let error = desk.provider.health().await.unwrap_err();

    assert_eq!(error.class(), FailureClass::Request);
    assert!(!error.is_transient());
    assert_eq!(desk.tws.client_ids().len(), 3);
    insta::assert_snapshot!(text_of(&error, desk.tws.port()), @"
    ib at 127.0.0.1:PORT: other programs hold the client ids 7, 8, 9
    hint: give this program other ids with `fetcher.ib.client_ids`, or stop the other program
    ");
}

#[tokio::test]
async fn nobody_at_the_port_is_said_at_once() {
    let port = Desk::open(|_| {}).tws.port();
    let provider = IbProvider::new(quick_settings(port), quick_waits());
    let began = Instant::now();

    let error = provider.health().await.unwrap_err();

    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(error.class(), FailureClass::Connection);
    insta::assert_snapshot!(text_of(&error, port), @"
    ib at 127.0.0.1:PORT: no TWS or Gateway answers: Connection refused (os error 111)
    hint: start TWS or Gateway and allow socket clients in its API settings, or correct `fetcher.ib.host` and `fetcher.ib.port`: Gateway has 4002 (paper) and 4001 (live), TWS 7497 and 7496; from a container, run the fetcher beside the gateway; `ktrdr provider status ib` asks again
    ");
}

#[tokio::test]
async fn a_web_server_at_the_port_is_left_in_time() {
    let server = FakeHttp::start(|_| Reply::of(400, "no such page")).unwrap();
    let url = server.url();
    let port: u16 = url.rsplit_once(':').unwrap().1.parse().unwrap();

    let error = impatient_health(port).await;

    insta::assert_snapshot!(text_of(&error, port), @"
    ib at 127.0.0.1:PORT: it takes the connection and says nothing for 1 s
    hint: restart the gateway, and see that its API is enabled, that it has logged in, that `fetcher.ib.port` is the port of that API, and that no firewall is in between
    ");
}

#[tokio::test]
async fn an_answer_in_another_language_names_the_port() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut connection = connection;
            connection
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .ok();
        }
    });

    let error = impatient_health(port).await;

    let text = text_of(&error, port);
    assert!(
        text.contains("fetcher.ib.port") || text.contains("the port is that of"),
        "{text}"
    );
}

/// The failure of a look at a port, which comes within seconds.
async fn impatient_health(port: u16) -> ProviderError {
    let mut settings = quick_settings(port);
    make_impatient(&mut settings);
    let began = Instant::now();

    let error = IbProvider::new(settings, quick_waits())
        .health()
        .await
        .unwrap_err();

    assert!(began.elapsed() < Duration::from_secs(5));
    error
}

#[tokio::test]
async fn a_gateway_that_says_nothing_is_left_in_time() {
    let desk = Desk::open_with(make_impatient, |script| script.greeting = Greeting::Silent);
    let began = Instant::now();

    let error = desk
        .provider
        .bars(&desk.key("AAPL", "1h"), week())
        .await
        .unwrap_err();

    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(error.class(), FailureClass::Timeout);
    insta::assert_snapshot!(text_of(&error, desk.tws.port()), @"
    ib at 127.0.0.1:PORT: it takes the connection and says nothing for 1 s
    hint: restart the gateway, and see that its API is enabled, that it has logged in, that `fetcher.ib.port` is the port of that API, and that no firewall is in between
    ");
}

#[tokio::test]
async fn a_host_that_is_not_trusted_is_a_wrong_setting() {
    let desk = Desk::open(|script| script.greeting = Greeting::Reject);

    let error = desk.provider.health().await.unwrap_err();

    assert_eq!(error.class(), FailureClass::Request);
    insta::assert_snapshot!(text_of(&error, desk.tws.port()), @"
    ib at 127.0.0.1:PORT: it closes the connection at once: connection rejected: server may be rejecting connections from this host: early eof
    hint: add this machine to the trusted addresses of the gateway's API settings, and see that the port is that of its API
    ");
}

#[tokio::test]
async fn a_silent_answer_is_followed_by_a_sign_of_life() {
    // The gateway lives and one answer is lost: the same connection is asked again.
    let desk = Desk::impatient([Verb::Silent]);
    let bars = desk
        .provider
        .bars(&desk.key("AAPL", "1h"), week())
        .await
        .unwrap();
    assert_eq!(bars.len(), BARS);
    assert_eq!(desk.tws.client_ids().len(), 1);
    let times = desk.tws.requests();
    let times = times
        .iter()
        .filter(|(_, each)| *each == Request::Time)
        .count();
    assert_eq!(times, 2);

    // The gateway has fallen silent altogether: it is left, and the next one is silent as well.
    let desk = Desk::impatient(vec![Verb::Silent; 9]);
    let key = desk.key("AAPL", "1h");
    let answer = desk.provider.bars(&key, week());
    let mute = async {
        desk.until_asked(1).await;
        desk.tws.change(|script| {
            script.is_mute = true;
            script.greeting = Greeting::Silent;
        });
    };
    let (end, ()) = tokio::join!(answer, mute);
    let error = end.unwrap_err();
    assert_eq!(error.class(), FailureClass::Timeout);
    assert!(
        error.hint().starts_with("restart the gateway"),
        "{}",
        error.hint()
    );
}

#[tokio::test]
async fn a_lost_link_is_waited_out() {
    let desk = Desk::with_verbs([Verb::Silent]);
    let key = desk.key("AAPL", "1h");
    let answer = desk.provider.bars(&key, week());

    // The link goes while a request is out; nothing is asked before it is back.
    let outage = async {
        desk.until_asked(1).await;
        desk.tws
            .say(1100, "Connectivity between IB and TWS has been lost.");
        tokio::time::timeout(PAUSE, std::future::pending::<()>())
            .await
            .unwrap_err();
        assert_eq!(desk.tws.bars_requests().len(), 1);
        desk.tws
            .say(1102, "Connectivity has been restored - data maintained.");
    };
    let (bars, ()) = tokio::join!(answer, outage);

    assert_eq!(bars.unwrap().len(), BARS);
    assert_eq!(desk.tws.bars_requests().len(), 2);
    assert_eq!(desk.tws.client_ids().len(), 1);
}

#[tokio::test]
async fn what_was_lost_with_the_link_is_asked_again() {
    let desk = Desk::with_verbs([Verb::Silent]);
    let key = desk.key("AAPL", "1h");
    let answer = desk.provider.bars(&key, week());
    let began = Instant::now();

    let outage = async {
        desk.until_asked(1).await;
        desk.tws
            .say(1101, "Connectivity has been restored - data lost.");
    };
    let (bars, ()) = tokio::join!(answer, outage);

    assert_eq!(bars.unwrap().len(), BARS);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "it did not wait for the timeout"
    );
}

#[tokio::test]
async fn a_broken_farm_is_waited_for_and_not_for_ever() {
    let broken = (
        2105,
        "HMDS data farm connection is broken:ushmds".to_owned(),
    );
    let desk = Desk::open(|script| script.notices = vec![broken]);
    let key = desk.key("AAPL", "1h");
    let began = Instant::now();

    let bars = desk.provider.bars(&key, week()).await.unwrap();

    assert_eq!(bars.len(), BARS);
    assert!(began.elapsed() >= PAUSE);
}

#[tokio::test]
async fn a_gateway_that_restarts_is_waited_for() {
    let mut desk = Desk::open(|_| {});
    let key = desk.key("AAPL", "1h");
    desk.provider.bars(&key, week()).await.unwrap();
    let port = desk.tws.port();
    let other = Desk::open(|_| {});
    let bars = {
        let old = std::mem::replace(&mut desk.tws, other.tws);
        drop(old);

        let answer = desk.provider.bars(&key, week());
        let restart = async {
            tokio::time::timeout(PAUSE, std::future::pending::<()>())
                .await
                .unwrap_err();
            let script = Script {
                contracts: contracts(),
                bars: super::desk::bars_of(&key, week()),
                ..Script::default()
            };
            FakeTws::start_at(port, script).unwrap()
        };
        let (bars, _restarted) = tokio::join!(answer, restart);
        bars.unwrap()
    };
    assert_eq!(bars.len(), BARS);
}

#[tokio::test]
async fn health_sees_a_gateway_go_and_come_back() {
    let desk = Desk::open(|_| {});
    let health = desk.provider.health().await.unwrap();
    assert!(health.detail.contains("client id 111"), "{}", health.detail);
    let port = desk.tws.port();
    let requests = desk.tws.requests();

    // Seen within 5 s, and no history was asked for.
    let Desk { tws, provider } = desk;
    drop(tws);
    let began = Instant::now();
    assert!(provider.health().await.is_err());
    assert!(began.elapsed() < Duration::from_secs(5));

    let back = FakeTws::start_at(port, Script::default()).unwrap();
    provider.health().await.unwrap();
    let all = requests.into_iter().chain(back.requests());
    let history = all.filter(|(_, each)| matches!(each, Request::Bars(_) | Request::Head(_)));
    assert_eq!(history.count(), 0);
}

#[tokio::test]
async fn the_clock_of_the_gateway_is_compared() {
    let desk = Desk::open(|script| script.clock_ahead_s = -600);

    let health = desk.provider.health().await.unwrap();
    let ahead = health.clock_ahead_ms.unwrap();
    assert!((-602_000..=-598_000).contains(&ahead), "{ahead}");

    let key = desk.key("AAPL", "1h");
    desk.provider.bars(&key, week()).await.unwrap();
    let notes = desk.provider.notes(&key);
    assert!(
        notes[0].starts_with("the clock of ib is 10 min behind ours"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn one_connection_serves_all_and_closes_when_idle() {
    let desk = Desk::open_with(
        |settings| settings.idle = Duration::from_millis(300),
        |_| {},
    );
    let keys = [desk.key("AAPL", "1h"), desk.key("EURUSD", "1h")];

    let both = keys.iter().map(|key| desk.provider.bars(key, week()));
    for answer in futures_of(both).await {
        answer.unwrap();
    }

    assert_eq!(desk.tws.client_ids().len(), 1);
    until("an idle disconnect", || desk.tws.connections() == 0).await;
    desk.provider.health().await.unwrap();
    assert_eq!(desk.tws.client_ids().len(), 2);
}

/// Runs two requests at once.
async fn futures_of<F: Future>(requests: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut requests = requests;
    let first = requests.next().unwrap();
    let second = requests.next().unwrap();
    let (first, second) = tokio::join!(first, second);
    vec![first, second]
}
