//! The three profiles and their clocks: how long an unacknowledged command waits, how often a
//! worker shows life.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which set of clocks a system runs with. `ktrdr infra apply` writes it into the server, and every
/// process takes it from there, so that all of them use the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Short waits, so that tests of lost workers end in seconds.
    Test,
    /// Clocks of a laptop.
    #[default]
    Dev,
    /// Clocks of a fleet.
    Prod,
}

/// The clocks of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long the server waits for a sign of life of a delivery before it delivers again: the
    /// backstop.
    pub ack_wait: Duration,
    /// How often a worker renews its delivery.
    pub heartbeat: Duration,
    /// How often a worker says that it is alive.
    pub alive: Duration,
    /// After how long without a sign of life a worker counts as silent, beside what the link makes
    /// late.
    pub silence: Duration,
    /// How long housekeeping must have been connected itself before it calls anyone silent.
    pub housekeeping_connected: Duration,
    /// Age at which a key in the workers bucket expires; it is renewed three times as often.
    pub worker_ttl: Duration,
    /// Age at which a lease expires; it is renewed three times as often.
    pub lease_ttl: Duration,
    /// How long the server keeps a pull open before a free slot asks again. A worker that leaves
    /// waits for its end.
    pub pull: Duration,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Test, Self::Dev, Self::Prod];

    /// The clocks of the profile.
    pub const fn timing(self) -> Timing {
        let ms = Duration::from_millis;
        let s = Duration::from_secs;

        match self {
            Self::Test => Timing {
                ack_wait: s(1),
                heartbeat: ms(200),
                alive: ms(200),
                silence: s(1),
                housekeeping_connected: s(2),
                worker_ttl: s(3),
                lease_ttl: s(3),
                pull: ms(200),
            },
            Self::Dev => Timing {
                ack_wait: s(5),
                heartbeat: s(1),
                alive: ms(500),
                silence: s(2),
                housekeeping_connected: s(10),
                worker_ttl: s(15),
                lease_ttl: s(10),
                pull: ms(500),
            },
            Self::Prod => Timing {
                ack_wait: s(60),
                heartbeat: s(15),
                alive: ms(500),
                silence: s(2),
                housekeeping_connected: s(10),
                worker_ttl: s(15),
                lease_ttl: s(10),
                pull: s(2),
            },
        }
    }

    /// The word in settings and on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Dev => "dev",
            Self::Prod => "prod",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A word that names no profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a profile: expected test, dev or prod")]
pub struct UnknownProfile(pub String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|each| each.as_str() == text)
            .ok_or_else(|| UnknownProfile(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_every_profile_several_heartbeats_fit_into_every_wait() {
        for timing in Profile::ALL.map(Profile::timing) {
            assert!(timing.heartbeat * 4 <= timing.ack_wait, "{timing:?}");
            assert!(timing.alive * 4 <= timing.silence, "{timing:?}");
            assert!(timing.silence < timing.housekeeping_connected, "{timing:?}");
        }
    }

    #[test]
    fn an_unknown_profile_names_the_known_ones() {
        assert_eq!(
            "staging".parse::<Profile>().unwrap_err().to_string(),
            "`staging` is not a profile: expected test, dev or prod"
        );
        assert_eq!("prod".parse(), Ok(Profile::Prod));
    }
}
