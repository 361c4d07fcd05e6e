//! `ktrdr models predict` and `ktrdr strategies show` with a network that reads windows of bars.

use schemas::manifests::{Architecture, Network, RecurrentShape};

use crate::data_train_models::{Place, STRATEGY};
use crate::hand_model::{Tensor, hand_network, safetensors, store_network};

/// Hourly closes whose rates of change are 10, −50 and 20.
const BARS: &str = "timestamp,open,high,low,close,volume\n\
    2024-01-02T10:00:00Z,100,100,100,100,5\n\
    2024-01-02T11:00:00Z,110,110,110,110,5\n\
    2024-01-02T12:00:00Z,55,55,55,55,5\n\
    2024-01-02T13:00:00Z,66,66,66,66,5\n";

/// The strategy `hand` with a GRU over two bars.
fn strategy() -> String {
    STRATEGY.replace(
        "type: mlp\n  architecture: {hidden_layers: [1], activation: relu, dropout: 0.0}",
        "type: gru\n  architecture: {sequence_length: 2, hidden_size: 1, num_layers: 1, dropout: 0.0}",
    )
}

fn network() -> Network {
    Network {
        architecture: Architecture::Gru(RecurrentShape {
            sequence_length: 2,
            hidden_size: 1,
            num_layers: 1,
            dropout: 0.0,
        }),
        ..hand_network()
    }
}

/// Biases of ±50 open the reset gate and shut the update gate, so that h = tanh(0.1 x + h before)
/// and the forward return is 0.01 h.
fn weights() -> Vec<u8> {
    safetensors(&[
        Tensor::new("fc.bias", &[1], &[0.0]),
        Tensor::new("fc.weight", &[1, 1], &[0.01]),
        Tensor::new("gru.bias_hh_l0", &[3], &[0.0, 0.0, 0.0]),
        Tensor::new("gru.bias_ih_l0", &[3], &[50.0, -50.0, 0.0]),
        Tensor::new("gru.weight_hh_l0", &[3, 1], &[0.0, 0.0, 1.0]),
        Tensor::new("gru.weight_ih_l0", &[3, 1], &[0.0, 0.0, 0.1]),
    ])
}

#[tokio::test]
async fn a_window_of_two_bars_is_predicted_as_by_hand() {
    let place = Place::new();
    store_network(&place, &strategy(), network(), weights()).await;
    place.file("mine.csv", BARS);

    let bars = "EURUSD:1h=mine.csv";
    let predict = ["models", "predict", "hand", "--bars", bars];
    let screen = place.screen_of(&[&predict[..], &["--out", "out.csv"]].concat());

    insta::assert_snapshot!(screen, @"
    2 predictions of hand@1 on EURUSD; left out: 1 bars of warm-up, 0 with undefined features, 1 without a window of 2 consecutive bars; written to out.csv
    exit 0
    ");
    let csv = std::fs::read_to_string(place.path().join("out.csv")).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1][1], "2024-01-02T12:00:00Z");
    assert_eq!(rows[2][1], "2024-01-02T13:00:00Z");

    // tanh(1) = 0.761594, tanh(−5 + 0.761594) = −0.999584; tanh(−5) = −0.999909,
    // tanh(2 − 0.999909) = 0.761632.
    assert!((rows[1][3].parse::<f64>().unwrap() + 0.009_995_84).abs() < 1e-7);
    assert!((rows[2][3].parse::<f64>().unwrap() - 0.007_616_32).abs() < 1e-7);
    assert_eq!(rows[1][4], "SELL");
    assert_eq!(rows[2][4], "BUY");
}

#[tokio::test]
async fn bars_for_no_window_give_no_prediction() {
    let place = Place::new();
    store_network(&place, &strategy(), network(), weights()).await;
    let two_bars: Vec<&str> = BARS.split_inclusive('\n').take(3).collect();
    place.file("mine.csv", &two_bars.concat());

    let bars = "EURUSD:1h=mine.csv";
    let screen = place.screen_of(&["models", "predict", "hand", "--bars", bars]);

    insta::assert_snapshot!(screen, @"
    TIMESTAMP  KNOWN AT  FORWARD_RETURN  SIGNAL  PART
    0 predictions of hand@1 on EURUSD; left out: 1 bars of warm-up, 0 with undefined features, 1 without a window of 2 consecutive bars
    exit 0
    ");
}

#[tokio::test]
async fn a_model_with_windows_shows_their_length() {
    let place = Place::new();
    store_network(&place, &strategy(), network(), weights()).await;

    let screen = place.screen_of(&["models", "show", "hand"]);

    let line = screen.lines().find(|line| line.contains("network"));
    insta::assert_snapshot!(
        line.unwrap().trim(),
        @"network     gru over windows of 2 bars: 1 → 1 → 1"
    );
}

#[test]
fn a_strategy_with_windows_shows_their_length() {
    let place = Place::new();

    let screen = place.screen_of(&["strategies", "show", "spy_lstm"]);

    // 4·16·(8+16+2) + 3·16+3 = 1 664 + 51
    let line = screen.lines().find(|line| line.contains("network"));
    insta::assert_snapshot!(
        line.unwrap().trim(),
        @"network      lstm over windows of 20 bars: 8 → 16 → 3, 1715 parameters"
    );
}
