//! How long things are waited for, or counted, that hardly anybody changes. Each has a name in the
//! configuration.

use std::time::Duration;

/// Defines durations from one table: field, key, seconds by default, what it is.
macro_rules! waits {
    ($name:ident $whose:literal: $($field:ident $key:literal $seconds:literal $doc:literal,)*) => {
        #[doc = $whose]
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub struct $name {
            $(#[doc = $doc] pub $field: Duration,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: Duration::from_secs($seconds),)* }
            }
        }

        impl $name {
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

waits! { DomainWaits "Durations of a whole domain that hardly anybody changes.":
    announced_for "announced-for" 60
        "An end that was announced comes within this time, or was not the one that was meant.",
    look_again "look-again" 60
        "A fresh picture that was asked for and did not come is asked for again after this time.",
    maintenance_notice "maintenance-notice" 300
        "Listeners are told so long before a maintenance ends that it will.",
    report_slack "report-slack" 5
        "So much later than a start may take, what became of it is told to us.",
}

waits! { Waits "Durations of a policy that hardly anybody changes.":
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
    request_patience "request-patience" 600
        "So long what somebody asked for waits for its gates before it is given up.",
    stuck_after "stuck-after" 600
        "A process that is starting and about which nothing changed for so long is stuck.",
}
