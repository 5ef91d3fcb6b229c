//! What can be made to go wrong in the world, by somebody's wish.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::{Effect, EngineId, Lie, PeerNumber, SessionId, World};

/// How many faults wait for the starts of one peer.
const MAX_NEXT_STARTS: usize = 1_000;

/// Something to go wrong. The list is closed on purpose.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// An engine ends without a word.
    Crash {
        /// Its process id.
        pid: u32,
    },
    /// Answers of a peer come late from now on; with zero in time again.
    Delay {
        /// Which peer.
        peer: PeerNumber,
        /// How late.
        by: Duration,
    },
    /// Every connection to a peer breaks. It may be opened anew.
    Drop {
        /// Which peer.
        peer: PeerNumber,
    },
    /// One session breaks.
    DropSession {
        /// Which.
        session: SessionId,
    },
    /// The next start at a peer that has no such fault before it does not go as it should.
    FailNext {
        /// Which peer.
        peer: PeerNumber,
        /// How it goes.
        how: NextStart,
    },
    /// The faults that wait for the starts of a peer are forgotten.
    Forgive {
        /// Which peer.
        peer: PeerNumber,
    },
    /// An engine hangs: it does nothing any more, and ends only when it is killed.
    Hang {
        /// Its process id.
        pid: u32,
    },
    /// A peer and all others see each other no more, nor each other's engines. Clients reach all.
    Isolate {
        /// Which peer.
        peer: PeerNumber,
    },
    /// An agent says what is not so, or stops doing that.
    Lie {
        /// At which peer.
        peer: PeerNumber,
        /// What it says.
        lie: Lie,
    },
    /// A peer's agent is gone and its engines live on.
    Lose {
        /// Which peer.
        peer: PeerNumber,
        /// Whether the others are told of its engines before they are told of the peer.
        exits_first: bool,
    },
    /// Connections to a peer stay open and nothing passes any more.
    Mute {
        /// Which peer.
        peer: PeerNumber,
    },
    /// One session stays open and nothing is told on it any more, for good.
    MuteSession {
        /// Which.
        session: SessionId,
    },
    /// An engine's end is told, and it lives on as a leftover that holds its archive.
    Orphan {
        /// Its process id.
        pid: u32,
    },
    /// An isolated peer and the others see each other again.
    Rejoin {
        /// Which peer.
        peer: PeerNumber,
    },
    /// A lost peer's agent is there again: same address, new agent id.
    Return {
        /// Which peer.
        peer: PeerNumber,
    },
    /// What was held back at a peer passes, and whatever comes after.
    Unmute {
        /// Which peer.
        peer: PeerNumber,
    },
}

/// How a start goes wrong. It is answered with a start id in any case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NextStart {
    /// The engine registers, and ends without a word so long after.
    Crash {
        /// How long it lives then.
        after: Duration,
    },
    /// It fails, and twice as ever: with this reason, then with that of an agent at a loss.
    Fail {
        /// Why.
        reason: Arc<str>,
    },
    /// The agent says that the engine registered and runs, and has started nothing.
    Invented,
    /// The engine is started, so much later.
    Late {
        /// How much.
        by: Duration,
    },
    /// Nothing is started and nothing is ever heard of it.
    Silent,
}

/// Why something could not go wrong.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum FaultError {
    /// There is no such peer.
    #[error("there is no peer {0}")]
    NoSuchPeer(PeerNumber),
    /// There is no such engine.
    #[error("there is no engine with pid {0}")]
    NoSuchEngine(u32),
    /// The engine has not registered.
    #[error("the engine with pid {0} is not registered")]
    NotRegistered(u32),
    /// The sandbox is full.
    #[error("the sandbox has as many engines as it can")]
    NoRoom,
    /// The engine is another peer's.
    #[error("the engine with pid {0} does not run at peer {1}")]
    NotThere(u32, PeerNumber),
    /// There is no such session.
    #[error("there is no session {}", .0.0)]
    NoSuchSession(SessionId),
    /// The peer is isolated.
    #[error("peer {0} is isolated")]
    Isolated(PeerNumber),
    /// The peer sees the others.
    #[error("peer {0} is not isolated")]
    NotIsolated(PeerNumber),
    /// The peer is there.
    #[error("peer {0} is not lost")]
    NotLost(PeerNumber),
    /// The peer is not there.
    #[error("peer {0} is lost")]
    Lost(PeerNumber),
    /// So many starts are to fail that the wish must be a mistake.
    #[error("{MAX_NEXT_STARTS} faults wait for the starts of peer {0} already")]
    TooMany(PeerNumber),
}

