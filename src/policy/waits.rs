//! How long things are waited for, or counted, that hardly anybody changes. Each has a name in the
//! configuration.

use std::time::Duration;

/// Defines [`Waits`] from one table: field, key, seconds by default, what it is.
macro_rules! waits {
    ($($field:ident $key:literal $seconds:literal $doc:literal,)*) => {
        /// Durations of a policy that hardly anybody changes.
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub struct Waits {
            $(#[doc = $doc] pub $field: Duration,)*
        }

        impl Default for Waits {
            fn default() -> Self {
                Self { $($field: Duration::from_secs($seconds),)* }
            }
        }

        impl Waits {
            /// Returns each with its key.
            pub fn each(&self) -> Vec<(&'static str, Duration)> {
                vec![$(($key, self.$field),)*]
            }

            /// Returns each with its key, to change it.
            pub fn each_mut(&mut self) -> Vec<(&'static str, &mut Duration)> {
                vec![$(($key, &mut self.$field),)*]
            }
        }
    };
}

waits! {
    ask_again "ask-again" 10
        "An agent that answers us, though the domain lost it, is asked again after this time.",
    blocked_after "blocked-after" 120
        "A slot for which nothing was done for so long is told of as blocked.",
    check_for "check-for" 60
        "So long a fresh picture is waited for before an unheard-of start is given up without one.",
    ends_together "ends-together" 5
        "Processes of a database that end so close together may have been ended by a person.",
    failed_lately "failed-lately" 600
        "So long a failure at a peer counts against it.",
    held_again "held-again" 3_600
        "A held slot is told of again this often.",
    last_pause "last-pause" 10
        "Without any process of a role in its database, pauses are at most this long.",
    late_for "late-for" 600
        "So long a start of which nothing was heard may still come to life.",
    stuck_after "stuck-after" 600
        "A process that is starting and about which nothing changed for so long is stuck.",
}
