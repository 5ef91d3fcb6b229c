//! The laws: what holds in every history, and when each has something to say.
//!
//! How they are judged is in the modules beside this one.

/// Defines [`Law`] from one table: variant, name, what it says, when it has something to say.
macro_rules! laws {
    ($($variant:ident $name:literal $says:literal $premise:literal,)*) => {
        /// Something that holds in every history.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Law { $(#[doc = $says] $variant,)* }

        impl Law {
            /// Every law.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns what it says.
            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says,)* }
            }

            /// Returns when it has something to say.
            pub const fn premise(self) -> &'static str {
                match self { $(Self::$variant => $premise,)* }
            }
        }
    };
}

laws! {
    AskedFirst "asked-first"
        "Nothing is started elsewhere before the agent where it ran has answered since."
        "a start elsewhere after an exit",
    Alone "alone"
        "Nothing is started of a database that somebody else heals."
        "something is missing of a database that is left alone",
    Answered "answered"
        "Whoever asks for something is answered, once."
        "somebody asks for something",
    AsTheySay "as-they-say"
        "A cold start begins with the archive that was used last, if all that are asked tell."
        "archives tell which of them was used last",
    AtHome "at-home"
        "A storage manager is started where its archive is, with all options, and makes none."
        "a storage manager is started",
    Budget "budget"
        "No domain has more starts in a while than its budget allows."
        "a domain uses its budget up",
    Counted "counted"
        "A daemon that begins again counts no fewer tries than were counted."
        "a daemon begins when a seat was tried",
    Clock "clock"
        "After trouble with the clocks nothing is started before a fresh picture has settled."
        "something is missing after such trouble",
    Confirmed "confirmed"
        "When several of a database end together, nothing is started before it is clear who did it."
        "a start after two of its database ended within seconds",
    DecidedAgain "decided-again"
        "Deciding again from the record gives what life gave."
        "an input on record",
    DoubleStart "double-start"
        "No request leaves while the process of its seat is up or a start for it is open."
        "a request leaves while others of its database live",
    Expires "expires"
        "What people work at is healed again when they said, and that is told."
        "the time of a maintenance is over",
    Forgotten "forgotten"
        "Nothing is started that a person had forgotten."
        "a start of a database of which something was forgotten",
    GateOpen "gate-open"
        "Nothing is started while a gate is closed."
        "a seat is empty while a gate is closed",
    GivenUpLate "given-up-late"
        "A request that left is open until its fate is told, or nothing was heard and we looked."
        "a start of which nothing was heard is given up",
    Heeded "heeded"
        "What an agent says of a start that failed is heeded."
        "a start after an agent said that it cannot work there",
    Held "held"
        "Nothing is started on a seat that the healer gave up."
        "a start while another seat is held",
    InTime "in-time"
        "No request leaves after its preparation has expired."
        "a request waited on the disk",
    Intent "intent"
        "What is done is on record before it is done."
        "something is done",
    Lane "lane"
        "One start for a database at a time, and one at a peer."
        "a start begins while another is open",
    Left "left"
        "What somebody stopped is not started again."
        "a start of a database of which something was stopped",
    LeftAlone "left-alone"
        "Nothing is started that a person holds."
        "something is missing that a person holds",
    LeftOver "left-over"
        "Only what is left over is ended, if that is said and another keeps the data."
        "something is ended",
    Maintained "maintained"
        "Nothing is started where people work."
        "something is missing where people work",
    Memory "memory"
        "A daemon that begins again knows what is on record."
        "a daemon begins with a memory",
    ModelTrue "model-true"
        "After the calm the live part of the model is what a fresh look shows."
        "a history ends",
    Needs "needs"
        "Nothing is started of a database of which nothing runs."
        "a start",
    NewestFirst "newest-first"
        "No archive is opened before one that is newer, unless another one serves."
        "a storage manager is started while none runs",
    OnePerPeer "one-per-peer"
        "No peer is asked for a second engine of a database."
        "a start where others of its database run",
    Overlap "overlap"
        "Beside the process of a seat there is at most one more that was given up."
        "one that was given up lives after all",
    Pace "pace"
        "No seat is tried more than twelve times in a minute."
        "a seat is tried again within a minute",
    Progress "progress"
        "Time goes on."
        "a history ends",
    ReplacedLate "replaced-late"
        "What is out of reach is replaced only after its grace and our own failure to reach it."
        "a start for one out of reach",
    Refused "refused"
        "Who is refused changes nothing that is remembered of seats."
        "a request is refused",
    Reloaded "reloaded"
        "What is accepted is what the healer works by, and goes by in its memory."
        "a configuration is accepted",
    Rest "rest"
        "After the calm all that is wanted runs, or is held or blocked and that was told."
        "something was missing when the calm began",
    ReturnGrace "return-grace"
        "Nothing is started at a peer that is not there, or has only just come."
        "a start at a peer that was away before",
    Sense "sense"
        "What is told makes sense by itself."
        "an event is told",
    Settled "settled"
        "Nothing thaws before the domain has settled."
        "a domain thaws",
    Storm "storm"
        "Nothing is started while many peers are lost at once, and afterwards one after the other."
        "a start after such a storm, or an empty seat in one",
    StopsNothing "stops-nothing"
        "The healer stops nothing that runs, and gives up nothing that left."
        "a start is given up before it leaves",
    Strict "strict"
        "With strict siblings nothing is replaced that is out of reach."
        "a start under such a policy",
    Stuck "stuck"
        "A process that begins and gets no further is told of."
        "one has not got any further when a history ends",
    Told "told"
        "Whatever appears and whatever goes is told of when it is seen."
        "something appears or goes",
    Truth "truth"
        "What is said of a start that failed is so."
        "a start is said to have failed",
    Wanted "wanted"
        "Nothing is started that nobody wants."
        "a start beyond what is declared",
}
