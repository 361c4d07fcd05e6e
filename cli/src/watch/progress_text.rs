//! What a worker reports about its work in forms of falling length: the screen takes the longest
//! that fits, so that nothing is cut where it matters.

use schemas::progress::{Context, Count, Device, ProgressRecord};

/// The forms of a report, the longest first; at least one.
pub(super) fn report_forms(progress: &ProgressRecord) -> Vec<String> {
    match &progress.context {
        // Before its first epoch a training has nothing to count.
        Context::Train { epoch, .. } if epoch.done > 0 => training_forms(progress),
        _ => {
            let message = progress.message.clone();
            vec![
                join_parts(&[Some(message.clone()), rate_text(progress)]),
                message,
            ]
        }
    }
}

/// The forms of a training that is in an epoch.
fn training_forms(progress: &ProgressRecord) -> Vec<String> {
    let Context::Train {
        epoch,
        batch,
        train_loss,
        val_loss,
        device,
        ..
    } = &progress.context
    else {
        return Vec::new();
    };

    // The epoch and the loss are what people watch a training for: they are dropped last.
    let epochs = Some(format!("Epoch {}", fraction(*epoch)));
    let batches = (batch.total > 0).then(|| format!("Batch {}", fraction(*batch)));
    let loss = train_loss.map(|loss| format!("loss {loss:.4}"));
    let losses = match (train_loss, val_loss) {
        (Some(train), Some(validation)) => Some(format!("loss {train:.4}, val {validation:.4}")),
        _ => loss.clone(),
    };
    let rate = rate_text(progress);
    let message = Some(progress.message.clone());
    let counts = join_parts(&[epochs.clone(), batches, losses.clone(), rate.clone()]);
    [
        join_parts(&[message, losses.clone(), rate]),
        join_parts(&[Some(counts.clone()), device_text(device)]),
        counts,
        join_parts(&[epochs.clone(), losses]),
        join_parts(&[epochs.clone(), loss]),
        join_parts(&[epochs]),
    ]
    .into()
}

/// `on cpu`, `on GPU 1`; none where the record does not say.
fn device_text(device: &Device) -> Option<String> {
    let name = match device.name.as_str() {
        "" => &device.kind,
        name => name,
    };
    (!name.is_empty()).then(|| format!("on {name}"))
}

fn join_parts(parts: &[Option<String>]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .flatten()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(" · ")
}

fn fraction(count: Count) -> String {
    format!("{}/{}", count.done, count.total)
}

/// `340 it/s`, `1.2 epochs/s`, `2000 bars/s`: how fast the work goes, where the worker knows it.
fn rate_text(progress: &ProgressRecord) -> Option<String> {
    let rate = progress.rate.filter(|rate| *rate > 0.0)?;

    let (rate, unit) = match &progress.context {
        // Above one epoch a second the batches are a blur.
        Context::Train { batch, .. } if batch.total > 0 && rate >= batch.total as f64 => {
            (rate / batch.total as f64, "epochs/s")
        }
        Context::TrainBundle { .. } => (rate, "trainings/s"),
        Context::Data { .. } => (rate, "bars/s"),
        _ => (rate, "it/s"),
    };
    Some(match rate {
        rate if rate >= 10.0 => format!("{rate:.0} {unit}"),
        rate => format!("{rate:.1} {unit}"),
    })
}

/// The longest of the forms that has at most `width` characters; if none has, the shortest one, cut
/// between two words.
pub(super) fn fit<'a>(forms: impl IntoIterator<Item = &'a str>, width: usize) -> String {
    let mut shortest = "";
    for form in forms {
        if form.chars().count() <= width {
            return form.to_owned();
        }
        shortest = form;
    }
    cut_between_words(shortest, width)
}

