//! A client that follows something, read line by line and never waited for without end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::daemon::pid;
use crate::sandbox::caller::PATIENCE;

pub(crate) struct Follower {
    child: Child,
    lines: Receiver<String>,
    /// What was read so far, for whoever misses something.
    read: Vec<String>,
}

impl Follower {
    pub(crate) fn start(mut client: Command) -> Self {
        let piped = client.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(1);
        // It ends with the client's output, or with whoever reads it here.
        thread::spawn(move || {
            for line in out.lines() {
                if sender.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            lines,
            read: Vec::new(),
        }
    }

    /// Reads a line; `None` if it ended.
    fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.read.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("nothing more comes after {:#?}", self.read)
            }
        }
    }

    /// Reads a line that is an object.
    pub(crate) fn next(&mut self) -> Value {
        let line = self.line();
        let line = line.unwrap_or_else(|| panic!("it ended after {:#?}", self.read));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Reads up to an event of that kind.
    pub(crate) fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut read: Vec<Value> = Vec::new();
        while read.last().is_none_or(|it| it["event"] != kind) {
            read.push(self.next());
        }
        read
    }

    /// Reads up to a line with that part.
    pub(crate) fn says(&mut self, part: &str) {
        while let Some(line) = self.line() {
            if line.contains(part) {
                return;
            }
        }
        panic!("it ended without `{part}`: {:#?}", self.read);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(pid(self.child.id()), signal).unwrap();
    }

    /// Waits for its end, and returns how it ended and what it said about it.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        while self.line().is_some() {}
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (status, said)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It has ended already unless the test failed, or wanted no more of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
