//! What a server is told, and what each of its answers means.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::*;
use crate::event::{Event, Kind, Recorded, Subject};
use crate::listener::receiver::{Answer, OK, Receiver, tell};
use crate::listener::{Address, Header};
use crate::time::{Moment, Timestamp};

fn recorded(seq: u64) -> Recorded {
    let time = Moment::simulated(Timestamp::from_micros(1_732_147_445_678_901));
    Recorded {
        epoch: 3,
        seq,
        event: Event::new(
            time,
            Some("prod".into()),
            Kind::ProcessFailed,
            Subject::default(),
        ),
    }
}

fn settings(url: &str) -> WebhookSettings {
    WebhookSettings {
        http: HttpSettings::new(Address::parse(url).unwrap()),
        secret: None,
    }
}

#[tokio::test]
async fn a_server_is_told_an_event_or_a_list_of_them() {
    let receiver = Receiver::start(&[]).await;
    let url = format!("{}/hook?team=db", receiver.address());
    let mut settings = settings(&url);
    let token = Secret::new("Bearer sesame");
    settings.http.headers = vec![Header::new("Authorization", token).unwrap()];
    let mut one = Webhook::new("hook", settings.clone(), false);
    tell(&mut one, &recorded(18)).await.unwrap();
    let mut many = Webhook::new("hook", settings, true);
    tell(&mut many, &recorded(19)).await.unwrap();
    let rest = [Arc::new(recorded(21)), Arc::new(recorded(22))];
    let delivery = Delivery {
        event: &recorded(20),
        attempt: 4,
        rest: &rest,
    };
    many.notify(delivery).await.unwrap();

    let calls = receiver.calls();
    for call in &calls {
        assert!(call.head.starts_with("POST /hook?team=db HTTP/1.1\r\n"));
        assert_eq!(call.header("content-type"), Some("application/json"));
        assert_eq!(call.header("authorization"), Some("Bearer sesame"));
        let agent = call.header("user-agent").unwrap();
        assert!(agent.starts_with("dbwarden/"), "{agent}");
        assert_eq!(call.header("dbwarden-signature"), None);
    }
    let line = Record::new(&recorded(18)).with_attempt(1).to_line();
    assert_eq!(calls[0].body, line.trim_end());
    let list: Vec<serde_json::Value> = serde_json::from_str(&calls[1].body).unwrap();
    assert_eq!(list.len(), 1);
    let list: Vec<serde_json::Value> = serde_json::from_str(&calls[2].body).unwrap();
    let told: Vec<_> = list.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(told, ["prod/3/20", "prod/3/21", "prod/3/22"]);
    assert!(list.iter().all(|it| it["attempt"] == 4));
}

#[tokio::test]
async fn a_body_is_signed_together_with_its_time() {
    let receiver = Receiver::start(&[]).await;
    let mut settings = settings(receiver.address());
    settings.secret = Some(Secret::new("sesame"));
    let mut hook = Webhook::new("hook", settings, false);
    tell(&mut hook, &recorded(1)).await.unwrap();
    let call = &receiver.calls()[0];

    // As a receiver would do it.
    let timestamp = call.header("dbwarden-timestamp").unwrap();
    timestamp.parse::<u64>().unwrap();
    let signature = call.header("dbwarden-signature").unwrap();
    let digits = signature.strip_prefix("sha256=").unwrap();
    let signature: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect();
    let signed = |timestamp: &str| format!("{timestamp}.{}", call.body);
    let verify = |text: &str| {
        let mac = Hmac::<Sha256>::new_from_slice(b"sesame").unwrap();
        mac.chain_update(text.as_bytes()).verify_slice(&signature)
    };
    verify(&signed(timestamp)).unwrap();
    verify(&signed("1732147445")).unwrap_err();
}

/// What becomes of an event that is answered so, and what is told of it.
async fn told(answer: Answer) -> String {
    let receiver = Receiver::start(&[answer]).await;
    let url = format!("{}/s3cret?token=t0ken", receiver.address());
    let url = url.replace("http://", "http://user:passw0rd@");
    let mut settings = settings(&url);
    let token = Secret::new("Bearer sesame");
    settings.http.headers = vec![Header::new("X-Token", token).unwrap()];
    settings.secret = Some(Secret::new("sign-with-it"));
    let mut hook = Webhook::new("hook", settings, false);
    let told = match tell(&mut hook, &recorded(1)).await {
        Ok(_) => "done".to_owned(),
        Err(error) => {
            let word = if error.is_permanent() {
                "never"
            } else {
                "again"
            };
            let pause = error.pause().map(|it| format!(" after {it:?}"));
            format!("{word}{}: {error}", pause.unwrap_or_default())
        }
    };
    assert_eq!(receiver.calls().len(), 1, "nothing is sent twice");
    let all = format!("{told} {hook:?}");
    for secret in ["s3cret", "t0ken", "passw0rd", "sesame", "sign-with-it"] {
        assert!(!all.contains(secret), "{all}");
    }
    told.replace(receiver.address(), "SERVER")
}

