//! Writes the metadata of the checked queries into the `.sqlx` folders, so that everything builds without a
//! database.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    time::SystemTime,
};

use suite::{Error, command, install, make_folder, output};
use testkit::Database;
use xtask::{arguments::SqlxPrepare, workspace};

/// Prepares the crates.
pub(crate) async fn run(arguments: &SqlxPrepare) -> Result<(), Error> {
    let has_server = env::var_os("TESTKIT_POSTGRES_URL").is_some_and(|url| !url.is_empty());
    install::servers(!has_server, false).await?;
    let crates = Crate::all()?;
    let mut stale = Vec::new();
    let named = |subject: &&Crate| {
        arguments.packages.is_empty() || arguments.packages.contains(&subject.name)
    };
    for subject in crates.iter().filter(named) {
        let fresh = subject.query_data(&crates).await?;
        let committed = read_folder(&subject.folder.join(".sqlx"))?;
        if fresh == committed {
            output::line(format!("{}: {} queries, up to date", subject.name, fresh.len()));
        } else if arguments.mode.check {
            stale.push(subject.name.clone());
        } else {
            output::line(format!("{}: {} queries, written", subject.name, fresh.len()));
            subject.write(&committed, &fresh)?;
        }
    }
    if stale.is_empty() { Ok(()) } else { Err(Error::Stale { packages: stale.join(", ") }) }
}

/// The files of a folder by name.
type Files = BTreeMap<String, Vec<u8>>;

/// A crate with checked queries: one that has an `sqlx.toml`.
#[derive(Debug)]
struct Crate {
    /// The name of its package and of its folder.
    name: String,
    folder: PathBuf,
    /// Whether the services share it: every database then has its tables.
    shared: bool,
    /// The environment variable in which the macros look for its database.
    database_variable: String,
    migrations: PathBuf,
    /// The schemas that its migrator creates before it runs the migrations.
    schemas: Vec<String>,
}

impl Crate {
    /// All of them. Shared ones come first: services depend on them.
    fn all() -> Result<Vec<Self>, Error> {
        let mut crates = Vec::new();
        for shared in [true, false] {
            let group = workspace::root().join(if shared { "shared" } else { "services" });
            for entry in fs::read_dir(&group).map_err(Error::file(&group))?.flatten() {
                let configuration = entry.path().join("sqlx.toml");
                if !configuration.is_file() {
                    continue;
                }
                let text =
                    fs::read_to_string(&configuration).map_err(Error::file(&configuration))?;
                crates.push(Self {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    database_variable: setting(&text, "database-url-var").to_owned(),
                    migrations: entry.path().join(setting(&text, "migrations-dir")),
                    schemas: list(setting(&text, "create-schemas")),
                    shared,
                    folder: entry.path(),
                });
            }
        }
        crates.sort_by_key(|subject| (!subject.shared, subject.name.clone()));
        Ok(crates)
    }

    /// The files that the macros write when the crate is compiled against a database with its schema.
    async fn query_data(&self, crates: &[Self]) -> Result<Files, Error> {
        let database = Database::create().await?;
        for subject in crates.iter().filter(|other| other.shared || other.name == self.name) {
            for schema in &subject.schemas {
                database.run(&format!("create schema if not exists {schema}")).await?;
            }
            for script in scripts(&subject.migrations)? {
                let text = fs::read_to_string(&script).map_err(Error::file(&script))?;
                database.run(&text).await?;
            }
        }

        let fresh = workspace::target().join("sqlx-prepare").join(&self.name);
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(Error::file(&fresh))?;
        }
        make_folder(&fresh)?;
        // The macros run only if the crate is compiled.
        let source = self.folder.join("src/lib.rs");
        File::options()
            .append(true)
            .open(&source)
            .and_then(|file| file.set_modified(SystemTime::now()))
            .map_err(Error::file(&source))?;

