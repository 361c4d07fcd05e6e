//! Brings the server to the declared topology, and finds the differences without changing anything.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{FromConsumer as _, pull};
use async_nats::jetstream::stream::{Config, ConsumerErrorKind};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::connect::Bus;
use crate::drift::{Drift, differences, merge_fields};
use crate::election::ask_through_election;
use crate::error::BusError;
use crate::handles::Infra;
use crate::stream_info::read_stream_info;
use crate::topology::{Consumer, PROFILE_KEY, Topology};

/// Settings of a stream that the programs rely on. Sizes, replicas and texts are the installation's
/// own business.
const STREAM_FIELDS: &[&str] = &[
    "subjects",
    "retention",
    "discard",
    "discard_new_per_subject",
    "max_msgs_per_subject",
    "max_age",
    "storage",
    "allow_direct",
    "allow_rollup_hdrs",
    "deny_delete",
    "allow_msg_ttl",
    "allow_msg_schedules",
    "subject_delete_marker_ttl",
    "persist_mode",
    "duplicate_window",
];
/// Settings of a consumer that the programs rely on.
const CONSUMER_FIELDS: &[&str] = &[
    "filter_subject",
    "ack_policy",
    "ack_wait",
    "max_deliver",
    "max_ack_pending",
    "backoff",
    "priority_policy",
    "priority_groups",
];
/// Requests under way at once.
const CONCURRENCY: usize = 8;

/// What `apply` did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Streams, buckets and consumers that were missing.
    pub created: Vec<String>,
    /// Settings that were changed.
    pub changed: Vec<Drift>,
}

impl Bus {
    /// What every service does first: refuses to run on a server that differs.
    ///
    /// # Errors
    /// [`BusError::Drift`] with every difference.
    pub async fn check(&self, topology: &Topology) -> Result<(), BusError> {
        match self.infra().differences(topology).await? {
            drifts if drifts.is_empty() => Ok(()),
            drifts => Err(BusError::Drift(drifts)),
        }
    }
}

