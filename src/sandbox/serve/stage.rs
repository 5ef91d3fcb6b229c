//! The loop that plays the world on sockets and children: it feeds what happens, carries out what
//! the world wants, and decides nothing.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::connection::{Connection, Context, Link, Outgoing};
use super::door::Door;
use super::engine::{self, Birth, Order};
use super::nursery::Nursery;
use crate::sandbox::world::{
    Effect, EngineId, EngineState, EngineView, Fault, FaultError, Input, PeerNumber, PeerView,
    SessionId, Start, StartRecord, Ticket, World,
};

/// How much may wait to be taken in.
pub(super) const HAPPENINGS: usize = 1_024;

/// How much may wait to be sent to one client. One that is so far behind is dropped.
const OUTGOING: usize = 16_384;

/// How many connections there may be at a time. Those beyond are closed at once.
const MAX_CONNECTIONS: usize = 4_096;

/// How long nothing is accepted after that failed; the machine is out of something.
pub(super) const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Everything that can happen to the stage.
#[derive(Debug)]
pub(super) enum Happening {
    Begin {
        starts: Vec<(PeerNumber, Start)>,
        begun: oneshot::Sender<Result<(), Arc<str>>>,
    },
    Fault {
        fault: Fault,
        answer: oneshot::Sender<Result<(), FaultError>>,
    },
    Input(Input),
    Starts {
        answer: oneshot::Sender<Vec<StartRecord>>,
    },
    Stop,
    Survey {
        answer: oneshot::Sender<Survey>,
    },
}

/// The domain as it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Survey {
    /// Every peer, present or lost.
    pub peers: Vec<PeerView>,
    /// Every engine that runs or is about to.
    pub engines: Vec<EngineView>,
    /// Every Monitor session, and at which peer it is.
    pub monitors: Vec<(SessionId, PeerNumber)>,
    /// How many clients began to log in since the beginning, with whatever password.
    pub logins: u64,
}

/// What the stage begins with.
#[derive(Debug)]
pub(super) struct Props {
    pub(super) world: World,
    pub(super) program: PathBuf,
    pub(super) doors: Vec<Door>,
    pub(super) nursery: Nursery,
    pub(super) context: Arc<Context>,
}

/// How a connection is reached: what is sent to it, and what cuts it when it is dropped.
#[derive(Debug)]
struct Hand {
    peer: PeerNumber,
    outgoing: mpsc::Sender<Outgoing>,
    _cut: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Beginning {
    engines: usize,
    begun: oneshot::Sender<Result<(), Arc<str>>>,
}

#[derive(Debug)]
pub(super) struct Stage {
    props: Props,
    hands: BTreeMap<SessionId, Hand>,
    next_session: u64,
    orders: BTreeMap<EngineId, mpsc::Sender<Order>>,
    answers: BTreeMap<Ticket, oneshot::Sender<Result<(), FaultError>>>,
    next_ticket: u64,
    beginning: Option<Beginning>,
    connections: JoinSet<()>,
    engines: JoinSet<()>,
}

impl Stage {
    pub(super) fn new(props: Props) -> Self {
        Self {
            props,
            hands: BTreeMap::new(),
            next_session: 1,
            orders: BTreeMap::new(),
            answers: BTreeMap::new(),
            next_ticket: 1,
            beginning: None,
            connections: JoinSet::new(),
            engines: JoinSet::new(),
        }
    }

