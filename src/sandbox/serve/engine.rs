//! One engine as a child process, from its start to its end.
//!
//! What its end means is the world's business.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::nursery::Nursery;
use super::stage::Happening;
use crate::sandbox::world::{EngineId, Input, Start};

/// How long a child may take to say what it has become.
const REPORT_WITHIN: Duration = Duration::from_secs(20);

/// The longest report that is read: a path may have 4,096 bytes, and a reason names one.
const REPORT_LIMIT: u64 = 8_192;

/// What an engine is told to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Hang,
    Kill,
    Stop,
}

/// An engine to be started.
#[derive(Debug)]
pub(super) struct Birth {
    pub(super) engine: EngineId,
    pub(super) program: PathBuf,
    pub(super) start: Start,
}

/// Starts an engine, carries out its orders, and tells the stage what becomes of it; its exit is
/// the last it tells, and always told.
pub(super) async fn run(
    birth: Birth,
    nursery: Nursery,
    mut orders: mpsc::Receiver<Order>,
    stage: mpsc::Sender<Happening>,
) {
    let engine = birth.engine;
    let tell = async |input| {
        // The stage is gone only when the whole sandbox is.
        let _ = stage.send(Happening::Input(input)).await;
    };
    let code = match nursery.spawn(command(&birth)).await {
        Ok(mut child) => {
            if let Some(pid) = child.id() {
                tell(Input::EngineSpawned { engine, pid }).await;
            }
            let report = child.stdout.take();
            let (report, status) = tokio::join!(
                async {
                    let input = match read_report(report).await {
                        Report::Failed(reason) => Input::EngineFailed { engine, reason },
                        Report::Nothing => return,
                        Report::Ready(port) => Input::EngineReady { engine, port },
                    };
                    tell(input).await;
                },
                watch(&mut child, &mut orders),
            );
            let () = report;
            status.map_or(-1, exit_code)
        }
        Err(error) => {
            let reason = format!("Unable to start a process: {error}").into();
            tell(Input::EngineFailed { engine, reason }).await;
            -1
        }
    };
    tell(Input::EngineExited { engine, code }).await;
}

fn command(birth: &Birth) -> Command {
    let mut command = Command::new(&birth.program);
    command
        .arg("engine")
        .args(["--database", &birth.start.database])
        // Not among those that a terminal interrupts: the sandbox ends them in order.
        .process_group(0)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(archive) = &birth.start.archive {
        command.args(["--archive", archive]);
    }
    if birth.start.initialize {
        command.arg("--initialize");
    }
    command
}

enum Report {
    Failed(std::sync::Arc<str>),
    /// It ended without a word.
    Nothing,
    Ready(u16),
}

async fn read_report(stdout: Option<ChildStdout>) -> Report {
    let Some(stdout) = stdout else {
        return Report::Nothing;
    };
    let mut line = Vec::new();
    let mut reader = BufReader::new(stdout.take(REPORT_LIMIT));
    let read = timeout(REPORT_WITHIN, reader.read_until(b'\n', &mut line)).await;
    let line = String::from_utf8_lossy(&line);
    let line = line.trim_end();
    match read {
        Err(_) => Report::Failed("The process did not say what it has become".into()),
        Ok(_) if line.is_empty() => Report::Nothing,
        Ok(_) => match line.split_once(' ') {
            Some(("ready", port)) if port.parse::<u16>().is_ok() => {
                Report::Ready(port.parse().unwrap_or_default())
            }
            Some(("failed", reason)) => Report::Failed(reason.into()),
            _ => Report::Failed(format!("The process said: {line}").into()),
        },
    }
}

/// Waits for the child to end, and carries out orders until it does.
async fn watch(child: &mut Child, orders: &mut mpsc::Receiver<Order>) -> Option<ExitStatus> {
    // Its end would be our word to end; `wait` closes it, so it is kept out of its hands.
    let mut stdin = child.stdin.take();
    loop {
        tokio::select! {
            status = child.wait() => return status.ok(),
            order = orders.recv() => match order {
                Some(Order::Hang) => hang(child),
                Some(Order::Stop) => stdin = None,
                Some(Order::Kill) | None => {
                    // It fails if the child has just ended, which is what was wanted.
                    let _ = child.start_kill();
                    if order.is_none() {
                        return child.wait().await.ok();
                    }
                }
            },
        }
        let _still_open = &stdin;
    }
}

/// Has the child do nothing any more.
fn hang(child: &Child) {
    let pid = child.id().and_then(|it| Pid::from_raw(it.try_into().ok()?));
    if let Some(pid) = pid {
        // It fails if the child has just ended: then it does nothing as well.
        let _ = kill_process(pid, Signal::STOP);
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = status.signal().map(|it| 128 + it);
    status.code().or(signal).unwrap_or(-1)
}
