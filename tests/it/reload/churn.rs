//! The load: engines that are killed and started, and a peer that is lost and returns.

use std::sync::{Condvar, Mutex};

use rustix::process::{Signal, kill_process};
use tokio::runtime::Builder;

use crate::daemon::{pid, running_te};
use crate::sandbox::caller::start;
use crate::sandbox::outside::{Running, eventually};
use dbwarden::sandbox::world::history::Dice;

/// More engines than this are not started.
const ENGINES: usize = 4;

/// How many steps there shall be, and how many there were.
#[derive(Debug, Default)]
struct Steps {
    granted: usize,
    done: usize,
    is_over: bool,
}

/// Something that happens step by step, at its own pace, while something else goes on.
#[derive(Debug, Default)]
pub(super) struct Churn {
    steps: Mutex<Steps>,
    changed: Condvar,
}

impl Churn {
    /// Allows some more steps, and returns how many there will have been.
    pub(super) fn grant(&self, more: usize) -> usize {
        let mut steps = self.steps.lock().unwrap();
        steps.granted += more;
        self.changed.notify_all();
        steps.granted
    }

    /// Waits until so many steps are done.
    pub(super) fn reach(&self, done: usize) {
        let steps = self.steps.lock().unwrap();
        let is_short = |it: &mut Steps| it.done < done && !it.is_over;
        drop(self.changed.wait_while(steps, is_short).unwrap());
    }

    /// Takes no further step.
    pub(super) fn end(&self) {
        self.steps.lock().unwrap().is_over = true;
        self.changed.notify_all();
    }

    /// Takes steps until the end.
    pub(super) fn run(&self, sandbox: &Running, mut dice: Dice) {
        // Whoever waits for a step that fails waits no longer.
        let _end = End(self);
        loop {
            let steps = self.steps.lock().unwrap();
            let is_idle = |it: &mut Steps| it.done >= it.granted && !it.is_over;
            let steps = self.changed.wait_while(steps, is_idle).unwrap();
            if steps.is_over {
                return;
            }
            drop(steps);
            step(sandbox, &mut dice);
            self.steps.lock().unwrap().done += 1;
            self.changed.notify_all();
        }
    }
}

/// Ends the churn when it goes.
pub(super) struct End<'a>(pub(super) &'a Churn);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn step(sandbox: &Running, dice: &mut Dice) {
    let running = running_te(sandbox);
    if running.is_empty() || (running.len() < ENGINES && dice.percent(30)) {
        let address = sandbox.address(1 + dice.below(3));
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(start(address, &[("--database", "teas")]));
    } else if dice.percent(15) {
        assert!(sandbox.ctl(&["lose", "3"]).status.success());
        assert!(sandbox.ctl(&["return", "3"]).status.success());
    } else {
        let victim = dice.pick(&running);
        // It may have been lost with its peer.
        let _ = kill_process(pid(victim), Signal::KILL);
        eventually("the engine is gone", || {
            !running_te(sandbox).contains(&victim)
        });
    }
}
