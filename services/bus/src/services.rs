//! The NATS services API: `nats micro ls`, `info`, `stats`, and the queries that a service answers.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_nats::service::ServiceExt;
use async_nats::service::endpoint::Endpoint as Requests;
use futures::StreamExt;
use schemas::ids::Service;
use schemas::subjects;
use tokio::task::JoinSet;

use crate::error::BusError;
use crate::handles::Services;

/// An answer, or an HTTP-like code with a text that starts with our error code.
pub type Answer = Result<Vec<u8>, (usize, String)>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A query that a service answers on `ktrdr.svc.<service>.<name>`.
#[derive(Clone)]
pub struct Endpoint {
    name: &'static str,
    answer: Arc<dyn Fn(Vec<u8>) -> Answering + Send + Sync>,
}

impl Endpoint {
    /// `name` may have dots; `answer` gets the request's payload.
    pub fn new<F, A>(name: &'static str, answer: F) -> Self
    where
        F: Fn(Vec<u8>) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        Self {
            name,
            answer: Arc::new(move |payload| Box::pin(answer(payload))),
        }
    }

    /// Its name, as it stands in the subject.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its answer to a request, without a server between.
    ///
    /// # Errors
    /// The refusal: status as in HTTP, and a text for people.
    pub async fn answer(&self, payload: Vec<u8>) -> Answer {
        (self.answer)(payload).await
    }
}

/// How a process registers.
#[derive(Clone, Debug)]
pub struct ServiceDescription {
    /// The service that answers.
    pub service: Service,
    /// One line for people.
    pub about: &'static str,
    /// Version of the program.
    pub version: String,
    /// Worker id, slots, device, …
    pub metadata: HashMap<String, String>,
}

/// Answers until it is dropped.
#[must_use]
pub struct Answers {
    _service: async_nats::service::Service,
    _tasks: JoinSet<()>,
}

impl Services<'_> {
    /// Registers a service and answers its endpoints, each in its own task; one request of an
    /// endpoint at a time.
    pub async fn answer(
        self,
        description: ServiceDescription,
        endpoints: Vec<Endpoint>,
    ) -> Result<Answers, BusError> {
        let name = subjects::service_name(description.service);
        let failed = format!("register the service {name}");
        let builder = self.bus.client.service_builder();
        let builder = builder
            .description(description.about)
            .metadata(description.metadata);
        let started = builder.start(&name, &description.version).await;
        let service = started.map_err(BusError::request(failed.clone()))?;

        let group = service.group(subjects::service_group(description.service));
        let mut tasks = JoinSet::new();
        for endpoint in endpoints {
            let requests = group.endpoint(endpoint.name).await;
            let requests = requests.map_err(BusError::request(failed.clone()))?;
            tasks.spawn(answer_all(requests, endpoint));
        }
        Ok(Answers {
            _service: service,
            _tasks: tasks,
        })
    }

    /// Asks one instance of a service. The error is what it said, or that nobody answers.
    pub async fn ask(
        self,
        service: Service,
        endpoint: &str,
        payload: Vec<u8>,
    ) -> Result<Vec<u8>, BusError> {
        let subject = format!("{}.{endpoint}", subjects::service_group(service));
        let what = format!("ask the {service} for {endpoint}");
        let reply = self.bus.client.request(subject, payload.into()).await;
        let reply = reply.map_err(BusError::request(what.clone()))?;

        // A service answers a refusal with a header in place of a payload.
        let headers = reply.headers.as_ref();
        match headers.and_then(|headers| headers.get("Nats-Service-Error")) {
            Some(error) => Err(BusError::request(what)(error)),
            None => Ok(reply.payload.to_vec()),
        }
    }
}

async fn answer_all(mut requests: Requests, endpoint: Endpoint) {
    while let Some(request) = requests.next().await {
        let answer = (endpoint.answer)(request.message.payload.to_vec()).await;
        let reply = answer
            .map(Into::into)
            .map_err(|(code, status)| async_nats::service::error::Error { status, code });
        if let Err(error) = request.respond(reply).await {
            tracing::debug!(endpoint = endpoint.name, error = %error, "answer not sent");
        }
    }
}
