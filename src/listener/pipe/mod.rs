//! The listener that keeps a program running and hands it one line per event.
//!
//! The program reads a line of JSON for each event on its standard input, and writes a line with
//! the event's `id` when it is done with it. It is started when there is something to tell, again
//! after a pause when it ended, and stopped together with its process group. What it does with an
//! event is its own business.

mod child;
mod reply;

use std::collections::HashMap;
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Sleep, sleep, timeout};

use super::exec::{KILL_AFTER, LINGER, Output, ProgramSettings};
use super::record::Record;
use super::settings::Retry;
use super::{Closed, Delivery, Listener, ListenerError, Notified, Reply};
use child::{Child, Heard};
use reply::Line;

/// How many events such a program has at once at most, each of another entity, unless its settings
/// say otherwise.
pub const PIPE_BATCH: u32 = 256;

/// Keeps a program running and hands it one line per event.
///
/// It answers each event with a line: its `id`, or an object with `id` and `ok`, `permanent`,
/// `error`, `after` and `request`. It may answer in any order; the next event of an entity comes
/// when the one before is answered. A program that does not answer anything for as long as its
/// timeout is asked to end by SIGTERM and killed two seconds later, together with its group.
#[derive(Debug)]
pub struct Pipe {
    name: String,
    settings: ProgramSettings,
    timeout: Duration,
    batch: u32,
    retry: Retry,
    child: Option<Child>,
    /// Something is being told, and was broken off before.
    is_talking: bool,
    is_torn: bool,
    /// How often it ended since it last answered.
    ends: u32,
    /// It is not started again before this is over.
    pause: Option<std::pin::Pin<Box<Sleep>>>,
}

/// Why a program did not take an event.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PipeError {
    /// It ended.
    #[error("{program} ended ({how}){output}")]
    Ended {
        /// The program.
        program: String,
        /// With which exit code, or by which signal.
        how: String,
        /// What it said last.
        output: Output,
    },
    /// It wrote a line that has no end.
    #[error("{program} wrote a line of more than {limit} bytes and was stopped")]
    Endless {
        /// The program.
        program: String,
        /// How long a line may be.
        limit: usize,
    },
    /// It said no.
    #[error("{program} says: {error}")]
    Refused {
        /// The program.
        program: String,
        /// Its words.
        error: String,
    },
    /// It cannot be run.
    #[error("cannot run {program}")]
    Spawn {
        /// The program.
        program: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It answered nothing for too long.
    #[error("{program} answered nothing for {timeout:?} and was stopped{output}")]
    TimedOut {
        /// The program.
        program: String,
        /// How long it had.
        timeout: Duration,
        /// What it said last.
        output: Output,
    },
}

impl Pipe {
    /// Returns the listener of that name, which waits for each answer as long as `timeout`, has up
    /// to `batch` events at once, and is started again after pauses like those of `retry`.
    pub fn new(
        name: impl Into<String>,
        settings: ProgramSettings,
        timeout: Duration,
        batch: u32,
        retry: Retry,
    ) -> Self {
        Self {
            name: name.into(),
            settings,
            timeout,
            batch: batch.max(1),
            retry,
            child: None,
            is_talking: false,
            is_torn: false,
            ends: 0,
            pause: None,
        }
    }

    fn program(&self) -> String {
        self.settings.command.first().cloned().unwrap_or_default()
    }

    /// Starts the program, unless it runs.
    async fn start(&mut self) -> Result<(), PipeError> {
        let has_ended = self.child.as_mut().is_some_and(Child::has_ended);
        if has_ended || self.is_torn {
            self.child = None;
        }
        if self.child.is_some() {
            return Ok(());
        }
        if let Some(pause) = self.pause.as_mut() {
            pause.await;
            self.pause = None;
        }
        let child = Child::start(&self.name, &self.settings);
        let child = child.map_err(|source| {
            let program = self.program();
            PipeError::Spawn { program, source }
        })?;
        self.child = Some(child);
        Ok(())
    }

