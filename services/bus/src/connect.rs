//! One connection to NATS: the client's settings, the version check, and what is known about the
//! link.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_nats::jetstream::context::{ContextBuilder, PublishError};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::{self, kv};
use async_nats::{Client, ConnectErrorKind};
use rand::RngExt as _;
use tokio::sync::watch;

use crate::buckets::{Bucket, Buckets};
use crate::election::ask_through_election;
use crate::error::BusError;
use crate::identity::{KeyFile, Tenant};
use crate::link::Link;
use crate::stream_info::read_profile;
use crate::timing::{Profile, Timing};

/// Oldest server that has everything we use.
pub const SERVER_VERSION_MIN: (i64, i64, i64) = (2, 14, 0);
const SERVER_VERSION_MIN_TEXT: &str = "2.14";
/// Bound of every request and of every acknowledged publish.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const PING_INTERVAL: Duration = Duration::from_secs(10);
const RECONNECT_DELAY_MIN: Duration = Duration::from_millis(100);
/// Longest pause between two attempts to connect again.
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(4);

/// How to reach the server.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// `nats://host:port`, several separated by commas; may carry `user:password@`.
    pub url: String,
    /// A `.creds` file, or a file with an NKEY seed such as [`KeyFile`] describes.
    pub credentials: Option<PathBuf>,
    /// Certificates for a server with TLS.
    pub tls: TlsFiles,
    /// Shown in the server's connection list: `ktrdr-<service>/<worker>`.
    pub name: String,
    /// The profile that the system is expected to have; none takes the one that the server says.
    pub profile: Option<Profile>,
    /// Bound of one attempt to connect.
    pub connect_timeout: Duration,
    /// True for services: wait for a server that is not there yet. False for people: fail at once.
    pub wait_for_server: bool,
}

/// The files of a connection with TLS, in PEM; all absent where the certificates of the system are
/// enough, or the server has no TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the authorities to trust beside those of the system. With it a server
    /// without TLS is refused.
    pub authority: Option<PathBuf>,
    /// The certificate that the client shows.
    pub certificate: Option<PathBuf>,
    /// The key of that certificate.
    pub key: Option<PathBuf>,
}

/// A connection to the bus. Cheap to clone; all clones share one connection.
#[derive(Clone, Debug)]
pub struct Bus {
    pub(crate) client: Client,
    pub(crate) js: jetstream::Context,
    profile: Profile,
    pub(crate) connected_since: watch::Receiver<Option<Instant>>,
    pub(crate) reconnects: watch::Receiver<u64>,
    pub(crate) buckets: Buckets,
    pub(crate) url: String,
    tenant: Option<Tenant>,
}

impl Bus {
    /// Connects, takes the profile from the server, and refuses a server that is too old, runs
    /// without JetStream or has another profile than expected.
    ///
    /// # Errors
    /// [`BusError::Connect`], [`BusError::Unauthorised`], [`BusError::Credentials`],
    /// [`BusError::ServerTooOld`], [`BusError::NoJetStream`], [`BusError::OtherProfile`], or
    /// [`BusError::Request`] when the profile cannot be read.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, BusError> {
        let url = without_secrets(&options.url);
        let (link, connected_since, reconnects) = Link::new();
        let client = connect_client(options, &url, &link).await?;
        link.connected();
        check_server(&client, &url)?;