const ANSWERS: [Answer; 15] = [
    OK,
    Answer::Say("HTTP/1.1 204 No Content\r\n\r\n"),
    Answer::Say("HTTP/1.1 429 Slowly\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"),
    Answer::Say(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: never\r\nContent-Length: 4\r\n\r\nbusy",
    ),
    Answer::Say("HTTP/1.1 500 Oops\r\nRetry-After: 999999\r\nContent-Length: 0\r\n\r\n"),
    Answer::Say("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"),
    Answer::Say(
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 57\r\n\r\n\
             no \u{7} good: /s3cret?token=t0ken with Bearer sesame, sesame",
    ),
    Answer::Say("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    Answer::Say("HTTP/1.1 301 Moved\r\nLocation: http://[::1]/\r\nContent-Length: 0\r\n\r\n"),
    Answer::Say("HTTP/1.1 304 Not Modified\r\n\r\n"),
    Answer::Tear("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot so long"),
    Answer::Tear("HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\ntorn"),
    Answer::Tear("HTTP/1.1 2"),
    Answer::Close,
    Answer::Say("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
];

#[tokio::test]
async fn each_answer_means_something() {
    let mut all = String::new();
    for answer in ANSWERS {
        // One line each, shown as several.
        all.push_str(&told(answer).await.replace(": ", ":\n  "));
        all.push('\n');
    }
    expect_test::expect![[r"
        done
        done
        again after 7s:
          SERVER answered 429 Too Many Requests
        again:
          SERVER answered 503 Service Unavailable; it says:
          busy
        again after 3600s:
          SERVER answered 500 Internal Server Error
        again:
          SERVER answered 408 Request Timeout
        never:
          SERVER answered 400 Bad Request; it says:
          no \u{7} good:
          ***?*** with ***, ***
        never:
          SERVER answered 404 Not Found
        never:
          SERVER answered 301 Moved Permanently, which is not followed:
          write the new address as `url`
        never:
          SERVER answered 304 Not Modified
        again:
          cannot call SERVER:
          error decoding response body:
          error reading a body from connection:
          end of file before message length reached
        never:
          SERVER answered 400 Bad Request; it says:
          torn
        again:
          cannot call SERVER:
          error sending request:
          client error (SendRequest):
          connection closed before message completed
        again:
          cannot call SERVER:
          error sending request:
          client error (SendRequest):
          connection closed before message completed
        again:
          cannot call SERVER:
          error sending request:
          client error (SendRequest):
          invalid HTTP version parsed
    "]]
    .assert_eq(&all);
}

#[tokio::test]
async fn a_server_that_hangs_or_is_not_there_keeps_nobody() {
    let receiver = Receiver::start(&[Answer::Hang, OK]).await;
    let mut hook = Webhook::new("hook", settings(receiver.address()), false);
    let event = recorded(1);
    let hanging = tell(&mut hook, &event);
    // As the dispatcher does it.
    let limit = Duration::from_millis(300);
    tokio::time::timeout(limit, hanging).await.unwrap_err();
    assert_eq!(receiver.calls().len(), 1);

    // Nobody listens at a port that was only reserved.
    let reserved = tokio::net::TcpSocket::new_v4().unwrap();
    reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = format!("http://{}", reserved.local_addr().unwrap());
    let mut hook = Webhook::new("hook", settings(&address), false);
    let error = tell(&mut hook, &event).await.unwrap_err();
    assert!(!error.is_permanent());
    let told = error.to_string();
    assert!(told.contains(&format!("cannot call {address}: ")), "{told}");
    assert!(told.contains("refused"), "{told}");
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    const HEAD: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 999999999\r\n\r\n";
    let text: &'static str = format!("{HEAD}{}", "é".repeat(70_000)).leak();
    let receiver = Receiver::start(&[Answer::Say(text)]).await;
    let mut hook = Webhook::new("hook", settings(receiver.address()), false);
    let error = tell(&mut hook, &recorded(1)).await.unwrap_err();
    assert!(error.is_permanent());
    assert!(error.to_string().len() < 1_200, "{error}");
}
