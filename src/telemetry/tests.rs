//! What reaches the log, and how it looks.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::*;

#[derive(Debug, Error)]
#[error("{text}")]
struct Layer {
    text: &'static str,
    source: Option<Box<Layer>>,
}

fn layers(texts: &[&'static str]) -> Layer {
    let (text, rest) = texts.split_first().unwrap();
    let source = (!rest.is_empty()).then(|| Box::new(layers(rest)));
    Layer { text, source }
}

#[test]
fn an_error_is_told_with_its_causes_and_none_twice() {
    for (texts, told) in [
        (&["cannot dial db1"][..], "cannot dial db1"),
        (
            &["cannot dial db1", "no route", "cable cut"],
            "cannot dial db1: no route: cable cut",
        ),
        (
            &["cannot dial db1: no route", "no route", "cable cut"],
            "cannot dial db1: no route: cable cut",
        ),
    ] {
        assert_eq!(chain(&layers(texts)), told);
    }
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(settings: &LogSettings, colour: bool) -> String {
    let page = Page::default();
    let writer = page.clone();
    let log = log(settings, colour, move || writer.clone());
    tracing::subscriber::with_default(log.subscriber, || {
        tracing::debug!("too quiet");
        tracing::info!(peer = "db1", "hello");
    });
    let bytes = page.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_log_is_for_people_or_for_programs() {
    let people = written(&LogSettings::default(), false);
    assert!(people.contains("INFO"), "{people}");
    assert!(people.contains("hello peer=\"db1\""), "{people}");
    assert!(!people.contains('\u{1b}'), "{people}");
    assert!(!people.contains("too quiet"), "{people}");
    assert!(written(&LogSettings::default(), true).contains('\u{1b}'));

    let settings = LogSettings {
        format: LogFormat::Json,
        filter: "debug".parse().unwrap(),
    };
    let lines = written(&settings, true);
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["message"], "hello");
    assert_eq!(lines[1]["peer"], "db1");
}

#[test]
fn there_is_colour_on_a_terminal_unless_it_is_unwanted() {
    assert!(has_colour(None, true));
    assert!(has_colour(Some(OsStr::new("")), true));
    assert!(!has_colour(Some(OsStr::new("1")), true));
    assert!(!has_colour(None, false));
}

#[test]
fn a_filter_is_refused_when_it_is_made_and_not_when_it_is_used() {
    let error = "dbwarden=loud".parse::<LogFilter>().unwrap_err();
    assert!(error.to_string().contains("`dbwarden=loud`"), "{error}");
}

#[test]
fn another_filter_counts_from_then_on_whatever_the_form_is() {
    for format in [LogFormat::Human, LogFormat::Json] {
        let page = Page::default();
        let writer = page.clone();
        let settings = LogSettings {
            format,
            ..LogSettings::default()
        };
        let log = log(&settings, false, move || writer.clone());
        tracing::subscriber::with_default(log.subscriber, || {
            tracing::debug!("unheard");
            assert!((log.change)(
                "debug".parse::<LogFilter>().unwrap().to_env_filter()
            ));
            tracing::debug!("heard");
        });
        let bytes = page.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("unheard"), "{text}");
        assert!(text.contains("heard"), "{text}");
    }
}