        let context = ContextBuilder::new().timeout(REQUEST_TIMEOUT);
        let js = context.build(client.clone());
        let profile = agree_on_profile(&js, &client, &url, options.profile).await?;
        let buckets = Buckets::default();
        let tenant = options.credentials.as_deref().and_then(Tenant::of_key);
        Ok(Self {
            client,
            js,
            profile,
            connected_since,
            reconnects,
            buckets,
            url,
            tenant,
        })
    }

    /// The profile of the system, as the server says; on a server without streams the expected one,
    /// else `dev`.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// The tenant in whose account this connection is, by its key; none where one system has the
    /// server for itself.
    pub const fn tenant(&self) -> Option<&Tenant> {
        self.tenant.as_ref()
    }

    /// The clocks of the profile.
    pub const fn timing(&self) -> Timing {
        self.profile.timing()
    }

    /// Hands everything published so far to the operating system.
    pub async fn flush(&self) -> Result<(), BusError> {
        self.client
            .flush()
            .await
            .map_err(BusError::request("flush the connection"))
    }

    /// Ends all subscriptions, delivers what is under way, closes the connection.
    pub async fn drain(&self) -> Result<(), BusError> {
        self.client
            .drain()
            .await
            .map_err(BusError::request("drain the connection"))
    }

    /// Publishes into a stream and waits until the server has stored it.
    pub(crate) async fn publish_stored(
        &self,
        subject: String,
        publish: PublishMessage,
    ) -> Result<PublishAck, PublishError> {
        self.js.send_publish(subject, publish).await?.await
    }

    pub(crate) async fn bucket(&self, bucket: Bucket) -> Result<&kv::Store, BusError> {
        self.buckets.open(&self.js, bucket).await
    }

    pub(crate) async fn keys_of(&self, bucket: Bucket) -> Result<Vec<String>, BusError> {
        self.buckets.list_keys(&self.js, bucket).await
    }
}

/// Connects; waits for a server that is not there yet if the options say so.
async fn connect_client(
    options: &ConnectOptions,
    url: &str,
    link: &Link,
) -> Result<Client, BusError> {
    let mut attempt = 0;

    loop {
        let settings = client_options(options, link.clone())?;
        let error = match settings.connect(addresses(options)).await {
            Ok(client) => return Ok(client),
            Err(error) => refusal(url, &error),
        };

        // A server that refuses us will refuse us again.
        if !options.wait_for_server || !matches!(error, BusError::Connect { .. }) {
            return Err(error);
        }
        if attempt == 0 {
            tracing::warn!(url, "waiting for the NATS server");
        }
        attempt += 1;
        tokio::time::sleep(reconnect_delay(attempt)).await;
    }
}

fn check_server(client: &Client, url: &str) -> Result<(), BusError> {
    let info = client.server_info();
    let (major, minor, patch) = SERVER_VERSION_MIN;

    if !client.is_server_compatible(major, minor, patch) {
        return Err(BusError::ServerTooOld {
            url: url.to_owned(),
            found: info.version,
            needed: SERVER_VERSION_MIN_TEXT,
        });
    }
    if !info.jetstream {
        return Err(BusError::NoJetStream {
            url: url.to_owned(),
        });
    }
    Ok(())
}

/// The profile that the server has, unless another one is expected.
async fn agree_on_profile(
    js: &jetstream::Context,
    client: &Client,
    url: &str,
    expected: Option<Profile>,
) -> Result<Profile, BusError> {
    let on_server = ask_through_election(client, || read_profile(js)).await?;

    match (expected, on_server) {
        (Some(expected), Some(server)) if expected != server => Err(BusError::OtherProfile {
            url: url.to_owned(),
            server,
            expected,
        }),
        (expected, server) => Ok(server.or(expected).unwrap_or_default()),
    }
}

fn client_options(
    options: &ConnectOptions,
    link: Link,
) -> Result<async_nats::ConnectOptions, BusError> {
    let lost = Arc::clone(&link.lost);
    let settings = async_nats::ConnectOptions::new()
        .name(&options.name)
        .connection_timeout(options.connect_timeout)
        .ping_interval(PING_INTERVAL)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .reconnect_delay_callback(move |attempt| first_delay(attempt, lost.load(Ordering::Relaxed)))
        .event_callback(move |event| {
            link.handle(&event);
            std::future::ready(())
        });

    let settings = with_tls(settings, &options.tls);
    let Some(path) = &options.credentials else {
        return Ok(match user_and_password(&options.url) {
            Some((user, password)) => {
                settings.user_and_password(user.to_owned(), password.to_owned())
            }
            None => settings,
        });
    };

    // A file of ours or a seed alone is an NKEY; every other file is a `.creds` file.
    let unreadable = |source| unreadable_credentials(path, source);
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let Ok(key) = KeyFile::parse(&text) else {
        return settings.credentials(&text).map_err(unreadable);
    };

    let settings = settings.nkey(key.seed().to_owned());
    Ok(match key.inbox() {
        Some(inbox) => settings.custom_inbox_prefix(inbox),
        None => settings,
    })
}

