//! The long proofs: they take too long for every change, and run before a release or after a change of the
//! kit.

use std::process::Command;

use xtask::cargo;

/// A proof.
pub(crate) struct Proof {
    pub(crate) name: &'static str,
    /// What it shows, and how long it takes on two cores.
    pub(crate) about: &'static str,
    pub(crate) command: fn() -> Command,
}

pub(crate) const PROOFS: &[Proof] = &[
    Proof {
        name: "simulation",
        about: "a million random schedules of relay, broker and consumer keep every promise of the kit; 1 minute and the build",
        command: || {
            let test = ["test", "--release", "--package", "messaging", "--lib", "simulation"];
            let mut command = cargo::cargo(test);
            command.env("SIMULATION_SCHEDULES", "1000000").env("SIMULATION_SEARCH", "1");
            command
        },
    },
    Proof {
        name: "statements",
        about: "two thousand of these schedules leave the same rows in PostgreSQL as in the model, statement by statement; 20 minutes",
        command: || {
            let filter = "simulation::sql";
            let mut command = cargo::cargo(["test", "--package", "messaging", "--lib", filter]);
            command.env("STATEMENT_SCHEDULES", "2000");
            command
        },
    },
    Proof {
        name: "publisher",
        about: "a million publishes: a returned or refused message is never attributed to another one; 10 minutes",
        command: || {
            let test =
                ["test", "--release", "--package", "messaging", "--lib", "publish::publisher"];
            let mut command = cargo::cargo(test);
            command.env("ROUNDS", "250");
            command
        },
    },
    Proof {
        name: "oidc",
        about: "tokens of a real issuer, npm's oidc-provider: three algorithms, rotated keys, an issuer that is away; needs node and npm; 1 minute",
        command: || {
            let filter = "oidc::";
            cargo::cargo([
                "test",
                "--package",
                "runtime",
                "--test",
                "it",
                filter,
                "--",
                "--ignored",
            ])
        },
    },
    Proof {
        name: "chaos",
        about: "200 faults on all flows lose, double and reorder nothing; 30 minutes",
        command: || cargo::cargo(["xtask", "chaos", "--faults", "200", "--seed", "1"]),
    },
];
