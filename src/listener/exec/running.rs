//! A program while it runs: fed, listened to, and ended together with its process group.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use super::ProgramSettings;
use crate::listener::record::{PREFIX, Record};

/// How long a program has between being asked to end and being killed.
pub(in crate::listener) const KILL_AFTER: Duration = Duration::from_secs(2);

/// How long the output is listened to once the program has ended, since what it started may have
/// more to say.
pub(in crate::listener) const LINGER: Duration = Duration::from_secs(1);

/// How much of the end of the output is kept.
pub(in crate::listener) const OUTPUT_KEPT: usize = 8 * 1024;

/// What the service manager gave the daemon for its own use.
const OF_THE_DAEMON: [&str; 7] = [
    "CREDENTIALS_DIRECTORY",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// A program that runs.
#[derive(Debug)]
pub(super) struct Running {
    leader: Leader,
    /// Becomes readable when the leader ends, and reaps nothing.
    exit: AsyncFd<OwnedFd>,
    input: Option<Input>,
    output: Option<pipe::Receiver>,
    tail: Vec<u8>,
}

impl Running {
    /// Starts the program of `listener` with `record` for its input and environment.
    pub(super) fn start(
        listener: &str,
        settings: &ProgramSettings,
        record: &Record<'_>,
    ) -> io::Result<Self> {
        let (output, writer) = io::pipe()?;
        let output = pipe::Receiver::from_owned_fd(output.into())?;
        let mut child = {
            // The command holds the writing end too: the output could never end while it lives.
            let mut command = command(listener, settings)?;
            command.envs(record.to_environment());
            command.stdout(writer.try_clone()?).stderr(writer);
            command.spawn()?
        };
        let input = child.stdin.take().map(|stdin| Input {
            stdin,
            left: record.to_line().into_bytes(),
        });
        let leader = Leader::new(child);
        Ok(Self {
            exit: watch_exit(leader.group)?,
            leader,
            input,
            output: Some(output),
            tail: Vec::new(),
        })
    }

    /// Feeds the program and listens to it until it ends, whatever it left behind.
    pub(super) async fn until_exit(&mut self) -> io::Result<()> {
        loop {
            let Self {
                exit,
                input,
                output,
                tail,
                ..
            } = self;
            tokio::select! {
                exited = exit.readable() => return exited.map(drop),
                () = feed(input), if input.is_some() => (),
                () = hear(output, tail), if output.is_some() => (),
            }
        }
    }

    /// Asks the program to end, and gives it some time.
    pub(super) async fn terminate(&mut self) {
        self.leader.signal(Signal::TERM);
        let _ = timeout(KILL_AFTER, self.until_exit()).await;
    }

    /// Kills what is left of the group and returns how the program ended.
    ///
    /// If it has ended by itself, what it started may hold on to the output for up to `linger`.
    pub(super) async fn end(&mut self, linger: Duration) -> io::Result<ExitStatus> {
        let _ = timeout(linger, self.until_silent()).await;
        self.leader.signal(Signal::KILL);
        // The last words of the killed are in the pipe; somebody outside of the group may hold it.
        let _ = timeout(LINGER, self.until_silent()).await;
        self.leader.reap().await
    }

    /// Returns the end of what the program and its group wrote.
    pub(super) fn output(&self) -> String {
        let excess = self.tail.len().saturating_sub(OUTPUT_KEPT);
        String::from_utf8_lossy(&self.tail[excess..]).into_owned()
    }

    async fn until_silent(&mut self) {
        while self.output.is_some() {
            hear(&mut self.output, &mut self.tail).await;
        }
    }
}

/// Returns what becomes readable when the process ends.
#[expect(
    deprecated,
    reason = "its successor is unsafe for the sake of descriptors that are not owned; this one is"
)]
pub(in crate::listener) fn watch_exit(process: Pid) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(
        pidfd_open(process, PidfdFlags::empty())?,
        Interest::READABLE,
    )
}

/// Returns the command of `settings` with its environment, in a group of its own.
pub(in crate::listener) fn command(
    listener: &str,
    settings: &ProgramSettings,
) -> io::Result<Command> {
    let (program, arguments) = settings
        .command
        .split_first()
        .ok_or_else(|| io::Error::other("there is no command"))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with(PREFIX) {
            command.env_remove(name);
        }
    }
    let withheld = settings.withhold.iter().map(String::as_str);
    for name in OF_THE_DAEMON.into_iter().chain(withheld) {
        command.env_remove(name);
    }
    command.env(format!("{PREFIX}LISTENER"), listener);
    if let Some(socket) = &settings.socket {
        // The program may go elsewhere; where we are is where the path begins.
        command.env(format!("{PREFIX}SOCKET"), std::path::absolute(socket)?);
    }
    Ok(command)
}

/// What the program has still to be told.
#[derive(Debug)]
struct Input {
    stdin: ChildStdin,
    left: Vec<u8>,
}

/// Writes some of the input; closes it when all is written, or nobody reads it.
async fn feed(input: &mut Option<Input>) {
    let Some(Input { stdin, left }) = input else {
        return;
    };
    match stdin.write(left).await {
        Ok(written) if written < left.len() => {
            left.drain(..written);
        }
        Ok(_) | Err(_) => *input = None,
    }
}

/// Reads some of the output and keeps its end; forgets the pipe when it has ended.
pub(in crate::listener) async fn hear(output: &mut Option<pipe::Receiver>, tail: &mut Vec<u8>) {
    let Some(pipe) = output else {
        return;
    };
    // Twice as much as is kept, so that the rest is moved to the front now and then only.
    if tail.len() >= 2 * OUTPUT_KEPT {
        tail.drain(..tail.len() - OUTPUT_KEPT);
    }
    let mut buffer = [0; 1024];
    match pipe.read(&mut buffer).await {
        Ok(length @ 1..) => tail.extend_from_slice(&buffer[..length]),
        Ok(0) | Err(_) => *output = None,
    }
}

/// The program itself, the leader of a process group of its own.
///
/// The group is signalled only while its leader is not yet reaped: until then the kernel gives its
/// number to nobody else. Dropping the leader kills the group.
#[derive(Debug)]
pub(in crate::listener) struct Leader {
    child: Child,
    group: Pid,
    is_reaped: bool,
}

impl Leader {
    pub(in crate::listener) fn new(child: Child) -> Self {
        let group = child
            .id()
            .and_then(|it| i32::try_from(it).ok())
            .and_then(Pid::from_raw)
            .expect("a child that was not waited for has an id");
        Self {
            child,
            group,
            is_reaped: false,
        }
    }

    pub(in crate::listener) fn signal(&self, signal: Signal) {
        if !self.is_reaped {
            // It fails only if everybody in the group has gone, or is beyond our reach.
            let _ = kill_process_group(self.group, signal);
        }
    }

    pub(in crate::listener) async fn reap(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.is_reaped = true;
        Ok(status)
    }

    /// Returns the number of the group.
    pub(in crate::listener) fn group(&self) -> Pid {
        self.group
    }

    /// Returns whether it has ended; then it is reaped.
    pub(in crate::listener) fn has_ended(&mut self) -> bool {
        self.is_reaped |= matches!(self.child.try_wait(), Ok(Some(_)));
        self.is_reaped
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
