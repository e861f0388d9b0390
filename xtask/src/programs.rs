//! The programs that do the work, and the profile that each is built with.

use std::{path::PathBuf, process::Command};

use crate::{arguments::SERVICES, cargo, workspace};

/// How a program is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As tests are. They need the same dependencies.
    Dev,
    /// As the services of a running suite are. They need the same dependencies.
    Release,
}

impl Profile {
    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// The path of a built program.
pub fn path(name: &str, profile: Profile) -> PathBuf {
    workspace::target().join(profile.folder()).join(name)
}

/// Builds programs.
///
/// By `--bin` alone: cargo then selects the features of dependencies for the whole workspace. With
/// `--package` it would select them for that package, and compile dependencies once more if they differ.
pub fn build<'a>(names: impl IntoIterator<Item = &'a str>, profile: Profile) -> Command {
    let mut command = cargo::cargo(["build"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    for name in names {
        command.args(["--bin", name]);
    }
    command
}

/// The programs of a running suite: the services and the console.
pub fn of_suite() -> impl Iterator<Item = &'static str> {
    SERVICES.into_iter().chain(["console"])
}