    /// Plays until it is told to stop, or until nobody is left who could.
    pub(super) async fn run(mut self, mut happenings: mpsc::Receiver<Happening>) {
        let clock = self.props.context.clock;
        loop {
            let due = self.props.world.next_timeout();
            let timeout = async {
                match due {
                    Some(at) => sleep_until(clock.instant(at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                happening = happenings.recv() => match happening {
                    Some(Happening::Stop) | None => break,
                    Some(it) => self.take(it),
                },
                (peer, accepted) = accept(&self.props.doors) => match accepted {
                    Ok(socket) => self.accepted(peer, socket),
                    Err(_) => sleep(ACCEPT_AGAIN_AFTER).await,
                },
                () = timeout => self.handle(Input::Timeout),
                Some(ended) = self.connections.join_next() => check(ended),
                Some(ended) = self.engines.join_next() => check(ended),
            }
        }
        // Nobody is told any more, and no engine waits for its end to be taken in.
        drop(happenings);
        self.props.doors.clear();
        self.hands.clear();
        self.connections.shutdown().await;
        self.orders.clear();
        while let Some(ended) = self.engines.join_next().await {
            check(ended);
        }
    }

    fn take(&mut self, happening: Happening) {
        match happening {
            Happening::Begin { starts, begun } => {
                let engines = starts.len();
                self.beginning = Some(Beginning { engines, begun });
                for (peer, start) in starts {
                    self.handle(Input::Begin { peer, start });
                }
                self.check_beginning();
            }
            Happening::Fault { fault, answer } => {
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.answers.insert(ticket, answer);
                self.handle(Input::Fault { ticket, fault });
            }
            Happening::Input(input) => self.handle(input),
            Happening::Stop => (),
            Happening::Starts { answer } => {
                // Who asked may have gone meanwhile.
                let _ = answer.send(self.props.world.starts());
            }
            Happening::Survey { answer } => {
                let world = &self.props.world;
                // Who asked may have gone meanwhile.
                let _ = answer.send(Survey {
                    peers: world.peers(),
                    engines: world.engines(),
                    monitors: world.monitors(),
                    logins: self.props.context.logins.load(Ordering::Relaxed),
                });
            }
        }
    }

    fn handle(&mut self, input: Input) {
        if let Input::Closed { session } = &input {
            self.hands.remove(session);
        }
        if let Input::EngineExited { engine, .. } = &input {
            self.orders.remove(engine);
        }
        self.note_failed_beginning(&input);
        let now = self.props.context.clock.now();
        self.props.world.handle(now, input);
        while let Some(effect) = self.props.world.poll() {
            self.carry_out(effect);
        }
        self.check_beginning();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Answer { ticket, result } => {
                if let Some(answer) = self.answers.remove(&ticket) {
                    // Who asked may have gone meanwhile.
                    let _ = answer.send(result);
                }
            }
            Effect::Close { session } => self.send(session, Outgoing::Close),
            Effect::Cut { session } => {
                self.hands.remove(&session);
            }
            Effect::CutPeer { peer } => self.hands.retain(|_, it| it.peer != peer),
            Effect::Done { session } => self.send(session, Outgoing::Done),
            Effect::Event { session, event } => self.send(session, Outgoing::Event(event)),
            Effect::Hang { engine } => self.order(engine, Order::Hang),
            Effect::Kill { engine } => self.order(engine, Order::Kill),
            Effect::Link { peer, muted, delay } => {
                if let Some(door) = self.door(peer) {
                    door.link.send_replace(Link { muted, delay });
                }
            }
            Effect::Listen { peer, listening } => {
                if let Some(door) = self.door(peer) {
                    // The port is ours all the time, so that it fails only when the machine is
                    // out of something. Then the peer stays deaf, and may be lost again.
                    let _ = door.listen(listening);
                }
            }
            Effect::Reply { session, document } => self.send(session, Outgoing::Reply(document)),
            Effect::Spawn { engine, start, .. } => self.spawn(engine, start),
            Effect::Status { session, status } => self.send(session, Outgoing::Status(status)),
            Effect::Stop { engine } => self.order(engine, Order::Stop),
        }
    }

    fn door(&mut self, peer: PeerNumber) -> Option<&mut Door> {
        self.props.doors.get_mut(peer.index())
    }

    fn send(&mut self, session: SessionId, outgoing: Outgoing) {
        if let Some(hand) = self.hands.get(&session)
            && hand.outgoing.try_send(outgoing).is_err()
        {
            // It is gone, or so far behind that it never catches up.
            self.hands.remove(&session);
        }
    }

    fn order(&mut self, engine: EngineId, order: Order) {
        if let Some(orders) = self.orders.get(&engine) {
            // Full means that it has been told more often than it takes to end.
            let _ = orders.try_send(order);
        }
    }

    fn spawn(&mut self, engine: EngineId, start: Start) {
        let (orders, received) = mpsc::channel(4);
        self.orders.insert(engine, orders);
        let program = self.props.program.clone();
        let birth = Birth {
            engine,
            program,
            start,
        };
        let stage = self.props.context.stage.clone();
        let nursery = self.props.nursery.clone();
        self.engines
            .spawn(engine::run(birth, nursery, received, stage));
    }

    fn accepted(&mut self, peer: PeerNumber, socket: TcpStream) {
        let Some(link) = self.door(peer).map(|it| it.link.subscribe()) else {
            return;
        };
        if self.connections.len() >= MAX_CONNECTIONS {
            return;
        }
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let (sender, outgoing) = mpsc::channel(OUTGOING);
        let (cut, is_cut) = oneshot::channel();
        self.hands.insert(
            session,
            Hand {
                peer,
                outgoing: sender,
                _cut: cut,
            },
        );
        let connection = Connection {
            session,
            peer,
            link,
            outgoing,
            context: self.props.context.clone(),
        };
        self.connections.spawn(connection.run(socket, is_cut));
    }

    fn note_failed_beginning(&mut self, input: &Input) {
        let reason = if let Input::EngineFailed { reason, .. } = input {
            reason.clone()
        } else if let Input::EngineExited { code, .. } = input {
            format!("a process ended with code {code} before it ran").into()
        } else {
            return;
        };
        if let Some(it) = self.beginning.take() {
            // Who waits for the beginning may have gone meanwhile.
            let _ = it.begun.send(Err(reason));
        }
    }

    fn check_beginning(&mut self) {
        let running = |it: &EngineView| it.state == Some(EngineState::Running);
        if let Some(it) = self.beginning.take_if(|it| {
            let engines = self.props.world.engines();
            engines.iter().filter(|it| running(it)).count() >= it.engines
        }) {
            // Who waits for the beginning may have gone meanwhile.
            let _ = it.begun.send(Ok(()));
        }
    }
}

/// Waits for the next connection at any of the doors.
async fn accept(doors: &[Door]) -> (PeerNumber, io::Result<TcpStream>) {
    poll_fn(|context| {
        for (number, door) in (1..).zip(doors) {
            if let Some(listener) = door.listener()
                && let Poll::Ready(accepted) = listener.poll_accept(context)
            {
                let accepted = accepted.map(|(socket, _)| socket);
                return Poll::Ready((PeerNumber(number), accepted));
            }
        }
        Poll::Pending
    })
    .await
}

/// Lets a fault of ours end the stage, rather than a task nobody looks at.
fn check(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}
