//! Mistakes that can be planted in the healer on purpose, to see whether its judges notice.
//!
//! Each is a promise broken at one place. Nothing but the simulator plants one; whatever decides
//! carries which one is planted, and that is none by default.

use std::fmt;

/// Defines [`Mutant`] from one table: variant, name, what it does.
macro_rules! mutants {
    ($($variant:ident $name:literal $says:literal,)*) => {
        /// A mistake that can be planted.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Mutant { $(#[doc = $says] $variant,)* }

        impl Mutant {
            /// Every mistake.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns what it does.
            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says,)* }
            }
        }
    };
}

mutants! {
    AnyFailureIsMine "any-failure-is-mine"
        "A start is failed by what is told of another one at the same agent.",
    AnyArchive "any-archive"
        "A storage manager is started though another archive is newer.",
    BesideOthers "beside-others"
        "A database is healed that somebody else heals.",
    CheckGatesOnce "check-gates-once"
        "What spoke against a start when it was decided is not asked again when it leaves.",
    CommitLate "commit-late"
        "A request leaves after its preparation has expired.",
    ConfirmNothing "confirm-nothing"
        "Several processes that end together are started at once.",
    DeafToArchives "deaf-to-archives"
        "What archives say of who was used last is not heeded.",
    DeedBeforeRecord "deed-before-record"
        "What is done is done before it is on record.",
    DoubledFailure "doubled-failure"
        "A failed start that is told twice is taken for two.",
    ElsewhereUnasked "elsewhere-unasked"
        "After an exit a start goes elsewhere though the agent there was not asked.",
    EndAlone "end-alone"
        "A leftover is ended though nobody else keeps its data.",
    EndlessMaintenance "endless-maintenance"
        "A maintenance goes on when its time is over.",
    ForgetFailures "forget-failures"
        "A daemon that begins again forgets where starts failed.",
    ForgetOpenAction "forget-open-action"
        "A daemon that begins again forgets the starts it was at.",
    ForgetNothing "forget-nothing"
        "What a person has forgotten is wanted still.",
    GiveUpEarly "give-up-early"
        "A start of which nothing was heard is given up without another look.",
    HalfHeard "half-heard"
        "A cold start follows the archives that answered, though others did not.",
    IgnoreClock "ignore-clock"
        "Clocks that jump and turns that come late make nothing doubtful.",
    IgnoreHold "ignore-hold"
        "What a person holds is started.",
    IgnoreMaintenance "ignore-maintenance"
        "What people work at is started, and where they work.",
    IgnoreReload "ignore-reload"
        "Policies stay what they were when others are accepted.",
    IgnoreReturnGrace "ignore-return-grace"
        "A start goes to a peer that has only just come back.",
    IgnoreReason "ignore-reason"
        "What agents say of a start that failed is not heeded.",
    IncompleteOptions "incomplete-options"
        "A storage manager is started without the last of its options.",
    Initialize "initialize"
        "A storage manager is started so that it makes its archive anew.",
    KeepNothing "keep-nothing"
        "What was seen to run is not wanted from then on.",
    NeedsNothing "needs-nothing"
        "An engine is started of a database of which nothing runs.",
    NeverStuck "never-stuck"
        "A process that begins and gets no further is not told of.",
    NoBudget "no-budget"
        "A domain has as many starts as it likes.",
    NoLane "no-lane"
        "Several starts of a database are under way at once.",
    NoOverlapLimit "no-overlap-limit"
        "A seat is filled again however many of its processes may still come to life.",
    NoPause "no-pause"
        "The next try does not wait.",
    NoStormGate "no-storm-gate"
        "Starts go on while many peers are lost at once.",
    NoStormPace "no-storm-pace"
        "After a storm everything is started at once.",
    OneLookIsEnough "one-look-is-enough"
        "What one look does not show is gone.",
    RefillBudgetAtCrash "refill-budget-at-crash"
        "A daemon that begins again counts tries from none.",
    ResendAfterCrash "resend-after-crash"
        "A daemon that begins again starts anew what may have left already.",
    SamePidSameLife "same-pid-same-life"
        "A process with the pid of another is taken for it.",
    SilentHold "silent-hold"
        "Nobody is told that the healer gave up.",
    SmAnywhere "sm-anywhere"
        "A storage manager is started wherever there is room.",
    SkipStaleCheck "skip-stale-check"
        "Starts go on while there is no session.",
    StoppedIsMissed "stopped-is-missed"
        "What somebody stopped is started again.",
    StrictIsLoose "strict-is-loose"
        "What is out of reach is replaced though its siblings are strict.",
    ThawAtOnce "thaw-at-once"
        "Starts begin before a new session has settled.",
    ToldAgain "told-again"
        "A process that does not answer at its port is told of each time it is found.",
    TrustMinority "trust-minority"
        "What the smaller part of a domain tells is taken for the whole.",
    TwoPerPeer "two-per-peer"
        "A peer is asked for a second engine of a database.",
    UnreachableIsDead "unreachable-is-dead"
        "What is out of reach is replaced at once.",
}

impl Mutant {
    /// Returns the mistake of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.as_str() == name)
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which mistake is planted where it is held; none by default.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Planted(Option<Mutant>);

impl Planted {
    /// Plants a mistake. For simulations alone.
    pub const fn plant(mutant: Mutant) -> Self {
        Self(Some(mutant))
    }

    /// Returns whether it is that mistake that is planted.
    pub fn has(self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }
}
