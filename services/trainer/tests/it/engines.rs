//! What both engines compute alike, and what the native one promises alone.

use schemas::training::TrainingSettings;
use trainer::EngineKind;

use crate::made_up::{Case, class_data, classes, settings, without_dropout};

/// The SHA-256 of the little-endian bytes of `weights`.
fn sha256_of(weights: &[f32]) -> String {
    let bytes: Vec<u8> = weights
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    store::sha256_hex(&bytes)
}

#[test]
fn the_number_of_threads_changes_no_bit_of_the_native_engine() {
    let data = class_data(0.2);
    let network = classes();
    let weights_with = |threads| {
        let settings = TrainingSettings {
            threads,
            ..settings(12)
        };
        let case = Case {
            data: &data,
            network: &network,
            settings: &settings,
            seed: 3,
        };
        sha256_of(&case.run_by(EngineKind::Native).weights)
    };

    assert_eq!(weights_with(1), weights_with(2));
}

#[cfg(feature = "libtorch")]
#[test]
fn both_engines_have_the_same_loss_curves_without_dropout() {
    let case = Case {
        data: &class_data(0.3),
        network: &without_dropout(classes()),
        settings: &settings(20),
        seed: 5,
    };
    compare_loss_curves(case);
}

/// Every loss of a training by one engine within 1e-4 of that by the other.
#[cfg(feature = "libtorch")]
pub(crate) fn compare_loss_curves(case: Case<'_>) {
    let native = case.run_by(EngineKind::Native).history;
    let libtorch = case.run_by(EngineKind::Libtorch).history;

    assert_eq!(native.len(), case.settings.epochs as usize);
    assert_eq!(libtorch.len(), native.len());
    for (ours, theirs) in native.iter().zip(&libtorch) {
        let differences = [
            ours.train_loss - theirs.train_loss,
            ours.validation_loss - theirs.validation_loss,
        ];
        for difference in differences {
            assert!(difference.abs() < 1e-4, "{ours:?} {theirs:?}");
        }
    }
}

#[cfg(not(feature = "libtorch"))]
#[test]
fn a_build_without_libtorch_says_how_to_get_one() {
    use schemas::codes::Advice as _;
    use trainer::TrainError;

    use crate::made_up::{NEVER, Recorder};

    let case = Case {
        data: &class_data(0.3),
        network: &without_dropout(classes()),
        settings: &settings(1),
        seed: 5,
    };
    let error = case
        .train_by(EngineKind::Libtorch, &Recorder::new(NEVER), None)
        .unwrap_err();

    assert!(matches!(error, TrainError::WithoutLibtorch));
    assert!(error.hint().contains("make trainer"), "{}", error.hint());
}
