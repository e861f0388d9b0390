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
        name: "fuzz",
        about: "the shared decoders of outside bytes, 20,000 times with arbitrary input: no panic, and each error is stated; 15 minutes and the build",
        command: || {
            let tests = ["test", "--workspace", "--lib", "--test", "it", "--test", "arbitrary"];
            let mut command = cargo::cargo(tests);
            command.args(["--", "arbitrary_"]).env("PROPTEST_CASES", "20000");
            command
        },
    },
    Proof {
        name: "mutated-messages",
        about: "a million damaged messages are refused or accepted as they are signed, and 5,000 through a real broker become dead letters without an effect; 10 minutes and the build",
        command: || {
            let packages =
                ["test", "--release", "--package", "messaging", "--package", "inventory@0.1.0"];
            let mut command = cargo::cargo(packages);
            command.args(["--lib", "--test", "it", "--", "--nocapture", "mutated_messages"]);
            command.env("MUTATED_MESSAGES", "1000000").env("MUTATED_THROUGH_BROKER", "5000");
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
