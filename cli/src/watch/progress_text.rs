//! What a worker reports about its work in forms of falling length: the screen takes the longest
//! that fits, so that nothing is cut where it matters.

use schemas::progress::{Context, Count, ProgressRecord};

/// The forms of a report, the longest first; at least one.
pub(super) fn report_forms(progress: &ProgressRecord) -> Vec<String> {
    let rate = rate_text(progress);

    let Context::Train {
        epoch,
        batch,
        train_loss,
        val_loss,
        ..
    } = &progress.context
    else {
        return vec![
            join_parts(&[Some(progress.message.clone()), rate]),
            progress.message.clone(),
        ];
    };

    // The epoch and the loss are what people watch a training for: they are dropped last.
    let epochs = Some(format!("Epoch {}", fraction(*epoch)));
    let batches = Some(format!("Batch {}", fraction(*batch)));
    let loss = train_loss.map(|loss| format!("loss {loss:.4}"));
    let losses = match (train_loss, val_loss) {
        (Some(train), Some(validation)) => Some(format!("loss {train:.4}, val {validation:.4}")),
        _ => loss.clone(),
    };
    let message = Some(progress.message.clone());
    [
        join_parts(&[message, losses.clone(), rate.clone()]),
        join_parts(&[epochs.clone(), batches.clone(), losses.clone(), rate]),
        join_parts(&[epochs.clone(), losses]),
        join_parts(&[epochs.clone(), loss]),
        join_parts(&[epochs]),
    ]
    .into()
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
    use super::*;

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
