//! A first session with a domain: look at it, make a database, kill a process, shut it all down.
//!
//! Try it on a sandbox:
//!
//! ```text
//! dbwarden sandbox --listen 127.0.0.1:48004
//! cargo run --example introduction -- localhost:48004 bird /tmp/introduction
//! ```

use std::error::Error;
use std::time::Duration;

use dbwarden::driver::nuodb::{Domain, DriverSettings, Order};
use dbwarden::model::Address;
use dbwarden::nuodb::client::{Credentials, Settings};
use dbwarden::nuodb::pilot::PilotSettings;
use dbwarden::nuodb::srp::{Agreement, Password};

const WAIT: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example shows what it does")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [broker, password, archive] = arguments.as_slice() else {
        return Err("say BROKER PASSWORD ARCHIVE".into());
    };
    let client = Settings {
        credentials: Credentials {
            user: "domain".to_owned(),
            password: Password::new(password.clone()),
        },
        inside_tls: false,
        allow_legacy_ciphers: false,
        frame_limit: 256 << 20,
        agreement: Agreement::default(),
    };
    let brokers = vec![Address::parse(broker, 48_004)?];
    let settings = DriverSettings {
        pilot: PilotSettings::new(brokers, client),
        tls: None,
    };
    let mut domain = Domain::connect(settings).await?;

    for peer in domain.peers() {
        let role = if peer.is_broker { "broker" } else { "agent" };
        println!("{} [role={role}]", peer.address);
    }

    // A database is a storage manager on an archive of its own, and then a transaction engine.
    domain.start_sm("introduction", archive, true, WAIT).await?;
    let dba = Order::te("introduction").dba("dba", &Password::new("goalie".to_owned()));
    let first = domain
        .start(dba, WAIT)
        .await?
        .ok_or("it was not waited for")?;
    domain.start_te("introduction", WAIT).await?;
    for process in &domain.snapshot().processes {
        println!("{}: {}", process.database, domain.label(process));
    }

    domain.kill(&first, WAIT).await?;
    println!("killed {}", first.pid);
    domain.shutdown("introduction", WAIT).await?;
    println!("{} processes are left", domain.snapshot().processes.len());
    domain.close().await;
    Ok(())
}
