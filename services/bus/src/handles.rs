//! The handles: one for each kind of thing on the bus, each with the few methods that belong to it.
//!
//! A handle only borrows the connection, so making one costs nothing:
//! `bus.operations().get(&op)`.

use crate::connect::Bus;

/// Address, version and health of the connection itself.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    pub(crate) bus: &'a Bus,
}

/// Streams, buckets and consumers: bring the server to the declared topology, or find what differs.
#[derive(Clone, Copy, Debug)]
pub struct Infra<'a> {
    pub(crate) bus: &'a Bus,
}

/// Operation records, which alone say what state an operation is in.
#[derive(Clone, Copy, Debug)]
pub struct Operations<'a> {
    pub(crate) bus: &'a Bus,
}

/// Marks of the operations that are not finished.
#[derive(Clone, Copy, Debug)]
pub struct Active<'a> {
    pub(crate) bus: &'a Bus,
}

/// Commands on their queues.
#[derive(Clone, Copy, Debug)]
pub struct Commands<'a> {
    pub(crate) bus: &'a Bus,
}

/// Cancel requests of operations.
#[derive(Clone, Copy, Debug)]
pub struct Cancels<'a> {
    pub(crate) bus: &'a Bus,
}

/// Workers: who is there, who still lives, who is to leave.
#[derive(Clone, Copy, Debug)]
pub struct Workers<'a> {
    pub(crate) bus: &'a Bus,
}

/// Events and dead letters: what happened to the steps.
#[derive(Clone, Copy, Debug)]
pub struct Events<'a> {
    pub(crate) bus: &'a Bus,
}

/// Dead letters: commands that could not be carried out.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetters<'a> {
    pub(crate) bus: &'a Bus,
}

/// Progress of the steps.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    pub(crate) bus: &'a Bus,
}

/// Leases: duties that one process at a time has.
#[derive(Clone, Copy, Debug)]
pub struct Leases<'a> {
    pub(crate) bus: &'a Bus,
}

/// Requests that become operations by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Schedules<'a> {
    pub(crate) bus: &'a Bus,
}

/// How long steps have taken.
#[derive(Clone, Copy, Debug)]
pub struct TimingHistory<'a> {
    pub(crate) bus: &'a Bus,
}

/// What the processes that ask one provider remember together.
#[derive(Clone, Copy, Debug)]
pub struct Memos<'a> {
    pub(crate) bus: &'a Bus,
}

/// The NATS services API: register a service, or ask one.
#[derive(Clone, Copy, Debug)]
pub struct Services<'a> {
    pub(crate) bus: &'a Bus,
}

impl Bus {
    /// Address, version and health of the connection itself.
    pub const fn connection(&self) -> Connection<'_> {
        Connection { bus: self }
    }

    /// Streams, buckets and consumers.
    pub const fn infra(&self) -> Infra<'_> {
        Infra { bus: self }
    }

    /// Records of the operations.
    pub const fn operations(&self) -> Operations<'_> {
        Operations { bus: self }
    }

    /// Marks of the operations that are not finished.
    pub const fn active(&self) -> Active<'_> {
        Active { bus: self }
    }

    /// Commands on their queues.
    pub const fn commands(&self) -> Commands<'_> {
        Commands { bus: self }
    }

    /// Cancel requests of operations.
    pub const fn cancels(&self) -> Cancels<'_> {
        Cancels { bus: self }
    }

    /// Workers and their signs of life.
    pub const fn workers(&self) -> Workers<'_> {
        Workers { bus: self }
    }

    /// Events and dead letters.
    pub const fn events(&self) -> Events<'_> {
        Events { bus: self }
    }

    /// Commands that could not be carried out.
    pub const fn dead_letters(&self) -> DeadLetters<'_> {
        DeadLetters { bus: self }
    }

    /// Progress of the steps.
    pub const fn progress(&self) -> Progress<'_> {
        Progress { bus: self }
    }

    /// Leases of the housekeeping.
    pub const fn leases(&self) -> Leases<'_> {
        Leases { bus: self }
    }

    /// Requests that become operations by themselves.
    pub const fn schedules(&self) -> Schedules<'_> {
        Schedules { bus: self }
    }

    /// How long steps have taken.
    pub const fn timings(&self) -> TimingHistory<'_> {
        TimingHistory { bus: self }
    }

    /// What the processes that ask one provider remember together.
    pub const fn memos(&self) -> Memos<'_> {
        Memos { bus: self }
    }

    /// The NATS services API.
    pub const fn services(&self) -> Services<'_> {
        Services { bus: self }
    }
}
