//! A system that was stopped and started again on another port: who watches it finds it there.

use std::time::{Duration, Instant};

use bus::Bus;
use tokio::sync::watch;

use super::{CONNECT_TIMEOUT, Context, ContextFile, LocalSystem};

/// How often the context file is looked at while the connection is down.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Context {
    /// A connection to the local system at its new address, once the one that `bus` knows is gone
    /// and the context file announces another. Never completes for a server that no context file
    /// announces.
    pub(crate) async fn moved(&self, bus: Bus) -> Bus {
        let Some(system) = self.followed_system() else {
            return std::future::pending().await;
        };

        let mut link = bus.connection().state();
        loop {
            // A link that has ended for good reports nothing more.
            if link.wait_for(Option::is_none).await.is_err() {
                return std::future::pending().await;
            }
            if let Some(moved) = self.find_again(system, &bus, &mut link).await {
                return moved;
            }
        }
    }

    /// The system whose address is that of the context file, and not of a flag or a variable.
    fn followed_system(&self) -> Option<&LocalSystem> {
        let setup = self.setup().ok()?;
        let system = setup.system.as_ref()?;
        Some(system).filter(|system| setup.settings.value.bus.url == system.file.nats_url)
    }

    /// Looks into the context file until the connection is back (none) or the system is elsewhere.
    async fn find_again(
        &self,
        system: &LocalSystem,
        bus: &Bus,
        link: &mut watch::Receiver<Option<Instant>>,
    ) -> Option<Bus> {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = link.wait_for(Option::is_some) => return None,
                _ = looks.tick() => {}
            }

            // No file while it is stopped.
            let Ok(file) = ContextFile::read(&system.path) else {
                continue;
            };
            if file.nats_url != bus.connection().url()
                && let Some(bus) = self.connect_to(&file.nats_url).await
            {
                return Some(bus);
            }
        }
    }

    async fn connect_to(&self, url: &str) -> Option<Bus> {
        let mut bus = self.settings().ok()?.bus.clone();
        url.clone_into(&mut bus.url);
        let mut options = bus.connect_options(&self.client_name(), false);
        options.connect_timeout = CONNECT_TIMEOUT;
        Bus::connect(&options).await.ok()
    }
}
