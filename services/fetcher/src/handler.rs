//! The fetcher as a step handler: settings, and the choice of a provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use runtime::{SharedMemory, StepContext, StepError, StepHandler};
use schemas::commands::{FetchBars, FetchMode, FetchOutcome, FetcherOutcome, FetcherWork};
use serde::{Deserialize, Serialize};
use store::files::{ColumnNames, FileFormat, LabelSide, Mapping, RepeatedHour};

use crate::error::FetchError;
use crate::fetch::{Asking, fetch_as};
use crate::file_provider::FileProvider;
use crate::follow::{Clock as _, HostClock, Source, follow};
use crate::gap_settings::GapSettings;
use crate::ib::settings::IbSettings;
use crate::provider::{Provider, ProviderError};
use crate::provider_settings::{ProviderSettings, default_providers};
use crate::providers::Providers;

/// The configuration's section `[fetcher]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetcherSettings {
    /// Folder or URL of the provider `file`: files called `SYMBOL_TIMEFRAME.csv`, `.csv.gz` or
    /// `.parquet`.
    pub files: String,
    /// IANA zone of the times in these files that carry none.
    pub files_zone: Option<String>,
    /// Whether the times in these files are the `open` or the `close` of the bars.
    pub files_label: LabelSide,
    /// Names of columns in these files that are not usual ones.
    pub files_columns: ColumnNames,
    /// Vendor whose format these files have, where they do not show it, such as `histdata`.
    pub files_format: Option<FileFormat>,
    /// Order of dates that do not start with the year, `dmy`, `mdy` or `ymd`, or a format of
    /// `strftime`.
    pub files_dates: Option<String>,
    /// Sign before the fraction of a number, `.` or `,`.
    pub files_decimal: Option<char>,
    /// The hour that is meant where clocks go back and the order of rows does not show it.
    pub files_repeated_hour: Option<RepeatedHour>,
    /// The gateway of the provider `ib`.
    pub ib: IbSettings,
    /// The providers on the network, by name.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// When a gap is worth a request, and how long "the provider has none" holds.
    pub gaps: GapSettings,
}

impl Default for FetcherSettings {
    /// The folder `data/bars` of the working directory, times with zone, labelled by their open.
    fn default() -> Self {
        Self {
            files: "data/bars".to_owned(),
            files_zone: None,
            files_label: LabelSide::Open,
            files_columns: ColumnNames::default(),
            files_format: None,
            files_dates: None,
            files_decimal: None,
            files_repeated_hour: None,
            ib: IbSettings::default(),
            providers: default_providers(),
            gaps: GapSettings::default(),
        }
    }
}

impl FetcherSettings {
    /// How the files of the folder are read.
    pub(crate) fn mapping(&self) -> Mapping {
        Mapping {
            columns: self.files_columns.clone(),
            zone: self.files_zone.clone(),
            label_side: self.files_label,
            format: self.files_format,
            dates: self.files_dates.clone(),
            decimal: self.files_decimal,
            repeated_hour: self.files_repeated_hour,
            ..Mapping::default()
        }
    }
}

/// Fetches bars into the store.
pub struct Fetcher {
    providers: Providers,
}

impl Fetcher {
    /// With these settings, sharing nothing with other processes.
    pub fn new(settings: FetcherSettings) -> Self {
        Self {
            providers: Providers::new(settings),
        }
    }

    /// The same, sharing what providers allow with all that have the same memory.
    pub const fn with_memory(settings: FetcherSettings, memory: Arc<dyn SharedMemory>) -> Self {
        Self {
            providers: Providers::with_memory(settings, memory),
        }
    }

    fn provider(&self, command: &FetchBars) -> Result<Arc<dyn Provider>, ProviderError> {
        // Nothing is asked for: a folder that is not there does no harm.
        if command.provider == "file" && command.mode == FetchMode::Local {
            let mapping = self.providers.settings().mapping();
            return Ok(Arc::new(FileProvider::open("memory:///", mapping)?));
        }
        self.providers.open(&command.provider)
    }

    async fn fetch(
        &self,
        command: &FetchBars,
        step: &StepContext,
    ) -> Result<FetchOutcome, FetchError> {
        let provider = self.provider(command)?;
        let asking = Asking {
            rules: self.providers.asking_rules(&*provider),
            breaker: &self.providers.breaker(&command.provider),
        };

        let settings = &self.providers.settings().gaps;
        let now = HostClock.now();
        let store = step.store();
        fetch_as(store, &*provider, command, settings, now, step, asking).await
    }
}

impl StepHandler for Fetcher {
    type Command = FetcherWork;

    async fn handle(
        &self,
        work: FetcherWork,
        step: &StepContext,
    ) -> Result<FetcherOutcome, StepError> {
        let settings = &self.providers.settings().gaps;

        match work {
            FetcherWork::Fetch(command) => {
                Ok(FetcherOutcome::Fetch(self.fetch(&command, step).await?))
            }
            FetcherWork::Follow(command) => {
                let source = Source {
                    store: step.store(),
                    open: &|| self.providers.open(&command.provider),
                    clock: &HostClock,
                };
                let outcome = follow(source, &command, settings, step).await?;
                Ok(FetcherOutcome::Follow(outcome))
            }
        }
    }
}
