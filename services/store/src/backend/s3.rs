//! The S3 backend: where the server is, who asks, and how long to wait.
//!
//! Everything comes from the usual `AWS_*` variables, or from a profile in `~/.aws`. Limits
//! that no variable sets are set here: those of the library let a call hang for many minutes.

use std::error::Error;
use std::sync::{Arc, Once};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};
use url::{Host, Url};

use super::{Environment, aws_profile, invalid_url};
use crate::StoreError;

/// Time to open a connection. Variable: `AWS_CONNECT_TIMEOUT`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time of one request with its body, long enough for a data set over a slow line. Variable:
/// `AWS_TIMEOUT`.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// How often one request is made in all. Variable: `AWS_MAX_ATTEMPTS`.
const ATTEMPTS: usize = 5;

/// No request is repeated later than this after it was first made.
const RETRY_WINDOW: Duration = Duration::from_secs(60);

/// Pauses between two attempts: from the first to the second value, doubling, with jitter.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// Opens the bucket of `s3://bucket/prefix` without touching it.
///
/// # Errors
/// A URL with more in it than bucket and prefix, or settings that contradict each other.
pub(super) fn open_bucket(
    url: &Url,
    environment: &Environment,
) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let text = url.as_str();
    let bucket = url.host_str().filter(|host| !host.is_empty());
    let bucket = bucket.ok_or_else(|| invalid_url(text, "it names no bucket"))?;

    // The URL is shown by `--check`, `ktrdr doctor` and in errors, so it may hold no secret.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid_url(
            text,
            "keys belong in AWS_* variables, not here",
        ));
    }

    // What would be ignored is refused: somebody expects an effect of it.
    if url.port().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid_url(
            text,
            "it may hold a bucket and a prefix only; AWS_ENDPOINT_URL names the server",
        ));
    }

    let prefix = Path::parse(url.path().trim_matches('/'))
        .map_err(|error| invalid_url(text, error.to_string()))?;

    let settings = aws_profile::with_profile(environment).map_err(|why| invalid_url(text, why))?;
    let mut builder = AmazonS3Builder::new()
        .with_client_options(read_client_options(&settings).map_err(|why| invalid_url(text, why))?)
        .with_retry(read_retries(&settings).map_err(|why| invalid_url(text, why))?);

    for (variable, value) in &settings {
        if let Some(key) = setting_of(variable) {
            builder = builder.with_config(key, value);
        }
    }

    // After the variables, so that none of them can turn off what the store relies on.
    install_tls();
    let client = builder
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .build()
        .map_err(|error| invalid_url(text, innermost_cause(&error)))?;
    Ok(Arc::new(PrefixStore::new(client, prefix)))
}

/// The text of an error without those of the layers around it.
fn innermost_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// The setting of an `AWS_*` variable, `None` for variables of other purposes.
fn setting_of(variable: &str) -> Option<AmazonS3ConfigKey> {
    if !variable.starts_with("AWS_") {
        return None;
    }
    variable.to_ascii_lowercase().parse().ok()
}

/// Limits of a connection, the certificates to trust, and whether it may be unencrypted.
fn read_client_options(settings: &Environment) -> Result<ClientOptions, String> {
    let mut options = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT);

    // The library does not know this variable, which every other tool for S3 reads.
    if let Some(file) = settings.get("AWS_CA_BUNDLE") {
        let pem = std::fs::read(file).map_err(|error| format!("AWS_CA_BUNDLE: {error}"))?;
        let bundle = Certificate::from_pem_bundle(&pem)
            .map_err(|error| format!("AWS_CA_BUNDLE: {error}"))?;
        for certificate in bundle {
            options = options.with_root_certificate(certificate);
        }
    }

    if let Some(endpoint) = endpoint_of(settings) {
        options = options.with_allow_http(may_be_unencrypted(endpoint, settings)?);
    }
    Ok(options)
}

