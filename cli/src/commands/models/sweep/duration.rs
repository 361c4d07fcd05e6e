//! How long a sweep may take: as its trainings took when the newest version of the strategy was
//! trained, shared by the cores of the trainers that run.

use std::time::Duration;

use schemas::ids::Service;
use schemas::manifests::ModelManifest;
use strategies::Resolved;

use super::super::registry::open_store_to_read;
use super::trainings::SweptTrainings;
use crate::console::durations::rough;
use crate::console::{Failure, count_of};
use crate::context::Context;

/// What one training of the strategy took.
struct Measured {
    /// `NAME@VERSION` of the one that was measured.
    model: String,
    seconds: f64,
    epochs: usize,
    /// Share of the epochs that it was allowed.
    share: f64,
}

impl Measured {
    /// Seconds of all trainings of a sweep, one after another, each with that share of its epochs.
    fn seconds_of(&self, trainings: &SweptTrainings) -> f64 {
        let of_epoch = self.seconds / self.epochs.max(1) as f64;
        of_epoch * self.share * trainings.epochs_allowed as f64
    }
}

/// Where trainings may run.
#[derive(Default)]
struct Trainers {
    count: usize,
    cores: usize,
}

/// A sentence about the time that the trainings take.
pub(super) async fn describe_duration(trainings: &SweptTrainings, context: &Context) -> String {
    let Ok(Some(measured)) = measure(trainings, context).await else {
        return format!(
            "How long they take is not known yet: no version of {} is stored",
            trainings.strategy
        );
    };
    let trainers = count_trainers(context).await;
    sentence(&measured, measured.seconds_of(trainings), &trainers)
}

fn sentence(measured: &Measured, seconds: f64, trainers: &Trainers) -> String {
    let span = |seconds: f64| rough(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    let Measured { model, epochs, .. } = measured;
    let basis = format!(
        "{model} trained {} in {:.1} s",
        count_of(*epochs, "epoch"),
        measured.seconds
    );

    if trainers.count == 0 {
        let all = span(seconds);
        return format!("Expected: {all} on one core, as {basis}; no trainer runs now");
    }
    let shared = span(seconds / trainers.cores.max(1) as f64);
    format!(
        "Expected: {shared} on the {} of {}, as {basis}",
        count_of(trainers.cores, "core"),
        count_of(trainers.count, "trainer")
    )
}

/// The training of the newest version of the strategy.
///
/// # Errors
/// The store cannot be opened or read.
async fn measure(
    trainings: &SweptTrainings,
    context: &Context,
) -> Result<Option<Measured>, Failure> {
    let store = open_store_to_read(context).await?;
    let Some(model) = store.models().find(&trainings.strategy, None).await? else {
        return Ok(None);
    };
    let artifacts = store.artifacts();
    let artifact = artifacts.manifest(&model.artifact).await?;
    let losses = artifacts.losses(&model.artifact, &artifact).await?;
    let allowed = Resolved::from_lineage(&model.lineage, &artifact.network.features);

    let seconds = losses.iter().map(|epoch| epoch.seconds).sum();
    let ModelManifest { name, version, .. } = &model;
    let Ok(allowed) = allowed else {
        return Ok(None);
    };
    Ok((!losses.is_empty()).then(|| Measured {
        model: format!("{name}@{version}"),
        seconds,
        epochs: losses.len(),
        share: losses.len() as f64 / f64::from(allowed.settings.epochs.max(1)),
    }))
}

/// The trainers that take work now; none where no server answers.
async fn count_trainers(context: &Context) -> Trainers {
    let Ok(bus) = context.bus().await else {
        return Trainers::default();
    };
    let workers = bus.workers().list().await.unwrap_or_default();

    let mut trainers = Trainers::default();
    for worker in workers {
        if worker.service == Service::Trainer && !worker.draining {
            trainers.count += 1;
            trainers.cores += usize::from(worker.cores.max(1));
        }
    }
    trainers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        Measured {
            model: "trend@3".to_owned(),
            seconds: 2.0,
            epochs: 20,
            share: 0.2,
        }
    }

    /// 0.1 s an epoch; a fifth of 6 000 allowed epochs are 1 200: 120 s.
    #[test]
    fn trainings_take_the_share_of_epochs_that_the_last_one_took() {
        let trainings = SweptTrainings {
            first: Vec::new(),
            others: Vec::new(),
            load: None,
            strategy: "trend".to_owned(),
            model: "trend-sweep".to_owned(),
            combinations: 60,
            folds: 1,
            seeds: 1,
            epochs_allowed: 6_000,
        };

        let seconds = measured().seconds_of(&trainings);

        assert!((seconds - 120.0).abs() < 1e-9, "{seconds}");
        let trainers = Trainers { count: 2, cores: 4 };
        assert_eq!(
            sentence(&measured(), seconds, &trainers),
            "Expected: 30s on the 4 cores of 2 trainers, as trend@3 trained 20 epochs in 2.0 s"
        );
        assert_eq!(
            sentence(&measured(), seconds, &Trainers::default()),
            "Expected: 2m on one core, as trend@3 trained 20 epochs in 2.0 s; no trainer runs now"
        );
    }
}
