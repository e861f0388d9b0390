use std::{fs, path::Path, time::Duration};

use testkit::{DataDir, Process, Program, wait_for};

const SECONDS: Duration = Duration::from_secs(10);

/// A shell that runs a script.
fn shell(directory: &DataDir, script: &str) -> Process {
    Program::new("shell", "sh", directory.path().join("log"))
        .arguments(["-c", script])
        .start()
        .unwrap()
}

/// Waits until the shell has written a number, such as the id of a process that it started.
async fn number_in_log(process: &Process) -> u32 {
    wait_for("the log holds a number", SECONDS, async || {
        process.log_tail().trim().parse().map_err(|_| process.log_tail())
    })
    .await
    .unwrap()
}

/// Whether a process exists and is not a zombie.
fn is_running(id: u32) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// The state letter of a process: `T` is stopped.
fn state(id: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().take(1).collect()
}

#[tokio::test]
async fn kill_reaches_children_in_other_process_groups() {
    let directory = DataDir::temporary("test").unwrap();
    let mut process = shell(&directory, "setsid sleep 600 & echo $!; wait");
    let child = number_in_log(&process).await;
    assert!(process.is_alive() && is_running(child));
    process.kill().await.unwrap();
    assert!(!process.is_alive() && !is_running(child));
}

#[tokio::test]
async fn stop_ends_children_that_outlive_their_parent() {
    let directory = DataDir::temporary("test").unwrap();
    let mut process =
        shell(&directory, "sleep 600 & echo $!; trap 'exit 3' TERM; while :; do wait; done");
    let child = number_in_log(&process).await;
    let status = process.stop(SECONDS).await.unwrap();
    assert_eq!(status.code(), Some(3));
    assert!(!is_running(child));
}

#[tokio::test]
async fn a_process_that_ignores_sigterm_is_killed() {
    let directory = DataDir::temporary("test").unwrap();
    let mut process = shell(&directory, "trap '' TERM; echo 1; while :; do sleep 600; done");
    number_in_log(&process).await;
    let status = process.stop(Duration::from_millis(100)).await.unwrap();
    assert_eq!(status.code(), None);
}

#[tokio::test]
async fn a_paused_process_is_alive() {
    let directory = DataDir::temporary("test").unwrap();
    let mut process = shell(&directory, "sleep 600 & echo $!; wait");
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
async fn the_error_of_an_exited_process_contains_its_log() {
    let directory = DataDir::temporary("test").unwrap();
    let mut process = shell(&directory, "echo some output; exit 7");
    process.wait_for_exit_within(SECONDS).await.unwrap();
    let error = process.check_alive().unwrap_err().to_string();
    assert!(error.contains("exit status: 7") && error.contains("some output"), "{error}");
}

#[tokio::test]
async fn a_child_survives_the_thread_that_started_it() {
    let directory = DataDir::temporary("test").unwrap();
    let log = directory.path().join("log");
    let start = move || Program::new("sleep", "sleep", log).argument("600").start().unwrap();
    let mut process = std::thread::spawn(start).join().unwrap();
    let id = process.id();
    // The thread has ended. If the kernel regarded it as the parent, the child would have been killed at once.
    assert!(process.wait_for_exit_within(Duration::from_millis(200)).await.is_err());
    drop(process);
    assert!(!is_running(id));
}

#[test]
fn a_temporary_directory_is_removed_with_its_lock() {
    let directory = DataDir::temporary("test").unwrap();
    let path = directory.path().to_owned();
    let lock = format!("{}.lock", path.display());
    fs::write(path.join("file"), "contents").unwrap();
    assert!(path.is_dir() && Path::new(&lock).is_file());
    drop(directory);
    assert!(!path.exists() && !Path::new(&lock).exists());
}

#[test]
fn an_abandoned_directory_is_removed() {
    let directory = DataDir::temporary("test").unwrap();
    let base = directory.path().parent().unwrap();
    let abandoned = base.join(format!("abandoned-{}.tmp", std::process::id()));
    fs::create_dir_all(abandoned.join("inner")).unwrap();
    fs::write(format!("{}.lock", abandoned.display()), "").unwrap();
    let _next = DataDir::temporary("test").unwrap();
    assert!(!abandoned.exists());
    assert!(directory.path().exists(), "a directory in use is kept");
}