        let mut cargo =
            command::cargo(["check", "--quiet", "--all-targets", "--package", &self.name]);
        // The crates that it depends on must not find their databases: they would write their queries here.
        for other in crates {
            cargo.env_remove(&other.database_variable);
        }
        cargo
            .env_remove("SQLX_OFFLINE")
            .env(&self.database_variable, database.url())
            .env("SQLX_OFFLINE_DIR", &fresh);
        command::run(cargo).await?;
        read_folder(&fresh)
    }

    /// Writes the new files and removes obsolete ones.
    fn write(&self, committed: &Files, fresh: &Files) -> Result<(), Error> {
        let folder = self.folder.join(".sqlx");
        make_folder(&folder)?;
        for name in committed.keys().filter(|name| !fresh.contains_key(*name)) {
            let path = folder.join(name);
            fs::remove_file(&path).map_err(Error::file(path))?;
        }
        for (name, contents) in fresh {
            let path = folder.join(name);
            fs::write(&path, contents).map_err(Error::file(path))?;
        }
        Ok(())
    }
}

/// The value of a one-line setting in `sqlx.toml`; empty if it is missing.
fn setting<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == name)
        .map_or("", |(_, value)| value.trim().trim_matches('"'))
}

/// The items of a list of strings.
fn list(value: &str) -> Vec<String> {
    let texts = value.trim_matches(['[', ']']).split(',').map(|text| text.trim().trim_matches('"'));
    texts.filter(|text| !text.is_empty()).map(ToOwned::to_owned).collect()
}

/// The migrations of a folder in order.
fn scripts(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(Error::file(folder))?;
    let mut scripts: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    scripts.sort();
    Ok(scripts)
}

/// The files of a folder; none if the folder is missing.
fn read_folder(folder: &Path) -> Result<Files, Error> {
    if !folder.exists() {
        return Ok(Files::new());
    }
    let mut files = Files::new();
    for entry in fs::read_dir(folder).map_err(Error::file(folder))?.flatten() {
        let contents = fs::read(entry.path()).map_err(Error::file(entry.path()))?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), contents);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use testkit::DataDir;

    use super::{Crate, Files, list, read_folder, setting};

    #[test]
    fn settings_are_parsed() {
        let text = "[common]\ndatabase-url-var = \"ORDER_DATABASE_URL\"\n";
        assert_eq!(setting(text, "database-url-var"), "ORDER_DATABASE_URL");
        assert_eq!(setting(text, "migrations-dir"), "");
        assert_eq!(list(setting("create-schemas = [\"a\", \"b\"]", "create-schemas")), ["a", "b"]);
        assert_eq!(list(""), [""; 0]);
    }

    #[test]
    fn obsolete_files_are_removed() {
        let folder = DataDir::temporary("test").unwrap();
        let subject = Crate {
            name: "order".to_owned(),
            folder: folder.path().to_owned(),
            shared: false,
            database_variable: "ORDER_DATABASE_URL".to_owned(),
            migrations: folder.path().to_owned(),
            schemas: Vec::new(),
        };
        let files = |names: [&str; 2]| -> Files {
            names.map(|name| (name.to_owned(), name.as_bytes().to_vec())).into()
        };
        let (old, new) =
            (files(["query-1.json", "query-2.json"]), files(["query-2.json", "query-3.json"]));
        subject.write(&Files::new(), &old).unwrap();
        subject.write(&old, &new).unwrap();
        assert_eq!(read_folder(&folder.path().join(".sqlx")).unwrap(), new);
    }

    #[test]
    fn every_crate_names_its_database_and_its_migrations() {
        let crates = Crate::all().unwrap();
        assert!(crates.iter().any(|subject| subject.name == "messaging"));
        for subject in crates {
            assert!(subject.database_variable.ends_with("_DATABASE_URL"), "{}", subject.name);
            assert!(subject.migrations.is_dir(), "{}", subject.name);
        }
    }
}