impl Infra<'_> {
    /// Creates what is missing and changes what differs. Deletes nothing; running it twice changes
    /// nothing.
    ///
    /// # Errors
    /// [`BusError::Request`] when the server refuses, for example a change of retention or storage.
    pub async fn apply(self, topology: &Topology) -> Result<Applied, BusError> {
        let mut applied = Applied::default();
        for declared in &topology.streams {
            self.apply_stream(declared, &mut applied).await?;
        }
        for declared in &topology.consumers {
            self.apply_consumer(declared, &mut applied).await?;
        }
        Ok(applied)
    }

    async fn apply_stream(self, declared: &Config, applied: &mut Applied) -> Result<(), BusError> {
        let name = &declared.name;
        let Some(on_server) = self.stream_config(name).await? else {
            // A new cluster refuses until its servers have met.
            let create = || async {
                let created = self.bus.js.create_stream(declared.clone()).await;
                created.map_err(BusError::request(format!("create the stream {name}")))
            };
            ask_through_election(&self.bus.client, create).await?;
            applied.created.push(name.clone());
            return Ok(());
        };

        let differences = stream_differences(declared, &on_server);
        if differences.is_empty() {
            return Ok(());
        }

        // Fields that are not declared stay as the server has them.
        let mut merged: Config = merge_fields(&on_server, declared, STREAM_FIELDS)?;
        merged.metadata.extend(declared.metadata.clone());
        if on_server.num_replicas > 1 {
            merged.persist_mode = None;
        }
        let changed = self.bus.js.update_stream(merged).await;
        changed.map_err(BusError::request(format!("change the stream {name}")))?;
        applied.changed.extend(differences);
        Ok(())
    }

    async fn apply_consumer(
        self,
        declared: &Consumer,
        applied: &mut Applied,
    ) -> Result<(), BusError> {
        let name = declared.name();
        let config = &declared.config;
        let on_server = self.consumer_config(declared).await?;
        let differences =
            on_server.map(|on_server| differences(name, CONSUMER_FIELDS, config, &on_server));
        if differences.as_ref().is_some_and(Vec::is_empty) {
            return Ok(());
        }

        // Creating a consumer that exists changes it.
        let create = || self.create_consumer(declared);
        ask_through_election(&self.bus.client, create).await?;
        match differences {
            None => applied.created.push(name.to_owned()),
            Some(differences) => applied.changed.extend(differences),
        }
        Ok(())
    }

    async fn create_consumer(self, declared: &Consumer) -> Result<(), BusError> {
        let js = &self.bus.js;
        let created = js
            .create_consumer_on_stream(declared.config.clone(), declared.stream)
            .await;

        let request = format!("create the consumer {}", declared.name());
        created.map(|_| ()).map_err(BusError::request(request))
    }

    /// Every difference between the declaration and the server, in the order of the declaration.
    pub async fn differences(self, topology: &Topology) -> Result<Vec<Drift>, BusError> {
        let streams = topology
            .streams
            .iter()
            .map(|declared| self.compare_stream(declared));
        let streams: Vec<_> = streams.collect();
        let consumers = topology
            .consumers
            .iter()
            .map(|declared| self.compare_consumer(declared));
        let consumers: Vec<_> = consumers.collect();

        // Many small requests: in parallel they take one round trip or two.
        let mut drifts: Vec<Vec<Drift>> = stream::iter(streams)
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        let of_consumers: Vec<Vec<Drift>> = stream::iter(consumers)
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        drifts.extend(of_consumers);
        Ok(drifts.into_iter().flatten().collect())
    }

    async fn compare_stream(self, declared: &Config) -> Result<Vec<Drift>, BusError> {
        Ok(match self.stream_config(&declared.name).await? {
            Some(on_server) => stream_differences(declared, &on_server),
            None => vec![Drift::missing(&declared.name)],
        })
    }

    async fn compare_consumer(self, declared: &Consumer) -> Result<Vec<Drift>, BusError> {
        let name = declared.name();
        Ok(match self.consumer_config(declared).await? {
            Some(on_server) => differences(name, CONSUMER_FIELDS, &declared.config, &on_server),
            None => vec![Drift::missing(name)],
        })
    }

    /// The stream's settings as the server has them; none when it does not exist.
    async fn stream_config(self, name: &str) -> Result<Option<Config>, BusError> {
        let read = || read_stream_info(&self.bus.js, name);
        let info = ask_through_election(&self.bus.client, read).await?;
        Ok(info.map(|info| info.config))
    }

    async fn consumer_config(self, declared: &Consumer) -> Result<Option<pull::Config>, BusError> {
        let read = || self.read_consumer(declared);
        ask_through_election(&self.bus.client, read).await
    }

    async fn read_consumer(self, declared: &Consumer) -> Result<Option<pull::Config>, BusError> {
        let name = declared.name();
        let js = &self.bus.js;
        let consumer = js
            .get_consumer_from_stream::<pull::Config, _, _>(name, declared.stream)
            .await;

        match consumer {
            Ok(consumer) => {
                let failed = BusError::request(format!("read the settings of the consumer {name}"));
                let config = consumer.cached_info().config.clone();
                pull::Config::try_from_consumer_config(config)
                    .map(Some)
                    .map_err(failed)
            }
            Err(error) if is_missing(error.kind()) => Ok(None),
            Err(error) => {
                let request = format!("read the state of the consumer {name}");
                Err(BusError::request(request)(error))
            }
        }
    }
}

fn is_missing(kind: ConsumerErrorKind) -> bool {
    let missing = [ErrorCode::CONSUMER_NOT_FOUND, ErrorCode::STREAM_NOT_FOUND];
    matches!(kind, ConsumerErrorKind::JetStream(refusal) if missing.contains(&refusal.error_code()))
}

/// The settings that differ, and the profile, which the server keeps among entries of its own.
fn stream_differences(declared: &Config, on_server: &Config) -> Vec<Drift> {
    let mut drifts = differences(&declared.name, STREAM_FIELDS, declared, on_server);
    // How a stream syncs follows from how many servers it is on, which an installation decides.
    if on_server.num_replicas > 1 {
        drifts.retain(|drift| drift.field != "persist_mode");
    }

    let server_profile = on_server.metadata.get(PROFILE_KEY);
    if let Some(profile) = declared.metadata.get(PROFILE_KEY)
        && server_profile != Some(profile)
    {
        drifts.push(Drift {
            what: declared.name.clone(),
            field: "profile".to_owned(),
            declared: profile.clone(),
            found: server_profile.map_or_else(|| "unset".to_owned(), Clone::clone),
        });
    }
    drifts
}
