//! The plan of faults; the seed determines it.

use std::fmt;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use system_tests::{SERVICES, second};

/// The service whose database is restored. All that it stores comes from events and from a stream, which others keep: so it can lose
/// no commit that does not come back. The others have data of their own, which clients have written, or an index beside the database.
pub(super) const RESTORED: &str = "behavior-analytics";

/// The instances of a service that a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instances {
    First,
    Second,
    Both,
}

impl Instances {
    pub(super) fn names(self, service: &str) -> Vec<String> {
        match self {
            Self::First => vec![service.to_owned()],
            Self::Second => vec![second(service)],
            Self::Both => vec![service.to_owned(), second(service)],
        }
    }
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Kills processes of a service and restarts them.
    Kill(&'static str, Instances),
    /// Pauses processes of a service (SIGSTOP) for longer than their leases are valid.
    Pause(&'static str, Instances),
    /// Hits a server, or the network between the services and the broker.
    Infrastructure(Infrastructure),
}

/// A fault of a server or of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Infrastructure {
    /// Resets all connections to the broker.
    ResetConnections,
    /// Drops data from services to the broker for some seconds; the connections stay open.
    DropRequests,
    /// Drops data from the broker to services for some seconds.
    DropResponses,
    /// Drops all data of the existing connections for ever, without a reset; new connections work.
    Blackhole,
    /// Delays all data between services and broker for some seconds.
    Delay,
    /// Raises the broker's memory alarm for some seconds.
    MemoryAlarm,
    /// Raises the broker's memory alarm until the outbox of the order service is full.
    FillOutbox,
    /// Deletes the longest event queue of a service, with its messages.
    LoseQueue(&'static str),
    /// Replaces the database of [`RESTORED`] by a copy of some seconds before.
    RestoreDatabase,
    /// Kills and restarts PostgreSQL.
    KillPostgres,
    /// Kills and restarts RabbitMQ.
    KillRabbitMq,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(service, instances) => {
                write!(f, "killed: {}", instances.names(service).join(", "))
            }
            Self::Pause(service, instances) => {
                write!(f, "paused: {}", instances.names(service).join(", "))
            }
            Self::Infrastructure(ground) => ground.fmt(f),
        }
    }
}

impl fmt::Display for Infrastructure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LoseQueue(service) => return write!(f, "a queue of {service} is lost"),
            Self::RestoreDatabase => {
                return write!(f, "the database of {RESTORED} is restored from a dump");
            }
            Self::ResetConnections => "connections to the broker are reset",
            Self::DropRequests => "data to the broker is dropped",
            Self::DropResponses => "data from the broker is dropped",
            Self::Blackhole => "connections to the broker hang without a reset",
            Self::Delay => "connections to the broker are slow",
            Self::MemoryAlarm => "the broker raises its memory alarm",
            Self::FillOutbox => "the outbox is filled",
            Self::KillPostgres => "PostgreSQL is killed",
            Self::KillRabbitMq => "RabbitMQ is killed",
        })
    }
}

/// Every so many faults one kills a server: RabbitMQ needs about ten seconds to restart.
const SERVER_KILL_INTERVAL: usize = 12;

/// A plan of `number` faults.
pub(super) fn plan(seed: u64, number: usize) -> Vec<Fault> {
    let mut rng = StdRng::seed_from_u64(seed);
    (1..=number)
        .map(|count| {
            if count.is_multiple_of(SERVER_KILL_INTERVAL) {
                // PostgreSQL comes first: RabbitMQ's quorum queues must be old enough.
                let is_second = (count / SERVER_KILL_INTERVAL).is_multiple_of(2);
                let server = if is_second {
                    Infrastructure::KillRabbitMq
                } else {
                    Infrastructure::KillPostgres
                };
                return Fault::Infrastructure(server);
            }
            let service = SERVICES.choose(&mut rng).copied().unwrap_or("order");
            let instances =
                [Instances::First, Instances::Second, Instances::Both].choose(&mut rng).copied();
            let instances = instances.unwrap_or(Instances::Both);
            match rng.random_range(0..100) {
                0..36 | 38..40 => Fault::Kill(service, instances),
                36..38 => Fault::Infrastructure(Infrastructure::RestoreDatabase),
                40..58 => Fault::Pause(service, instances),
                58..76 => Fault::Infrastructure(Infrastructure::ResetConnections),
                76..81 => Fault::Infrastructure(Infrastructure::DropRequests),
                81..86 => Fault::Infrastructure(Infrastructure::DropResponses),
                86..90 => Fault::Infrastructure(Infrastructure::Blackhole),
                90..92 => Fault::Infrastructure(Infrastructure::LoseQueue(service)),
                92..94 => Fault::Infrastructure(Infrastructure::Delay),
                94..97 => Fault::Infrastructure(Infrastructure::MemoryAlarm),
                _ => Fault::Infrastructure(Infrastructure::FillOutbox),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Fault, Infrastructure, plan};

    #[test]
    fn seed_determines_the_plan_and_server_kills_are_rare() {
        assert_eq!(plan(7, 200), plan(7, 200));
        assert_ne!(plan(7, 200), plan(8, 200));
        let faults = plan(7, 200);
        let server_kills = |fault: &&Fault| {
            matches!(
                fault,
                Fault::Infrastructure(Infrastructure::KillPostgres | Infrastructure::KillRabbitMq)
            )
        };
        assert_eq!(faults.iter().filter(server_kills).count(), 16);
        assert!(
            faults[..20]
                .iter()
                .all(|fault| *fault != Fault::Infrastructure(Infrastructure::KillRabbitMq))
        );
    }
}