    /// Hands over some lines and takes in answers until none is missing.
    async fn talk(
        &mut self,
        lines: String,
        waiting: &mut HashMap<String, usize>,
        reply: &mut Reply,
    ) -> Result<(), PipeError> {
        self.start().await?;
        let (program, patience) = (self.program(), self.timeout);
        let Some(child) = self.child.as_mut() else {
            return Ok(());
        };
        child.say(lines.into_bytes());
        while !waiting.is_empty() {
            match timeout(patience, child.hear()).await {
                Ok(Ok(Heard::Line(line))) => {
                    if answer(&program, &line, waiting, reply) {
                        self.ends = 0;
                    }
                }
                Ok(Ok(Heard::Endless(limit))) => {
                    return Err(PipeError::Endless { program, limit });
                }
                Ok(Ok(Heard::End) | Err(_)) => {
                    let how = child.end().await;
                    let output = Output::new(child.output());
                    return Err(PipeError::Ended {
                        program,
                        how,
                        output,
                    });
                }
                Err(_elapsed) => {
                    child.terminate().await;
                    return Err(PipeError::TimedOut {
                        program,
                        timeout: patience,
                        output: Output::new(child.output()),
                    });
                }
            }
        }
        Ok(())
    }

    /// Hands over the events and waits for the answers.
    async fn tell(&mut self, delivery: Delivery<'_>) -> Reply {
        let mut reply = Reply::done();
        let mut waiting: HashMap<String, usize> = HashMap::new();
        let mut lines = String::new();
        for (place, event) in delivery.events().enumerate() {
            let record = Record::new(event).with_attempt(delivery.attempt);
            lines.push_str(&record.to_line());
            waiting.insert(event.id().to_string(), place);
        }
        // If nobody waits for the end of this, a line may have been handed over in part.
        self.is_torn |= std::mem::replace(&mut self.is_talking, true);
        let result = self.talk(lines, &mut waiting, &mut reply).await;
        (self.is_talking, self.is_torn) = (false, false);
        let Err(error) = result else {
            return reply;
        };
        self.ends += 1;
        self.child = None;
        self.pause = Some(Box::pin(sleep(self.retry.pause(self.ends, 0))));
        let text = ListenerError::temporary(error).to_string();
        for place in waiting.into_values() {
            reply = reply.failed(place, ListenerError::temporary(text.clone()));
        }
        reply
    }
}

/// Takes in a line of the program; returns whether it answers an event.
fn answer(
    program: &str,
    line: &str,
    waiting: &mut HashMap<String, usize>,
    reply: &mut Reply,
) -> bool {
    let line = match Line::parse(line) {
        Ok(Some(line)) => line,
        Ok(None) => return false,
        Err(error) => {
            let line: String = line.chars().take(200).collect();
            tracing::warn!(program, line, %error, "cannot make sense of an answer");
            return false;
        }
    };
    // An answer to an attempt that was given up meanwhile is no news.
    let Some(place) = waiting.remove(&*line.id) else {
        return false;
    };
    let taken = std::mem::take(reply);
    *reply = match line.result {
        Ok(wish) => wish.into_iter().fold(taken, Reply::wishing),
        Err(refusal) => {
            let (program, error) = (program.to_owned(), refusal.error);
            let error = PipeError::Refused { program, error };
            let error = if refusal.is_permanent {
                ListenerError::permanent(error)
            } else {
                ListenerError::temporary(error)
            };
            let error = match refusal.after {
                Some(pause) => error.after(pause),
                None => error,
            };
            taken.failed(place, error)
        }
    };
    true
}

impl Listener for Pipe {
    fn name(&self) -> &str {
        &self.name
    }

    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a> {
        Box::pin(async move { Ok(self.tell(delivery).await) })
    }

    /// Each event may take its time; and the program may have to be started, or stopped.
    fn farewell(&self) -> Duration {
        self.timeout * (self.batch - 1) + self.retry.max + KILL_AFTER + 2 * LINGER
    }

    fn is_atomic(&self) -> bool {
        false
    }

    fn close(&mut self) -> Closed<'_> {
        Box::pin(async move {
            if let Some(mut child) = self.child.take() {
                child.terminate().await;
            }
        })
    }
}

#[cfg(test)]
mod tests;
