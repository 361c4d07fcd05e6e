//! What a backend answered, in words: the server's XML and the library's layers stay out of sight.

use std::error::Error;
use std::fmt;

use object_store::client::{HttpError, HttpErrorKind};
use schemas::errors::chain;
use url::Url;

/// Why a request to a server failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteFault {
    /// No connection: wrong address, no network, or nothing listens there.
    Unreachable,
    /// No answer within the time limit.
    Timeout,
    /// The connection ended before the answer did.
    Interrupted,
    /// The server is overloaded or fails (429, 5xx).
    Busy,
    /// The bucket does not exist.
    NoBucket,
    /// The bucket is in another region than the one that was named.
    Region,
    /// The server knows the key and refuses the action, or does not know the key (401, 403).
    Denied,
    /// No key was named, and the machine has no role.
    NoCredentials,
    /// The server does not support the request (501), such as a conditional create.
    Unsupported,
    /// The process that reads the store for us did not answer, or cannot read it.
    NoQueries,
    /// Another process reads the store for us: nothing can be written that way.
    ReadOnly,
    /// Any other answer that is an error.
    Refused,
}

impl RemoteFault {
    /// True if the same request may succeed later without anybody doing anything.
    pub(crate) fn is_transient(self) -> bool {
        match self {
            Self::Unreachable | Self::Timeout | Self::Interrupted | Self::Busy => true,
            Self::NoQueries => true,
            // A process without any would not have started: the machine's role is away for now.
            Self::NoCredentials => true,
            Self::NoBucket | Self::Region | Self::Denied | Self::Unsupported | Self::Refused => {
                false
            }
            Self::ReadOnly => false,
        }
    }

    /// Next action of the person who reads the error.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            // Nothing a person can change about the request: the server has to recover.
            Self::Unreachable => {
                "check that the server runs and that AWS_ENDPOINT_URL names it; \
                 nothing half-written is visible, so the command may simply be run again"
            }
            Self::Timeout | Self::Interrupted | Self::Busy => {
                "run the command again when the server or the network has recovered; \
                 nothing half-written is visible"
            }

            // Settings of this process or of the bucket.
            Self::NoBucket => "create the bucket, or correct its name in the URL of the store",
            Self::Region => "set AWS_REGION to the region of the bucket",
            Self::Denied => {
                "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that this user may get, \
                 put, delete and list objects of the bucket (docs/operating.md has the policy)"
            }
            Self::NoCredentials => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            }
            Self::Unsupported => {
                "the store needs a server with conditional creates (If-None-Match), as Amazon S3, \
                 MinIO, Ceph and R2 have"
            }
            Self::NoQueries => {
                "start a registry beside the store (`ktrdr workers list` shows who runs), or set \
                 `store.url` to the store itself"
            }
            Self::ReadOnly => {
                "a store that is read through the registry cannot be written: set `store.url`, or \
                 KTRDR_STORE, to the store itself for this command"
            }
            Self::Refused => "docs/operating.md lists what a store needs",
        }
    }
}

/// A failed request to a backend. Its text is for people; for a server it names the host, what the
/// server answered, and the number of attempts.
#[derive(Debug)]
pub enum BackendError {
    /// An answer of a server, or none.
    Remote {
        /// Kind of failure, which decides on hint and retries.
        fault: RemoteFault,
        /// The failure in words.
        text: String,
    },
    /// A failure on this machine, as the library reports it.
    Local(object_store::Error),
}

impl fmt::Display for BackendError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote { text, .. } => formatter.write_str(text),
            Self::Local(error) => error.fmt(formatter),
        }
    }
}

impl Error for BackendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Remote { .. } => None,
            Self::Local(error) => error.source(),
        }
    }
}

/// Why a query has no answer, in words.
pub type QueryError = Box<dyn Error + Send + Sync>;

/// What a store that another process reads cannot do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryFault {
    /// The answer is missing or makes no sense.
    #[error("{}", chain(.0.as_ref()))]
    NoAnswer(QueryError),
    /// A request that no query can express.
    #[error("the store of the registry cannot do this: {0}")]
    Refused(&'static str),
    /// A write of any kind.
    #[error("the store is read through the registry")]
    ReadOnly,
}

impl QueryFault {
    fn kind(&self) -> RemoteFault {
        match self {
            Self::NoAnswer(_) => RemoteFault::NoQueries,
            Self::Refused(_) => RemoteFault::Unsupported,
            Self::ReadOnly => RemoteFault::ReadOnly,
        }
    }
}

impl From<QueryFault> for object_store::Error {
    fn from(fault: QueryFault) -> Self {
        Self::Generic {
            store: "registry",
            source: Box::new(fault),
        }
    }
}

impl From<object_store::Error> for BackendError {
    fn from(error: object_store::Error) -> Self {
        let of_query = error.source().and_then(|source| source.downcast_ref());
        if let Some(fault) = of_query {
            let fault: &QueryFault = fault;
            return Self::Remote {
                fault: fault.kind(),
                text: fault.to_string(),
            };
        }

        match Answer::read(&error) {
            Some(answer) => Self::Remote {
                fault: answer.fault(),
                text: answer.words(),
            },
            None => Self::Local(error),
        }
    }
}

