//! One question to a gateway, asked again as often as its kind of failure allows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ibapi::Error;
use jiff::{SignedDuration, Timestamp};
use runtime::SharedMemory;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::codes::{
    ATTEMPTS_MAX, Meaning, PACING_PAUSES_MAX, SESSION_PAUSES_MAX, classify, pause_before_attempt,
};
use super::error::{IbError, IbFailure};
use super::pacing::{IbPacer, PacedRequest};
use super::session::{Connected, Connector};
use super::settings::{IbSettings, IbWaits};
use crate::waits::wait_until;

/// Historical requests that may be open at the same time.
const OPEN_MAX: usize = 3;

/// A gateway with the limits of its account.
pub struct Gateway {
    /// Where it is, and how it is asked.
    pub settings: IbSettings,
    /// The connection to it.
    pub connector: Connector,
    /// What its account allows.
    pub pacer: IbPacer,
    /// Places for open historical requests.
    places: Semaphore,
    waits: IbWaits,
}

/// What is asked for.
pub struct Question<'a> {
    /// In words, for errors.
    pub subject: String,
    /// What the rules of pacing count; absent for questions that they do not hold for.
    pub paced: Option<&'a PacedRequest>,
    /// How often it may fail.
    pub attempts_max: u32,
}

impl Question<'_> {
    /// A question that costs little.
    pub const fn free(subject: String) -> Self {
        Self {
            subject,
            paced: None,
            attempts_max: ATTEMPTS_MAX,
        }
    }
}

/// What came instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    /// A numbered message.
    Message { code: i32, text: String },
    /// Nothing in time.
    Timeout,
    /// The connection broke.
    Broken(String),
    /// The gateway lost its servers meanwhile: nobody failed.
    Interrupted,
    /// Something that cannot be read.
    Unreadable(String),
    /// A request that the library does not send.
    Wrong(String),
}

/// How often a question has failed, by kind.
#[derive(Default)]
struct Tries {
    failed: u32,
    pacing: u32,
    session: u32,
}

/// What follows a trouble.
enum Next {
    /// Ask again at once.
    Again,
    /// Ask again after a pause.
    After(Duration),
    /// There are no bars.
    Nothing,
    /// There is no use.
    Fail(IbFailure),
}

impl Gateway {
    /// Without a connection yet. Whoever has the same memory shares its limits.
    pub fn new(settings: IbSettings, waits: IbWaits, memory: Arc<dyn SharedMemory>) -> Self {
        let rules = settings.pacing(&waits);
        Self {
            connector: Connector::new(settings.clone(), waits.clone()),
            pacer: IbPacer::new(rules, memory, &settings.paced_account()),
            places: Semaphore::new(OPEN_MAX),
            settings,
            waits,
        }
    }

    /// Asks until there is an answer; none if the gateway says that there is no data. Dropping it
    /// cancels the question at the gateway.
    pub async fn ask<T, F>(
        &self,
        question: &Question<'_>,
        send: impl Fn(Arc<Connected>) -> F,
    ) -> Result<Option<T>, IbError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        // Nobody closes the places, so that there is one sooner or later.
        let place = question.paced.map(|_| self.places.acquire());
        let _place = match place {
            Some(place) => place.await.ok(),
            None => None,
        };