impl World {
    /// Makes something go wrong.
    pub(super) fn fault(&mut self, fault: Fault) -> Result<(), FaultError> {
        match fault {
            Fault::Crash { pid } => {
                let engine = self.engine_of(pid)?;
                self.kill(engine);
            }
            Fault::Delay { peer, by } => {
                let it = self.peer_mut(peer).ok_or(FaultError::NoSuchPeer(peer))?;
                it.delay = by;
                self.link(peer);
            }
            Fault::Drop { peer } => {
                self.present(peer)?;
                self.forget_sessions(peer);
                self.effects.push_back(Effect::CutPeer { peer });
            }
            Fault::DropSession { session } => {
                let found = self.sessions.remove(&session);
                found.ok_or(FaultError::NoSuchSession(session))?;
                self.effects.push_back(Effect::Cut { session });
            }
            Fault::FailNext { peer, how } => self.fail_next(peer, how)?,
            Fault::Forgive { peer } => {
                let it = self.peer_mut(peer).ok_or(FaultError::NoSuchPeer(peer))?;
                it.next_starts.clear();
            }
            Fault::Hang { pid } => {
                let engine = self.engine_of(pid)?;
                self.effects.push_back(Effect::Hang { engine });
            }
            Fault::Isolate { peer } => {
                self.present(peer)?;
                if self.is_isolated(peer) {
                    return Err(FaultError::Isolated(peer));
                }
                self.isolate(peer);
            }
            Fault::Lie { peer, lie } => {
                self.present(peer)?;
                self.lie(self.now, peer, lie)?;
            }
            Fault::Lose { peer, exits_first } => {
                self.present(peer)?;
                self.lose(peer, exits_first);
            }
            Fault::Mute { peer } => self.mute(peer, true)?,
            Fault::MuteSession { session } => {
                // Whom the world does not know it tells nothing.
                let found = self.sessions.remove(&session);
                found.ok_or(FaultError::NoSuchSession(session))?;
            }
            Fault::Orphan { pid } => self.orphan(pid)?,
            Fault::Rejoin { peer } => {
                self.present(peer)?;
                if !self.is_isolated(peer) {
                    return Err(FaultError::NotIsolated(peer));
                }
                self.rejoin(peer);
            }
            Fault::Return { peer } => {
                if self.present(peer).is_ok() {
                    return Err(FaultError::NotLost(peer));
                }
                self.peer(peer).ok_or(FaultError::NoSuchPeer(peer))?;
                self.bring_back(peer);
            }
            Fault::Unmute { peer } => self.mute(peer, false)?,
        }
        Ok(())
    }

    fn fail_next(&mut self, peer: PeerNumber, how: NextStart) -> Result<(), FaultError> {
        let it = self.peer_mut(peer).ok_or(FaultError::NoSuchPeer(peer))?;
        if it.next_starts.len() >= MAX_NEXT_STARTS {
            return Err(FaultError::TooMany(peer));
        }
        it.next_starts.push_back(how);
        Ok(())
    }

    fn orphan(&mut self, pid: u32) -> Result<(), FaultError> {
        let engine = self.engine_of(pid)?;
        if !self.engines[&engine].is_registered() {
            return Err(FaultError::NotRegistered(pid));
        }
        self.disown(engine);
        Ok(())
    }

    /// Returns the engine whose process id that is.
    pub(super) fn engine_of(&self, pid: u32) -> Result<EngineId, FaultError> {
        let mut all = self.engines.iter();
        let found = all.find(|(_, it)| it.pid == Some(pid));
        let (engine, _) = found.ok_or(FaultError::NoSuchEngine(pid))?;
        Ok(*engine)
    }

    fn mute(&mut self, peer: PeerNumber, muted: bool) -> Result<(), FaultError> {
        let it = self.peer_mut(peer).ok_or(FaultError::NoSuchPeer(peer))?;
        it.is_muted = muted;
        self.link(peer);
        Ok(())
    }

    fn link(&mut self, number: PeerNumber) {
        let Some(peer) = self.peer(number) else {
            return;
        };
        let (muted, delay) = (peer.is_muted, peer.delay);
        let peer = number;
        self.effects.push_back(Effect::Link { peer, muted, delay });
    }

    fn present(&self, peer: PeerNumber) -> Result<(), FaultError> {
        let it = self.peer(peer).ok_or(FaultError::NoSuchPeer(peer))?;
        if it.is_lost {
            return Err(FaultError::Lost(peer));
        }
        Ok(())
    }
}