/// True if the server said that the bucket, not the object, does not exist.
pub(crate) fn names_no_bucket(error: &object_store::Error) -> bool {
    Answer::read(error).is_some_and(|answer| answer.fault() == RemoteFault::NoBucket)
}

/// What the library's error says about one request.
///
/// The library keeps the parts of a failed request private and prints them as
/// `Error performing GET http://host/key in 1.2s, after 4 retries, max_retries: … - Server returned
/// non-2xx status code: 503 Service Unavailable: <body>`; this reads them from there.
#[derive(Debug, Default)]
struct Answer {
    /// Scheme, host and port of the server.
    server: String,
    /// The request went to the metadata service of a cloud machine: that is how the library looks
    /// for credentials when none are set.
    asks_for_role: bool,
    /// Requests that were made, the first one included.
    attempts: usize,
    /// Status line such as `503 Service Unavailable`; empty without an answer.
    status: String,
    /// `<Code>` of the body, such as `SlowDown`.
    code: String,
    /// `<Message>` of the body.
    message: String,
    /// What went wrong below HTTP.
    transport: Option<HttpErrorKind>,
    /// The innermost cause, such as `Connection refused (os error 111)`.
    cause: String,
}

impl Answer {
    /// Reads the error of a request over the network; `None` for any other error.
    fn read(error: &object_store::Error) -> Option<Self> {
        let mut answer = Self::default();
        let mut is_remote = false;

        // Every layer prints its own part; the innermost one has the cause.
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(current) = next {
            if let Some(http) = current.downcast_ref::<HttpError>() {
                answer.transport = Some(http.kind());
                is_remote = true;
            }

            let text = current.to_string();
            if let Some((_, request)) = text.split_once("Error performing ") {
                is_remote = true;
                answer.read_request(request);
            }

            answer.cause = text;
            next = current.source();
        }
        is_remote.then_some(answer)
    }

    /// Reads the text after `Error performing `.
    fn read_request(&mut self, request: &str) {
        let url = request.split(' ').nth(1).unwrap_or_default();
        if let Ok(url) = Url::parse(url) {
            self.server = url.origin().ascii_serialization();
            let path = url.path();
            self.asks_for_role =
                path == "/latest/api/token" || path.starts_with("/latest/meta-data");
        }

        // Only a request that was repeated says how often.
        let retries = text_between(request, "after ", " retries");
        self.attempts = 1 + retries.and_then(|text| text.parse().ok()).unwrap_or(0);

        // The status line ends where the body begins.
        if let Some((_, status)) = request.split_once("status code: ") {
            let line = status.split_once(": ").map_or(status, |(line, _)| line);
            self.status = line.trim().to_owned();
        }

        // Every error of S3 has these two elements; other servers may send a page instead.
        self.code = text_between(request, "<Code>", "</Code>")
            .unwrap_or_default()
            .to_owned();
        self.message = text_between(request, "<Message>", "</Message>")
            .unwrap_or_default()
            .to_owned();

        if request.contains("Received redirect without LOCATION") {
            self.status = "301 Moved Permanently".to_owned();
        }
    }

    fn fault(&self) -> RemoteFault {
        if self.asks_for_role {
            return RemoteFault::NoCredentials;
        }

        // The code says more than the status: a bucket and an object are both absent with 404.
        match self.code.as_str() {
            "NoSuchBucket" => return RemoteFault::NoBucket,
            "SlowDown" | "InternalError" | "ServiceUnavailable" => return RemoteFault::Busy,
            "PermanentRedirect" | "AuthorizationHeaderMalformed" => return RemoteFault::Region,
            "NotImplemented" => return RemoteFault::Unsupported,
            _ => {}
        }

        // Without a status there was no answer, and the transport says why.
        let status = self.status.split(' ').next().unwrap_or_default();
        match (status, self.transport) {
            ("401" | "403", _) => RemoteFault::Denied,
            ("301" | "307", _) => RemoteFault::Region,
            ("501", _) => RemoteFault::Unsupported,
            ("429" | "500" | "502" | "503" | "504", _) => RemoteFault::Busy,
            ("", Some(HttpErrorKind::Connect)) => RemoteFault::Unreachable,
            ("", Some(HttpErrorKind::Timeout)) => RemoteFault::Timeout,
            ("", Some(_)) => RemoteFault::Interrupted,
            _ => RemoteFault::Refused,
        }
    }

    /// The failure in one phrase, with the server's message where it sent one.
    fn words(&self) -> String {
        let server = if self.server.is_empty() {
            "the server"
        } else {
            &self.server
        };

        let answer = match self.fault() {
            RemoteFault::NoCredentials => "there are no credentials for S3".to_owned(),
            RemoteFault::Unreachable => format!("cannot connect to {server}: {}", self.cause),
            RemoteFault::Timeout => format!("{server} did not answer in time"),
            RemoteFault::Interrupted => {
                format!("the connection to {server} ended before its answer did")
            }
            // Proxies answer without a code of S3: then the status is all there is.
            _ if self.code.is_empty() => format!("{server} answered {}", self.status),
            _ => {
                let message = self.message.trim().trim_end_matches('.');
                format!("{server} answered {}: {message}", self.code)
            }
        };

        match self.attempts {
            0 | 1 => answer,
            attempts => format!("{answer} (tried {attempts} times)"),
        }
    }
}

/// The text between the first `start` and the next `end`.
fn text_between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}