        let mut tries = Tries::default();
        loop {
            let connected = self.ready(question).await?;
            let trouble = match self.ask_once(&connected, &send).await {
                Ok(answer) => {
                    connected.note_sign();
                    return Ok(Some(answer));
                }
                Err(trouble) => trouble,
            };

            self.look_after(&connected, &trouble).await;
            match self.next(question, &trouble, &mut tries) {
                Next::Again => {}
                Next::After(pause) => self.pause(pause, &trouble, &tries).await,
                Next::Nothing => return Ok(None),
                Next::Fail(failure) => return Err(self.connector.error(failure)),
            }
        }
    }

    /// A connection whose gateway has its servers, at an instant at which the limits allow it.
    async fn ready(&self, question: &Question<'_>) -> Result<Arc<Connected>, IbError> {
        loop {
            let connected = self.connector.connected().await?;
            self.wait_for_servers(&connected).await?;
            let Some(request) = question.paced else {
                return Ok(connected);
            };

            // A connection may break while the limit is waited for.
            self.pacer.admit(request).await;
            let is_up = {
                let link = connected.link.borrow();
                link.is_up && !link.is_closed
            };
            if is_up {
                return Ok(connected);
            }
        }
    }

    /// Waits while the gateway has lost its servers, and for a while if it has none for history.
    async fn wait_for_servers(&self, connected: &Connected) -> Result<(), IbError> {
        let mut link = connected.link.clone();
        let now = link.borrow().clone();
        if !now.is_up {
            let until = Instant::now() + self.settings.outage;
            let reason = "the gateway has lost its servers";
            let back = link.wait_for(|link| link.is_up || link.is_closed);
            tokio::select! {
                _ = back => {}
                () = wait_until(until, reason) => {
                    let minutes = self.settings.outage.as_secs() / 60;
                    return Err(self.connector.error(IbFailure::LinkLost { minutes }));
                }
            }
        }

        if let Some(farm) = now.broken_history() {
            let until = Instant::now() + self.waits.pause;
            let reason = format!("the server {farm} of the gateway is away");
            let back = link.wait_for(|link| link.broken_history().is_none() || link.is_closed);
            tokio::select! {
                _ = back => {}
                () = wait_until(until, &reason) => {}
            }
        }
        Ok(())
    }

    /// One attempt, which ends when the gateway loses its servers.
    async fn ask_once<T, F>(
        &self,
        connected: &Arc<Connected>,
        send: &impl Fn(Arc<Connected>) -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut link = connected.link.clone();
        let losses = link.borrow().losses;
        let interrupted = link.wait_for(|link| !link.is_up || link.losses > losses);

        // The library waits a reconnect out beyond its own timeout.
        let limit = self.settings.timeout + self.waits.probe;
        tokio::select! {
            answer = timeout(limit, send(Arc::clone(connected))) => match answer {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(trouble_of(error)),
                Err(_) => Err(Trouble::Timeout),
            },
            Ok(_) = interrupted => Err(Trouble::Interrupted),
        }
    }

    /// Doubts a connection that gave no answer, and looks whether anybody is there.
    async fn look_after(&self, connected: &Connected, trouble: &Trouble) {
        match trouble {
            Trouble::Timeout => connected.is_doubted.store(true, Ordering::Relaxed),
            Trouble::Message { code, text } if classify(*code, text) == Meaning::Pacing => {
                self.pacer.pause_for(self.waits.pause).await;
            }
            _ => {}
        }
    }

    /// Decides what follows a trouble, and counts it.
    fn next(&self, question: &Question<'_>, trouble: &Trouble, tries: &mut Tries) -> Next {
        let meaning = match trouble {
            Trouble::Message { code, text } => classify(*code, text),
            Trouble::Interrupted => return Next::Again,
            Trouble::Broken(_) => Meaning::Connection,
            Trouble::Timeout | Trouble::Unreadable(_) => Meaning::Transient,
            Trouble::Wrong(_) => Meaning::BadRequest,
        };

        match meaning {
            Meaning::Empty => return Next::Nothing,
            Meaning::Pacing => {
                tries.pacing += 1;
                if tries.pacing <= PACING_PAUSES_MAX {
                    return Next::After(self.waits.pause);
                }
            }
            Meaning::SessionCompeting => {
                tries.session += 1;
                if tries.session <= SESSION_PAUSES_MAX {
                    return Next::After(self.waits.pause);
                }
            }
            meaning if is_final(meaning) => {}
            meaning => {
                tries.failed += 1;
                if tries.failed < question.attempts_max {
                    let pause = pause_before_attempt(meaning, tries.failed);
                    return Next::After(self.scattered(pause));
                }
            }
        }
        Next::Fail(self.failure(question, trouble, meaning))
    }

    /// A pause that differs by up to a fifth, so that programs do not ask in step.
    fn scattered(&self, pause: Duration) -> Duration {
        let scaled = pause * self.waits.back_off_percent / 100;
        scaled.mul_f64(rand::random_range(0.8..1.2))
    }

    async fn pause(&self, pause: Duration, trouble: &Trouble, tries: &Tries) {
        let what = match trouble {
            Trouble::Message { code, text } => format!("the gateway says {text} (code {code})"),
            Trouble::Timeout => "the gateway did not answer in time".to_owned(),
            Trouble::Broken(reason) => format!("the connection broke: {reason}"),
            Trouble::Unreadable(reason) | Trouble::Wrong(reason) => reason.clone(),
            Trouble::Interrupted => return,
        };

        let attempt = match tries.failed {
            0 => String::new(),
            failed => format!("attempt {} of {ATTEMPTS_MAX}: ", failed + 1),
        };
        wait_until(Instant::now() + pause, &format!("{attempt}{what}")).await;
    }

    fn failure(&self, question: &Question<'_>, trouble: &Trouble, meaning: Meaning) -> IbFailure {
        let subject = question.subject.clone();
        let message = match trouble {
            Trouble::Message { code, text } => (*code, text.clone()),
            Trouble::Timeout => {
                let seconds = self.settings.timeout.as_secs();
                return IbFailure::Timeout { subject, seconds };
            }

            Trouble::Broken(reason) => {
                let reason = reason.clone();
                return IbFailure::Lost { reason };
            }
            Trouble::Interrupted => {
                let reason = "the gateway lost its servers".to_owned();
                return IbFailure::Lost { reason };
            }
            Trouble::Unreadable(reason) | Trouble::Wrong(reason) => {
                let reason = reason.clone();
                return IbFailure::Protocol { subject, reason };
            }
        };

        self.failure_of_message(subject, message, meaning)
    }

    fn failure_of_message(
        &self,
        subject: String,
        message: (i32, String),
        meaning: Meaning,
    ) -> IbFailure {
        let code = message.0;
        let text = message.1;

        match meaning {
            Meaning::Pacing => IbFailure::Pacing {
                until: from_now(self.waits.pause),
            },
            Meaning::NoPermission => IbFailure::Permission {
                subject,
                code,
                text,
            },
            Meaning::SessionCompeting | Meaning::SessionElsewhere => {
                IbFailure::Session { code, text }
            }

            Meaning::UnknownInstrument => IbFailure::UnknownSymbol {
                instrument: subject,
                similar: Vec::new(),
            },
            Meaning::Ambiguous => IbFailure::Ambiguous {
                instrument: subject,
                candidates: vec![text],
            },
            Meaning::Unavailable => IbFailure::Unavailable {
                subject,
                code,
                text,
            },

            Meaning::BadRequest | Meaning::TooLong => IbFailure::Refused {
                subject,
                code,
                text,
            },
            Meaning::Connection => IbFailure::Lost {
                reason: format!("{text} (code {code})"),
            },
            _ => IbFailure::Away {
                subject,
                code,
                text,
            },
        }
    }
}

