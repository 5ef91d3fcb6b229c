//! What people say, an address for each word; what becomes of it is the warden's to decide.

use axum::Json;
use axum::body::Body;
use axum::extract::State;

use super::asker::Asker;
use super::people::{
    MaintenanceRecord, RevivalRecord, SaidRecord, ScalingRecord, StartRecord, ThawingRecord,
};
use super::record::AcceptedRecord;
use super::refusal::Refusal;
use super::routes::{Of, Shared};
use super::wishes::put;
use crate::exchange::Word;

/// Defines a handler for each word: its address, what is sent, and what it means.
macro_rules! words {
    ($(
        $name:ident $path:literal $record:ident $attempted:literal $asked:expr, $doc:literal;
    )*) => {$(
        #[doc = $doc]
        #[utoipa::path(
            post,
            path = concat!("/api/v1/domains/{domain}/", $path),
            tag = "ask",
            request_body = $record,
            responses((status = 200, description = "It is being done", body = AcceptedRecord))
        )]
        pub(super) async fn $name(
            State(office): Shared,
            Of(domain): Of,
            asker: Asker,
            body: Body,
        ) -> Result<Json<AcceptedRecord>, Refusal> {
            let attempted = format!(concat!($attempted, " in the domain `{}`"), domain);
            put(&office, &domain, &asker, body, &attempted, $asked).await
        }
    )*};
}

words! {
    announce "announce" SaidRecord "announce a stop"
        |it: SaidRecord| it.asked(Word::Announce),
        "Say that something is about to be stopped on purpose";
    cold_start "cold-start" RevivalRecord "bring a database up"
        RevivalRecord::asked,
        "Bring a database up of which nothing runs";
    confirm_dead "confirm-dead" SaidRecord "confirm a death"
        |it: SaidRecord| it.asked(Word::ConfirmDead),
        "Vouch that an unreachable peer is dead";
    end_maintenance "maintenance/end" SaidRecord "end a maintenance"
        |it: SaidRecord| it.asked(Word::EndMaintenance),
        "End a maintenance before its time";
    forget "forget" SaidRecord "forget something"
        |it: SaidRecord| it.asked(Word::Forget),
        "Want something no longer";
    hold "hold" SaidRecord "hold something"
        |it: SaidRecord| it.asked(Word::Hold),
        "Have nothing started there until it is released";
    maintain "maintenance" MaintenanceRecord "begin a maintenance"
        MaintenanceRecord::asked,
        "Suspend healing for a while: it is watched, and nothing is started there";
    release "release" SaidRecord "release something"
        |it: SaidRecord| it.asked(Word::Release),
        "Have held slots healed again";
    retry "retry" SaidRecord "retry something"
        |it: SaidRecord| it.asked(Word::Retry),
        "Have the next try now";
    scale "scale" ScalingRecord "scale a database"
        ScalingRecord::asked,
        "Say how many transaction engines are wanted";
    start_te "start-te" StartRecord "start a TE"
        StartRecord::asked,
        "Have a transaction engine started, by the healer's rules";
    thaw "thaw" ThawingRecord "thaw a gate"
        ThawingRecord::asked,
        "Have a gate not count for a while";
    want "want" SaidRecord "want something"
        |it: SaidRecord| it.asked(Word::Want),
        "Want something from now on";
}