fn with_tls(settings: async_nats::ConnectOptions, files: &TlsFiles) -> async_nats::ConnectOptions {
    let settings = match &files.authority {
        Some(path) => settings
            .add_root_certificates(path.clone())
            .require_tls(true),
        None => settings,
    };

    match (&files.certificate, &files.key) {
        (Some(certificate), Some(key)) => {
            settings.add_client_certificate(certificate.clone(), key.clone())
        }
        _ => settings,
    }
}

fn unreadable_credentials(path: &Path, source: std::io::Error) -> BusError {
    BusError::Credentials {
        path: path.to_owned(),
        source,
    }
}

/// What the first address carries: the client library reads it from nowhere else.
fn user_and_password(url: &str) -> Option<(&str, &str)> {
    let first = url.split(',').next()?;
    let address = first.split_once("://").map_or(first, |(_, rest)| rest);
    address.rsplit_once('@')?.0.split_once(':')
}

fn addresses(options: &ConnectOptions) -> Vec<String> {
    options
        .url
        .split(',')
        .map(|each| each.trim().to_owned())
        .collect()
}

/// The client asks for a delay before its very first connection too, which need not wait.
fn first_delay(attempt: usize, lost: bool) -> Duration {
    if attempt <= 1 && !lost {
        Duration::ZERO
    } else {
        reconnect_delay(attempt)
    }
}

/// 0.1 s doubling to 4 s, times 0.5 to 1, so that a fleet does not come back in one instant.
fn reconnect_delay(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1).min(16)).unwrap_or(16);
    let full = RECONNECT_DELAY_MIN
        .saturating_mul(1 << doublings)
        .min(RECONNECT_DELAY_MAX);
    full.mul_f64(rand::rng().random_range(0.5..=1.0))
}

fn refusal(url: &str, error: &async_nats::ConnectError) -> BusError {
    let url = url.to_owned();
    let source = error.to_string().into();
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            BusError::Unauthorised { url, source }
        }
        _ => BusError::Connect { url, source },
    }
}

/// The address as it may be shown: user and password left out.
fn without_secrets(url: &str) -> String {
    let addresses = url.split(',').map(|address| hide_user(address.trim()));
    addresses.collect::<Vec<_>>().join(",")
}

fn hide_user(address: &str) -> String {
    match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(
            without_secrets("nats://ann:s3cret@bus:4222, bus2:4222"),
            "nats://bus:4222,bus2:4222"
        );
    }

    #[test]
    fn user_and_password_are_taken_from_the_first_address() {
        assert_eq!(
            user_and_password("nats://ann:s3c:ret@bus:4222, nats://bus2:4222"),
            Some(("ann", "s3c:ret"))
        );
        assert_eq!(user_and_password("nats://bus:4222"), None);
    }

    #[test]
    fn only_a_connection_that_was_lost_waits() {
        assert_eq!(first_delay(1, false), Duration::ZERO);
        assert!(first_delay(1, true) >= Duration::from_millis(50));
    }

    #[test]
    fn reconnects_wait_between_50_ms_and_4_s() {
        for attempt in 0..100 {
            let delay = reconnect_delay(attempt);
            assert!(
                (Duration::from_millis(50)..=RECONNECT_DELAY_MAX).contains(&delay),
                "{attempt}: {delay:?}"
            );
        }
    }
}
