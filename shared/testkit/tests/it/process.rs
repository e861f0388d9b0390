use std::fs;
use std::path::Path;
use std::time::Duration;

use testkit::{Folder, Process, Program, wait_for};

const SECONDS: Duration = Duration::from_secs(10);

/// A shell that runs a script.
fn shell(folder: &Folder, script: &str) -> Process {
    Program::new("shell", "sh", folder.path().join("log"))
        .arguments(["-c", script])
        .start()
        .unwrap()
}

/// Waits until the shell has written a number, for example the id of a process that it started.
async fn number_in_log(process: &Process) -> u32 {
    wait_for("the log holds a number", SECONDS, async || {
        process.log_tail().trim().parse().map_err(|_| process.log_tail())
    })
    .await
    .unwrap()
}

/// Whether a process exists and is no zombie.
fn runs(id: u32) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// The state letter of a process: `T` is stopped.
fn state(id: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().take(1).collect()
}

#[tokio::test]
async fn a_kill_reaches_children_in_groups_of_their_own() {
    let folder = Folder::temporary("test").unwrap();
    let mut process = shell(&folder, "setsid sleep 600 & echo $!; wait");
    let child = number_in_log(&process).await;
    assert!(process.is_alive() && runs(child));
    process.kill().await.unwrap();
    assert!(!process.is_alive() && !runs(child));
}

#[tokio::test]
async fn a_stop_ends_what_outlives_its_parent() {
    let folder = Folder::temporary("test").unwrap();
    let mut process =
        shell(&folder, "sleep 600 & echo $!; trap 'exit 3' TERM; while :; do wait; done");
    let child = number_in_log(&process).await;
    let status = process.stop(SECONDS).await.unwrap();
    assert_eq!(status.code(), Some(3));
    assert!(!runs(child));
}

#[tokio::test]
async fn what_does_not_stop_is_killed() {
    let folder = Folder::temporary("test").unwrap();
    let mut process = shell(&folder, "trap '' TERM; echo 1; while :; do sleep 600; done");
    number_in_log(&process).await;
    let status = process.stop(Duration::from_millis(100)).await.unwrap();
    assert_eq!(status.code(), None);
}

#[tokio::test]
async fn a_paused_process_is_alive_and_stopped() {
    let folder = Folder::temporary("test").unwrap();
    let mut process = shell(&folder, "sleep 600 & echo $!; wait");
    let child = number_in_log(&process).await;
    process.pause().unwrap();
    wait_for("the child is stopped", SECONDS, async || {
        Some(state(child)).filter(|state| state == "T").ok_or("not yet")
    })
    .await
    .unwrap();
    assert!(process.is_alive());
    process.resume().unwrap();
    wait_for("the child sleeps again", SECONDS, async || {
        Some(state(child)).filter(|state| state == "S").ok_or("not yet")
    })
    .await
    .unwrap();
    // A paused process can be stopped too.
    process.pause().unwrap();
    process.stop(SECONDS).await.unwrap();
}

#[tokio::test]
async fn an_ended_process_shows_its_log() {
    let folder = Folder::temporary("test").unwrap();
    let mut process = shell(&folder, "echo so it goes; exit 7");
    process.ended_by(SECONDS).await.unwrap();
    let error = process.check_alive().unwrap_err().to_string();
    assert!(error.contains("exit status: 7") && error.contains("so it goes"), "{error}");
}

#[tokio::test]
async fn processes_end_with_the_one_that_started_them_but_not_with_its_threads() {
    let folder = Folder::temporary("test").unwrap();
    let log = folder.path().join("log");
    let start = move || Program::new("sleep", "sleep", log).argument("600").start().unwrap();
    let mut process = std::thread::spawn(start).join().unwrap();
    let id = process.id();
    // The thread is gone. Had it been the parent in the eyes of the system, the signal would have come at once.
    assert!(process.ended_by(Duration::from_millis(200)).await.is_err());
    drop(process);
    assert!(!runs(id));
}

#[test]
fn a_folder_is_removed_with_its_lock() {
    let folder = Folder::temporary("test").unwrap();
    let path = folder.path().to_owned();
    let lock = format!("{}.lock", path.display());
    fs::write(path.join("file"), "contents").unwrap();
    assert!(path.is_dir() && Path::new(&lock).is_file());
    drop(folder);
    assert!(!path.exists() && !Path::new(&lock).exists());
}

#[test]
fn an_abandoned_folder_is_swept() {
    let folder = Folder::temporary("test").unwrap();
    let base = folder.path().parent().unwrap();
    let abandoned = base.join(format!("abandoned-{}.tmp", std::process::id()));
    fs::create_dir_all(abandoned.join("inner")).unwrap();
    fs::write(format!("{}.lock", abandoned.display()), "").unwrap();
    let _next = Folder::temporary("test").unwrap();
    assert!(!abandoned.exists());
    assert!(folder.path().exists(), "one that is in use stays");
}