/// `text` with whole words only, on at most `width` characters.
fn cut_between_words(text: &str, width: usize) -> String {
    let mut cut = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        // Room for a blank, the word, and the mark that something is missing.
        let longer = length + word.chars().count() + usize::from(length > 0);
        if longer + 2 > width {
            break;
        }
        if length > 0 {
            cut.push(' ');
        }
        cut.push_str(word);
        length = longer;
    }

    if width >= 1 {
        cut.push_str(if cut.is_empty() { "…" } else { " …" });
    }
    cut
}

#[cfg(test)]
mod tests {
    use schemas::ids::{Service, StepNumber};
    use serde_json::{Value, json};

    use super::*;

    /// The forms of a report with this context and the message `Training`.
    fn forms_of(context: Value) -> Vec<String> {
        let record = ProgressRecord {
            v: 1,
            op: "op_train_20260301_142233_9f3a01bc".parse().unwrap(),
            step: StepNumber::FIRST,
            steps: 1,
            service: Service::Trainer,
            worker: "trainer-here-1-0001".parse().unwrap(),
            attempt: 1,
            seq: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            started_at: jiff::Timestamp::UNIX_EPOCH,
            percent: 0.0,
            step_percent: 0.0,
            eta_s: None,
            rate: None,
            message: "Training".to_owned(),
            items: None,
            context: serde_json::from_value(context).unwrap(),
            waiting: None,
        };

        report_forms(&record)
    }

    /// The context of a training at an epoch and a batch, without losses.
    fn training(epoch: u64, batch: Value, device: Value) -> Value {
        json!({
            "kind": "train", "model_type": "mlp", "strategy": "x", "symbols": ["EURUSD"],
            "timeframes": ["1h"], "epoch": {"done": epoch, "total": 50}, "batch": batch,
            "train_loss": null, "val_loss": null, "learning_rate": 0.001, "device": device,
        })
    }

    #[test]
    fn an_epoch_without_a_batch_is_shown_alone() {
        let no_batch = json!({"done": 0, "total": 0});
        let forms = forms_of(training(15, no_batch, json!({"kind": ""})));

        assert_eq!(forms[..2], ["Training", "Epoch 15/50"]);
    }

    #[test]
    fn an_epoch_is_shown_with_its_batch() {
        let batch = json!({"done": 7, "total": 20});
        let forms = forms_of(training(15, batch, json!({"kind": ""})));

        assert_eq!(forms[..2], ["Training", "Epoch 15/50 · Batch 7/20"]);
    }

    #[test]
    fn the_device_is_shown_for_a_cpu_and_for_a_gpu() {
        let batch = || json!({"done": 7, "total": 20});
        let cpu = forms_of(training(15, batch(), json!({"kind": "cpu"})));
        let gpu = forms_of(training(
            15,
            batch(),
            json!({"kind": "cuda", "name": "GPU 1"}),
        ));

        assert_eq!(cpu[1], "Epoch 15/50 · Batch 7/20 · on cpu");
        assert_eq!(cpu[2], "Epoch 15/50 · Batch 7/20");
        assert_eq!(gpu[1], "Epoch 15/50 · Batch 7/20 · on GPU 1");
    }

    #[test]
    fn without_counts_the_message_is_shown() {
        let no_batch = json!({"done": 0, "total": 0});
        let before_the_first = training(0, no_batch, json!({"kind": "cpu"}));

        assert_eq!(forms_of(json!({"kind": "none"})), ["Training"; 2]);
        assert_eq!(forms_of(before_the_first), ["Training"; 2]);
    }

    #[test]
    fn the_longest_form_that_fits_is_taken() {
        let forms = ["one two three", "one two", "one"];

        assert_eq!(fit(forms, 20), "one two three");
        assert_eq!(fit(forms, 12), "one two");
        assert_eq!(fit(forms, 3), "one");
    }

    #[test]
    fn what_does_not_fit_is_cut_between_two_words() {
        assert_eq!(fit(["Working on iteration 7/16"], 14), "Working on …");
        assert_eq!(fit(["Working"], 5), "…");
        assert_eq!(fit(["Working"], 0), "");
    }
}