/// True where asking again gives the same answer.
const fn is_final(meaning: Meaning) -> bool {
    matches!(
        meaning,
        Meaning::NoPermission
            | Meaning::SessionElsewhere
            | Meaning::TooLong
            | Meaning::BadRequest
            | Meaning::UnknownInstrument
            | Meaning::Ambiguous
            | Meaning::Unavailable
    )
}

fn from_now(pause: Duration) -> Timestamp {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::ZERO);
    Timestamp::now()
        .checked_add(pause)
        .unwrap_or(Timestamp::MAX)
}

fn trouble_of(error: Error) -> Trouble {
    match error {
        Error::Notice(notice) => Trouble::Message {
            code: notice.code,
            text: notice.message,
        },
        Error::Timeout => Trouble::Timeout,
        Error::Io(_)
        | Error::ConnectionReset
        | Error::ConnectionFailed
        | Error::InvalidFrame(_)
        | Error::Shutdown
        | Error::UnexpectedEndOfStream
        | Error::EndOfStream
        | Error::Cancelled => Trouble::Broken(error.to_string()),
        Error::InvalidArgument(_) | Error::HistoricalParseError(_) => {
            Trouble::Wrong(error.to_string())
        }
        _ => Trouble::Unreadable(error.to_string()),
    }
}
