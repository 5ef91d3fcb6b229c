//! Where engines are started from: one thread that outlives them all.
//!
//! A child asks to be killed when the thread that started it ends, so no worker of a runtime may
//! start one. What becomes of a child is not watched here.

use std::io;
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// How many starts may wait for their turn.
const WAITING: usize = 64;

struct Birth {
    command: Command,
    born: oneshot::Sender<io::Result<Child>>,
}

/// Starts children. The thread behind it ends with the last of its clones.
#[derive(Clone, Debug)]
pub(super) struct Nursery(mpsc::Sender<Birth>);

impl Nursery {
    /// Starts the thread; its children are of the current runtime.
    pub(super) fn new() -> io::Result<Self> {
        let (births, mut waiting) = mpsc::channel::<Birth>(WAITING);
        let runtime = Handle::current();
        thread::Builder::new()
            .name("nursery".to_owned())
            .spawn(move || {
                let _entered = runtime.enter();
                while let Some(Birth { mut command, born }) = waiting.blocking_recv() {
                    // A child nobody waits for any more is killed as it is dropped.
                    let _ = born.send(command.spawn());
                }
            })?;
        Ok(Self(births))
    }

    /// Starts a child.
    pub(super) async fn spawn(&self, mut command: Command) -> io::Result<Child> {
        command.kill_on_drop(true);
        let (born, child) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts engines is gone");
        let birth = Birth { command, born };
        self.0.send(birth).await.map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}