/// The server that was named; without one it is Amazon's.
fn endpoint_of(settings: &Environment) -> Option<&String> {
    ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .into_iter()
        .find_map(|variable| settings.get(variable))
}

/// True for an `http://` endpoint on this machine, or if `AWS_ALLOW_HTTP` allows any.
///
/// # Errors
/// The endpoint is not a URL, or it is elsewhere and would receive everything unencrypted.
fn may_be_unencrypted(endpoint: &str, settings: &Environment) -> Result<bool, String> {
    let url =
        Url::parse(endpoint).map_err(|error| format!("the endpoint `{endpoint}`: {error}"))?;
    match url.scheme() {
        "https" => return Ok(false),
        "http" => {}
        _ => {
            return Err(format!(
                "the endpoint `{endpoint}` begins neither with https:// nor with http://"
            ));
        }
    }

    // What stays on one machine cannot be read on the network.
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };

    let is_allowed = settings.get("AWS_ALLOW_HTTP").map(String::as_str) == Some("true");
    if is_local || is_allowed {
        Ok(true)
    } else {
        Err(format!(
            "the endpoint `{endpoint}` is on another machine and not encrypted; \
             AWS_ALLOW_HTTP=true allows that"
        ))
    }
}

/// How often and for how long a request is repeated that failed for a passing reason.
fn read_retries(settings: &Environment) -> Result<RetryConfig, String> {
    let attempts = match settings.get("AWS_MAX_ATTEMPTS") {
        None => ATTEMPTS,
        Some(text) => match text.parse::<usize>() {
            Ok(attempts) if attempts > 0 => attempts,
            _ => return Err(format!("AWS_MAX_ATTEMPTS is `{text}`, not a number from 1")),
        },
    };

    // The pauses grow, so that an overloaded server gets fewer requests and not more.
    let [first_pause, longest_pause] = PAUSES;
    Ok(RetryConfig {
        backoff: BackoffConfig {
            init_backoff: first_pause,
            max_backoff: longest_pause,
            base: 2.0,
        },
        max_retries: attempts - 1,
        retry_timeout: RETRY_WINDOW,
    })
}

/// Names the cryptography of TLS once per process; another part may have named the same before.
fn install_tls() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An error means that a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(url: &str, pairs: &[(&str, &str)]) -> String {
        let environment = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        match open_bucket(&Url::parse(url).unwrap(), &environment) {
            Ok(_) => "opens".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn http_is_for_this_machine_or_said_explicitly() {
        for url in [
            "http://127.0.0.1:9000",
            "http://localhost:9000",
            "http://[::1]:9000",
            "https://minio.lan",
        ] {
            assert_eq!(reason("s3://b/p", &[("AWS_ENDPOINT_URL", url)]), "opens");
        }

        let elsewhere = ("AWS_ENDPOINT_URL", "http://minio.lan:9000");
        insta::assert_snapshot!(reason("s3://b", &[elsewhere]));
        let allowed = [elsewhere, ("AWS_ALLOW_HTTP", "true")];
        assert_eq!(reason("s3://b", &allowed), "opens");
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        let mut reasons = Vec::new();
        for (url, variables) in [
            ("s3://", vec![]),
            ("s3://key:secret@bucket", vec![]),
            ("s3://bucket:9000/prefix", vec![]),
            ("s3://bucket", vec![("AWS_ENDPOINT_URL", "localhost:9000")]),
            ("s3://bucket", vec![("AWS_MAX_ATTEMPTS", "0")]),
            ("s3://bucket", vec![("AWS_CA_BUNDLE", "/nonexistent.pem")]),
            (
                "s3://bucket",
                vec![("AWS_PROFILE", "play"), ("HOME", "/nonexistent")],
            ),
            ("s3://bucket", vec![("AWS_ACCESS_KEY_ID", "key")]),
        ] {
            reasons.push(reason(url, &variables));
        }

        insta::assert_snapshot!(reasons.join("\n"));
    }
}
