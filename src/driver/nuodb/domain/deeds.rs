//! What can be done in a domain, step by step.
//!
//! It says what happened and leaves what to do about it to the caller.

use std::time::Duration;

use tokio::time::timeout;

use super::{Domain, DomainError, Order};
use crate::exchange::{ActionId, Deed, Means, Outcome, Question, Start, Stop, Target};
use crate::model::{AgentId, PeerSeen, ProcessSeen, Role, Status, StatusSeen};

impl Domain {
    /// Starts a storage manager on the archive at `path`, and waits until it runs.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_sm(
        &mut self,
        database: &str,
        path: &str,
        initialize: bool,
        wait: Duration,
    ) -> Result<Option<ProcessSeen>, DomainError> {
        let order = Order::sm(database, path);
        let order = if initialize {
            order.initialize()
        } else {
            order
        };
        self.start(order, wait).await
    }

    /// Starts a transaction engine, and waits until it runs.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_te(
        &mut self,
        database: &str,
        wait: Duration,
    ) -> Result<Option<ProcessSeen>, DomainError> {
        self.start(Order::te(database), wait).await
    }

    /// Starts a process, and waits until it has registered and runs. With no time to wait it
    /// returns nothing as soon as the peer has accepted the start.
    ///
    /// # Errors
    ///
    /// Fails when the peer cannot be had, refuses, says that the start failed, or the process
    /// does not run in time.
    pub async fn start(
        &mut self,
        order: Order,
        wait: Duration,
    ) -> Result<Option<ProcessSeen>, DomainError> {
        let role = order.role.as_str();
        let attempt = format!("start {} {role} of {}", article(order.role), order.database);
        let Some(peer) = order.on.clone().or_else(|| self.emptiest().cloned()) else {
            return Err(DomainError::NoPeer { attempt });
        };
        let attempt = format!("{attempt} at {}", peer.address);
        let start = Start {
            target: target(&peer),
            database: order.database,
            role: order.role,
            means: Means::Start,
            options: order.options,
        };
        let valid_until = self.clock.now() + self.patience;
        let action = self
            .order(|action| Deed::Prepare {
                action,
                start,
                valid_until,
            })
            .await?;
        let Outcome::Ready = self.outcome(action, &attempt).await? else {
            return Err(DomainError::Ended);
        };
        self.send(Deed::Commit { action }).await?;
        let began = self.clock.now();
        let Some(pid) = self.registration(action, &attempt, wait).await? else {
            return Ok(None);
        };
        let rest = wait.saturating_sub(self.clock.now().since(began));
        let process = self.until_up(&peer.agent_id, pid, &attempt, wait, rest);
        process.await.map(Some)
    }

    /// Waits until the peer has accepted a start, and then until the process has registered.
    async fn registration(
        &mut self,
        action: ActionId,
        attempt: &str,
        wait: Duration,
    ) -> Result<Option<u32>, DomainError> {
        let Outcome::Started(_) = self.outcome(action, attempt).await? else {
            return Err(DomainError::Ended);
        };
        if wait.is_zero() {
            return Ok(None);
        }
        match timeout(wait, self.outcome(action, attempt)).await {
            Ok(Ok(Outcome::Registered { pid })) => Ok(Some(pid)),
            Ok(Ok(_)) => Err(DomainError::Ended),
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => Err(DomainError::Late {
                attempt: attempt.to_owned(),
                waited: wait,
                state: "nothing was heard of it".to_owned(),
            }),
        }
    }

    async fn until_up(
        &mut self,
        agent_id: &AgentId,
        pid: u32,
        attempt: &str,
        wait: Duration,
        rest: Duration,
    ) -> Result<ProcessSeen, DomainError> {
        let is_settled = |it: &ProcessSeen| it.status.as_ref().is_some_and(is_up);
        let settled = self.until(rest, |domain| match domain.find(agent_id, pid) {
            None => Some(None),
            Some(process) => is_settled(process).then(|| Some(process.clone())),
        });
        match settled.await? {
            Some(Some(process)) => Ok(process),
            Some(None) => Err(DomainError::Failed {
                attempt: attempt.to_owned(),
                reason: format!("it registered as pid {pid} and left again"),
            }),
            None => Err(DomainError::Late {
                attempt: attempt.to_owned(),
                waited: wait,
                state: match self.find(agent_id, pid) {
                    Some(process) => self.state(process),
                    None => format!("the process {pid} is gone"),
                },
            }),
        }
    }

    /// Asks a process to finish and leave, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// Fails when the domain cannot be asked, or the process is not gone in time.
    pub async fn stop(&mut self, process: &ProcessSeen, wait: Duration) -> Result<(), DomainError> {
        let attempt = format!("stop {}", self.label(process));
        self.end(process, Stop::Graceful, &attempt).await?;
        self.until_gone(std::slice::from_ref(process), &attempt, wait, wait)
            .await
    }

    /// Has the peer of a process end it, and waits until it is gone. Returns its exit code, if the
    /// peer says.
    ///
    /// # Errors
    ///
    /// Fails when the peer cannot be asked or refuses, or the process is not gone in time.
    pub async fn kill(
        &mut self,
        process: &ProcessSeen,
        wait: Duration,
    ) -> Result<Option<i32>, DomainError> {
        let attempt = format!("kill {}", self.label(process));
        let exit_code = self.end(process, Stop::Kill, &attempt).await?;
        self.until_gone(std::slice::from_ref(process), &attempt, wait, wait)
            .await?;
        Ok(exit_code)
    }

    /// Stops a whole database: its transaction engines first, and when they are gone its storage
    /// managers. With no time to wait, all are asked at once, in that order.
    ///
    /// # Errors
    ///
    /// Fails when there is no such database, it cannot be asked, or is not gone in time.
    pub async fn shutdown(&mut self, database: &str, wait: Duration) -> Result<(), DomainError> {
        self.database(database)?;
        let attempt = format!("shut down {database}");
        let began = self.clock.now();
        for role in [Role::Te, Role::Sm] {
            let is_meant = |it: &&ProcessSeen| it.database.as_str() == database && it.role == role;
            let processes: Vec<_> = self
                .snapshot()
                .processes
                .iter()
                .filter(is_meant)
                .cloned()
                .collect();
            for process in &processes {
                self.end(process, Stop::Graceful, &attempt).await?;
            }
            let rest = wait.saturating_sub(self.clock.now().since(began));
            if !wait.is_zero() {
                self.until_gone(&processes, &attempt, wait, rest).await?;
            }
        }
        Ok(())
    }

    /// Asks for the end of a process.
    async fn end(
        &mut self,
        process: &ProcessSeen,
        how: Stop,
        attempt: &str,
    ) -> Result<Option<i32>, DomainError> {
        let target = match self.peers().find(|it| it.agent_id == process.agent_id) {
            Some(peer) => target(peer),
            None => {
                return Err(DomainError::NoSuch {
                    what: "peer",
                    name: process.agent_id.to_string(),
                    known: self.peers().map(|it| it.address.to_string()).collect(),
                });
            }
        };
        let pid = process.pid;
        let action = self
            .order(|action| Deed::Stop {
                action,
                target,
                pid,
                how,
            })
            .await?;
        let Outcome::Stopped { exit_code } = self.outcome(action, attempt).await? else {
            return Err(DomainError::Ended);
        };
        Ok(exit_code)
    }

    async fn until_gone(
        &mut self,
        processes: &[ProcessSeen],
        attempt: &str,
        wait: Duration,
        rest: Duration,
    ) -> Result<(), DomainError> {
        if wait.is_zero() {
            return Ok(());
        }
        let remaining = |domain: &Self| -> Vec<ProcessSeen> {
            let known = processes.iter().map(|it| domain.find(&it.agent_id, it.pid));
            known.flatten().cloned().collect()
        };
        let gone = |domain: &Self| remaining(domain).is_empty().then_some(());
        if self.until(rest, gone).await?.is_some() {
            return Ok(());
        }
        let states: Vec<_> = remaining(self).iter().map(|it| self.state(it)).collect();
        Err(DomainError::Late {
            attempt: attempt.to_owned(),
            waited: wait,
            state: states.join(", "),
        })
    }

    /// Sets a database aside: it finishes what it does and begins nothing new.
    ///
    /// # Errors
    ///
    /// Fails when there is no such database, the broker refuses, or it is not done in time.
    pub async fn quiesce(&mut self, database: &str, wait: Duration) -> Result<(), DomainError> {
        let name = self.database(database)?;
        let attempt = format!("quiesce {database}");
        self.ask(Question::Quiesce(name), &attempt).await?;
        self.until_all(database, &attempt, wait, |it| &*it.word == "QUIESCED")
            .await
    }

    /// Lets a quiesced database serve again.
    ///
    /// # Errors
    ///
    /// Fails when there is no such database, the broker refuses, or it is not done in time.
    pub async fn unquiesce(&mut self, database: &str, wait: Duration) -> Result<(), DomainError> {
        let name = self.database(database)?;
        let attempt = format!("unquiesce {database}");
        self.ask(Question::Unquiesce(name), &attempt).await?;
        self.until_all(database, &attempt, wait, is_up).await
    }

    async fn until_all(
        &mut self,
        database: &str,
        attempt: &str,
        wait: Duration,
        is_done: impl Fn(&StatusSeen) -> bool,
    ) -> Result<(), DomainError> {
        if wait.is_zero() {
            return Ok(());
        }
        let remaining = |domain: &Self| -> Vec<String> {
            let is_open = |it: &&ProcessSeen| {
                it.database.as_str() == database && !it.status.as_ref().is_some_and(&is_done)
            };
            let processes = domain.snapshot().processes.iter();
            processes
                .filter(is_open)
                .map(|it| domain.state(it))
                .collect()
        };
        let done = |domain: &Self| remaining(domain).is_empty().then_some(());
        if self.until(wait, done).await?.is_some() {
            return Ok(());
        }
        Err(DomainError::Late {
            attempt: attempt.to_owned(),
            waited: wait,
            state: remaining(self).join(", "),
        })
    }

    /// Returns the tags of a peer.
    ///
    /// # Errors
    ///
    /// Fails when the broker cannot be asked, or refuses.
    pub async fn tags(&mut self, peer: &PeerSeen) -> Result<Vec<(String, String)>, DomainError> {
        let attempt = format!("read the tags of {}", peer.address);
        self.ask(Question::Tags(peer.agent_id.clone()), &attempt)
            .await
    }

    /// Sets tags of a peer; the others stay.
    ///
    /// # Errors
    ///
    /// Fails when the broker cannot be asked, or refuses.
    pub async fn set_tags(
        &mut self,
        peer: &PeerSeen,
        tags: Vec<(String, String)>,
    ) -> Result<(), DomainError> {
        let attempt = format!("set tags of {}", peer.address);
        let question = Question::SetTags(peer.agent_id.clone(), tags);
        self.ask(question, &attempt).await.map(drop)
    }

    /// Deletes tags of a peer.
    ///
    /// # Errors
    ///
    /// Fails when the broker cannot be asked, or refuses.
    pub async fn delete_tags(
        &mut self,
        peer: &PeerSeen,
        keys: Vec<String>,
    ) -> Result<(), DomainError> {
        let attempt = format!("delete tags of {}", peer.address);
        let question = Question::DeleteTags(peer.agent_id.clone(), keys);
        self.ask(question, &attempt).await.map(drop)
    }

    async fn ask(
        &mut self,
        question: Question,
        attempt: &str,
    ) -> Result<Vec<(String, String)>, DomainError> {
        let action = self.order(|action| Deed::Ask { action, question }).await?;
        let Outcome::Answered(pairs) = self.outcome(action, attempt).await? else {
            return Err(DomainError::Ended);
        };
        Ok(pairs)
    }

    /// Returns a process and how it is, as the end of a sentence.
    fn state(&self, process: &ProcessSeen) -> String {
        let word = process.status.as_ref().map_or("UNKNOWN", |it| &*it.word);
        format!("{} is {word}", self.label(process))
    }
}

fn is_up(status: &StatusSeen) -> bool {
    status.status == Status::Up
}

fn article(role: Role) -> &'static str {
    match role {
        Role::Sm => "an",
        Role::Named(_) | Role::Te => "a",
    }
}

fn target(peer: &PeerSeen) -> Target {
    Target {
        peer: peer.address.to_string().as_str().into(),
        agent_id: peer.agent_id.clone(),
        address: peer.address.clone(),
    }
}
