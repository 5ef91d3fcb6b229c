//! A program that runs on: what it still has to read, what it says, and how it ends.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::Signal;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::super::exec::{
    KILL_AFTER, LINGER, Leader, OUTPUT_KEPT, ProgramSettings, command, hear, watch_exit,
};

/// How long a line of the program may be.
const LINE_LIMIT: usize = 64 * 1024;

/// How much is read at once.
const READ: usize = 16 * 1024;

/// What a program does next.
#[derive(Debug)]
pub(super) enum Heard {
    /// It writes a line.
    Line(String),
    /// It writes more than a line may have.
    Endless(usize),
    /// It ended, or closed its output.
    End,
}

/// A program that runs, in a process group of its own. Dropping it kills the group.
#[derive(Debug)]
pub(super) struct Child {
    leader: Leader,
    /// Becomes readable when the leader ends.
    exit: AsyncFd<OwnedFd>,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: Option<pipe::Receiver>,
    /// What it has still to read, from `written` on.
    unread: Vec<u8>,
    written: usize,
    /// What it wrote, from `heard` on; the last line may lack its end.
    said: Vec<u8>,
    heard: usize,
    tail: Vec<u8>,
}

impl Child {
    pub(super) fn start(listener: &str, settings: &ProgramSettings) -> io::Result<Self> {
        let (stderr, writer) = io::pipe()?;
        let stderr = pipe::Receiver::from_owned_fd(stderr.into())?;
        let mut child = {
            // The command holds the writing end too: the errors could never end while it lives.
            let mut command = command(listener, settings)?;
            command.stdout(Stdio::piped()).stderr(writer);
            command.spawn()?
        };
        let missing = || io::Error::other("a pipe to the program is missing");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let leader = Leader::new(child);
        Ok(Self {
            exit: watch_exit(leader.group())?,
            leader,
            stdin,
            stdout,
            stderr: Some(stderr),
            unread: Vec::new(),
            written: 0,
            said: Vec::new(),
            heard: 0,
            tail: Vec::new(),
        })
    }

    /// Has the program read this next.
    pub(super) fn say(&mut self, lines: Vec<u8>) {
        self.unread = lines;
        self.written = 0;
    }

    /// Lets the program read, and returns what it does next. Nothing is lost when the future is
    /// dropped.
    pub(super) async fn hear(&mut self) -> io::Result<Heard> {
        loop {
            if let Some(line) = self.line() {
                return Ok(Heard::Line(line));
            }
            if self.said.len() > LINE_LIMIT {
                return Ok(Heard::Endless(LINE_LIMIT));
            }
            self.said.reserve(READ);
            let has_more = self.written < self.unread.len();
            tokio::select! {
                written = self.stdin.write(&self.unread[self.written..]), if has_more => {
                    // Who reads nothing more may have answers to give still.
                    self.written += written.unwrap_or(self.unread.len());
                }
                read = self.stdout.read_buf(&mut self.said) => {
                    if read? == 0 {
                        return Ok(Heard::End);
                    }
                }
                () = hear(&mut self.stderr, &mut self.tail), if self.stderr.is_some() => (),
            }
        }
    }

    /// Takes the next whole line.
    fn line(&mut self) -> Option<String> {
        let rest = &self.said[self.heard..];
        let Some(end) = rest.iter().position(|it| *it == b'\n') else {
            self.said.drain(..self.heard);
            self.heard = 0;
            return None;
        };
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.heard += end + 1;
        Some(line)
    }

    /// Returns whether the program has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        self.leader.has_ended()
    }

    /// Ends a program that closed its output, and says how it ended.
    pub(super) async fn end(&mut self) -> String {
        let _ = timeout(LINGER, self.until_exit()).await;
        self.leader.signal(Signal::KILL);
        let _ = timeout(LINGER, self.until_silent()).await;
        match self.leader.reap().await {
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("exit code {code}"),
                (None, signal) => format!("signal {}", signal.unwrap_or_default()),
            },
            Err(_) => "nobody knows how".to_owned(),
        }
    }

    /// Asks the program to end, and kills what has not after a while.
    pub(super) async fn terminate(&mut self) {
        self.leader.signal(Signal::TERM);
        let _ = timeout(KILL_AFTER, self.until_exit()).await;
        self.end().await;
    }

    /// Returns the end of what it and its group wrote to their standard error.
    pub(super) fn output(&self) -> String {
        let excess = self.tail.len().saturating_sub(OUTPUT_KEPT);
        String::from_utf8_lossy(&self.tail[excess..]).into_owned()
    }

    async fn until_exit(&mut self) {
        loop {
            tokio::select! {
                _ = self.exit.readable() => return,
                () = hear(&mut self.stderr, &mut self.tail), if self.stderr.is_some() => (),
            }
        }
    }

    async fn until_silent(&mut self) {
        while self.stderr.is_some() {
            hear(&mut self.stderr, &mut self.tail).await;
        }
    }
}
