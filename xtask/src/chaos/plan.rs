//! Which faults come in which order: decided by the seed alone.

use std::fmt;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use system_tests::{SERVICES, second};

/// Which instances of a service something happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    /// The first, and the second carries on.
    First,
    /// The second, and the first carries on.
    Second,
    /// The whole service.
    Both,
}

impl Whom {
    /// Their names.
    pub(super) fn of(self, service: &str) -> Vec<String> {
        match self {
            Self::First => vec![service.to_owned()],
            Self::Second => vec![second(service)],
            Self::Both => vec![service.to_owned(), second(service)],
        }
    }
}

/// Something that happens to the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Processes of a service are killed, and started again.
    Kill(&'static str, Whom),
    /// Processes of a service are stopped for longer than its leases last, and go on.
    Stop(&'static str, Whom),
    /// Something happens to what all services stand on.
    Ground(Ground),
}

/// Something that happens to the servers, or on the way to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// All connections to the broker are reset.
    Cut,
    /// What services send to the broker is swallowed for a while, and the connections seem alive.
    Swallow,
    /// What the broker sends is swallowed for a while.
    Deafen,
    /// All connections to the broker fall silent for ever, and new ones are sound: nobody is told that the old ones are dead.
    Silence,
    /// Everything between the services and the broker takes longer for a while.
    Slow,
    /// The broker raises its memory alarm for a while.
    Alarm,
    /// The broker raises its memory alarm until the outbox of the order service is full.
    Fill,
    /// PostgreSQL is killed, and started again.
    KillPostgres,
    /// RabbitMQ is killed, and started again.
    KillRabbitMq,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(service, whom) => write!(f, "killed: {}", whom.of(service).join(", ")),
            Self::Stop(service, whom) => {
                write!(f, "stopped for a while: {}", whom.of(service).join(", "))
            }
            Self::Ground(ground) => ground.fmt(f),
        }
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "connections to the broker are reset",
            Self::Swallow => "what is sent to the broker is swallowed",
            Self::Deafen => "what the broker sends is swallowed",
            Self::Silence => "connections to the broker fall silent",
            Self::Slow => "the way to the broker is slow",
            Self::Alarm => "the broker raises its alarm",
            Self::Fill => "the outbox is filled",
            Self::KillPostgres => "PostgreSQL is killed",
            Self::KillRabbitMq => "RabbitMQ is killed",
        })
    }
}

/// One fault in so many kills a server: RabbitMQ needs about ten seconds to come back.
const SERVERS: usize = 12;

/// `number` faults.
pub(super) fn plan(seed: u64, number: usize) -> Vec<Fault> {
    let mut rng = StdRng::seed_from_u64(seed);
    (1..=number)
        .map(|count| {
            if count.is_multiple_of(SERVERS) {
                // RabbitMQ comes second: its quorum queues must not be young.
                let is_second = (count / SERVERS).is_multiple_of(2);
                let server = if is_second { Ground::KillRabbitMq } else { Ground::KillPostgres };
                return Fault::Ground(server);
            }
            let service = SERVICES.choose(&mut rng).copied().unwrap_or("order");
            let whom = [Whom::First, Whom::Second, Whom::Both].choose(&mut rng).copied();
            let whom = whom.unwrap_or(Whom::Both);
            match rng.random_range(0..100) {
                0..40 => Fault::Kill(service, whom),
                40..58 => Fault::Stop(service, whom),
                58..76 => Fault::Ground(Ground::Cut),
                76..81 => Fault::Ground(Ground::Swallow),
                81..86 => Fault::Ground(Ground::Deafen),
                86..90 => Fault::Ground(Ground::Silence),
                90..94 => Fault::Ground(Ground::Slow),
                94..97 => Fault::Ground(Ground::Alarm),
                _ => Fault::Ground(Ground::Fill),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Fault, Ground, plan};

    #[test]
    fn the_seed_decides_and_servers_are_killed_seldom() {
        assert_eq!(plan(7, 200), plan(7, 200));
        assert_ne!(plan(7, 200), plan(8, 200));
        let faults = plan(7, 200);
        let servers = |fault: &&Fault| {
            matches!(fault, Fault::Ground(Ground::KillPostgres | Ground::KillRabbitMq))
        };
        assert_eq!(faults.iter().filter(servers).count(), 16);
        assert!(faults[..20].iter().all(|fault| *fault != Fault::Ground(Ground::KillRabbitMq)));
    }
}
