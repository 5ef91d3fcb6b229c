//! Documents that are read, and those that must be refused.

use proptest::prelude::*;

use super::*;
use crate::nuodb::message::Element;

fn read_ok(document: &str) -> Element {
    parse(document.as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}"))
}

fn problem(document: &[u8]) -> Problem {
    match parse(document) {
        Ok(element) => panic!("{} was read: {element:?}", document.escape_ascii()),
        Err(error) => error.problem,
    }
}

fn written(element: &Element) -> String {
    let mut out = Vec::new();
    write(element, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_document_becomes_a_tree() {
    let document = "<?xml version='1.0' encoding='utf-8'?>\r\n\
         <!-- a remark --><a b='1' c = \"two\"\n d='x>y'><b/>text<?target data?> <c:d e=''>\
         more</c:d ><![CDATA[<&]]>&amp;&#x41;&#66;</a><!-- another -->\n";
    assert_eq!(
        read_ok(document),
        Element {
            text: "text <&&AB".to_owned(),
            ..Element::new("a")
                .with("b", "1")
                .with("c", "two")
                .with("d", "x>y")
                .child(Element::new("b"))
                .child(Element {
                    text: "more".to_owned(),
                    ..Element::new("c:d").with("e", "")
                })
        }
    );
}

#[test]
fn what_peers_put_around_documents_is_taken_away() {
    for document in [
        &b"\xEF\xBB\xBF<a/>"[..],
        b" \r\n\t<a/>\n",
        b"\0\xEF\xBB\xBF \0<?xml version='1.0'?><a/>\0\0\n\0",
    ] {
        assert_eq!(parse(document), Ok(Element::new("a")));
    }
}

#[test]
fn what_is_not_utf_8_is_latin_1() {
    let element = Element::new("a").with("b", "größer");
    assert_eq!(parse("<a b='größer'/>".as_bytes()), Ok(element.clone()));
    assert_eq!(parse(b"<a b='gr\xF6\xDFer'/>"), Ok(element));
}

#[test]
fn references_and_blanks_in_values_mean_what_xml_says() {
    let element = read_ok("<a b='&lt;&gt;&amp;&apos;&quot;&#228;&#x20AC;&#10;|\t|\r\n|\n|\r|'/>");
    assert_eq!(element.attribute("b"), Some("<>&'\"ä€\n| | | | |"));
    assert_eq!(read_ok("<a>1\r\n2\r3\n4&#13;</a>").text, "1\n2\n3\n4\r");
}

#[test]
fn names_may_be_what_xml_says() {
    for name in ["a", "_", ":", "a-b.c:d_e9", "ä", "名前", "a\u{B7}\u{300}"] {
        assert_eq!(
            read_ok(&format!("<{name} {name}=''/>")),
            Element::new(name).with(name, "")
        );
    }
    for name in ["1", "-", "a/b", "a!", "\u{D7}", "a\u{37E}", "\u{300}", "a<"] {
        let as_element = format!("<{name}/>");
        let as_attribute = format!("<a {name}=''/>");
        assert!(parse(as_element.as_bytes()).is_err(), "{as_element}");
        assert!(parse(as_attribute.as_bytes()).is_err(), "{as_attribute}");
    }
}

/// What quick-xml lets pass, or the protocol has no use for.
const ILL_FORMED: &[(&str, Problem)] = &[
    ("", Problem::MissingRoot),
    ("<!-- -->", Problem::MissingRoot),
    ("<?xml version='1.0'?>", Problem::MissingRoot),
    ("text", Problem::TextOutsideRoot),
    ("<a/>text", Problem::TextOutsideRoot),
    ("&amp;<a/>", Problem::TextOutsideRoot),
    ("<a/>&#32;", Problem::TextOutsideRoot),
    ("<![CDATA[x]]><a/>", Problem::TextOutsideRoot),
    ("<a/><b/>", Problem::SecondRoot),
    ("<a></a><b></b>", Problem::SecondRoot),
    ("<a>", Problem::Unclosed),
    ("<a><b></b>", Problem::Unclosed),
    ("<!DOCTYPE a><a/>", Problem::DocType),
    ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", Problem::DocType),
    ("<a/><!doctype a>", Problem::DocType),
    ("<a>&b;</a>", Problem::Entity),
    ("<a b='&c;'/>", Problem::Entity),
    ("<a b='&'/>", Problem::Entity),
    ("<a b='&amp'/>", Problem::Entity),
    ("<a b='& amp;'/>", Problem::Entity),
    ("<a b='&AMP;'/>", Problem::Entity),
    ("<a b='&#0;'/>", Problem::CharacterReference),
    ("<a b='&#1;'/>", Problem::CharacterReference),
    ("<a>&#x1F;</a>", Problem::CharacterReference),
    ("<a>&#xFFFE;</a>", Problem::CharacterReference),
    ("<a>&#xD800;</a>", Problem::CharacterReference),
    ("<a>&#x110000;</a>", Problem::CharacterReference),
    ("<a>&#99999999999;</a>", Problem::CharacterReference),
    ("<a>&#;</a>", Problem::CharacterReference),
    ("<a>&#x;</a>", Problem::CharacterReference),
    ("<a>&#+65;</a>", Problem::CharacterReference),
    ("<a>&#X41;</a>", Problem::CharacterReference),
    ("<a b='1'c='2'/>", Problem::MissingBlank),
    ("<a b='1' b='2'/>", Problem::DuplicateAttribute),
    ("<a b='1' c='' b='1'></a>", Problem::DuplicateAttribute),
    ("<a b/>", Problem::Attribute),
    ("<a b=1/>", Problem::Attribute),
    ("<a b=/>", Problem::Attribute),
    ("<a b='<'/>", Problem::Attribute),
    ("<a ='1'/>", Problem::BadName),
    ("<a 1='1'/>", Problem::BadName),
    ("<1/>", Problem::BadName),
    ("< a/>", Problem::BadName),
    ("<a/ >", Problem::BadName),
    ("<a\u{D7}/>", Problem::BadName),
    (
        "<a><?xml version='1.0'?></a>",
        Problem::MisplacedDeclaration,
    ),
    ("<a/><?xml version='1.0'?>", Problem::MisplacedDeclaration),
    ("<a>\u{1}</a>", Problem::ForbiddenCharacter),
    ("<a b='\u{1F}'/>", Problem::ForbiddenCharacter),
    ("<!-- \u{8} --><a/>", Problem::ForbiddenCharacter),
    ("<a>\0</a>", Problem::ForbiddenCharacter),
    ("<a>\u{FFFE}</a>", Problem::ForbiddenCharacter),
    ("<a b='\u{FFFF}'/>", Problem::ForbiddenCharacter),
    ("<??><a/>", Problem::BadName),
    ("<?1 ?><a/>", Problem::BadName),
];

#[test]
fn a_document_that_is_not_well_formed_is_refused_with_the_reason() {
    for (document, expected) in ILL_FORMED {
        assert_eq!(problem(document.as_bytes()), *expected, "{document}");
    }
    for document in [
        "<",
        "<a",
        "<a b='",
        "</a>",
        "<a></b>",
        "<a></ a>",
        "<a/></a>",
        "<a><b></a></b>",
        "<!a><a/>",
        "<a>&</a>",
        "<a>&amp</a>",
        "<a>]]></a>",
        "<a><!-- -- --></a>",
        "<a><!--></a>",
        "<?",
        "<a><![CDATA[</a>",
    ] {
        assert!(
            matches!(problem(document.as_bytes()), Problem::Markup(_)),
            "{document}"
        );
    }
}

#[test]
fn an_error_says_where() {
    let error = parse(b"  <a><b c='1' c='2'/></a>").unwrap_err();
    assert_eq!(error.to_string(), "duplicate attribute at byte 12");
    assert_eq!(&"<a><b c='1' c='2'/></a>"[12..13], "c");
}

#[test]
fn latin_1_may_hold_no_control_characters_either() {
    assert_eq!(problem(b"<a>\xFF\x01</a>"), Problem::ForbiddenCharacter);
}

#[test]
fn elements_lie_thirty_two_deep_at_most() {
    let nested = |depth| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(parse(nested(DEPTH_LIMIT).as_bytes()).is_ok());
    assert_eq!(
        problem(nested(DEPTH_LIMIT + 1).as_bytes()),
        Problem::TooDeep
    );
    let siblings = format!("<a>{}</a>", "<b/>".repeat(1000));
    assert_eq!(read_ok(&siblings).children.len(), 1000);
}

#[test]
fn an_element_has_a_bounded_number_of_attributes_and_no_doubles_among_them() {
    let with = |count: usize| {
        let attributes: Vec<String> = (0..count).map(|it| format!("a{it}=''")).collect();
        format!("<a {}/>", attributes.join(" "))
    };
    assert_eq!(
        read_ok(&with(ATTRIBUTE_LIMIT)).attributes.len(),
        ATTRIBUTE_LIMIT
    );
    assert_eq!(
        problem(with(ATTRIBUTE_LIMIT + 1).as_bytes()),
        Problem::TooManyAttributes
    );
    let double = with(1000).replace("a999=", "a500=");
    assert_eq!(problem(double.as_bytes()), Problem::DuplicateAttribute);
}

#[test]
fn a_tree_has_a_bounded_number_of_nodes() {
    let document = format!("<a>{}</a>", "<b c=''/>".repeat(NODE_LIMIT / 2));
    assert_eq!(problem(document.as_bytes()), Problem::TooManyNodes);
}

#[test]
fn nothing_but_ascii_is_written_and_everything_is_escaped() {
    let element = Element {
        text: "<ö>\t&\r\n".to_owned(),
        ..Element::new("a")
            .with("b", "\"'<>&\t\r\n\u{1}ö€😀")
            .child(Element::new("c"))
    };
    assert_eq!(
        written(&element),
        "<a b=\"&quot;'&lt;&gt;&amp;&#9;&#13;&#10;&#65533;&#246;&#8364;&#128512;\">\
         &lt;&#246;&gt;\t&amp;&#13;\n<c/></a>"
    );
}

#[test]
fn a_name_that_is_none_cannot_smuggle_markup_in() {
    let element = Element::new("a b='1'/><c").with("d='' e", "1");
    assert_eq!(written(&element), "<_a_b__1____c _d____e=\"1\"/>");
    assert!(parse(written(&element).as_bytes()).is_ok());
}

/// Characters that are likely to go wrong, and any others that XML allows.
fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        prop::sample::select(vec![
            '<', '>', '&', '"', '\'', ';', '#', ']', '-', ' ', '\t', '\n', '\r', 'ö', '\u{FFFD}',
            '\u{85}', '\u{7F}', '\u{FEFF}', '\u{2028}', 'x',
        ]),
        any::<char>().prop_filter("XML allows it", |it| scan::is_allowed(*it)),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(character(), 0..12).prop_map(String::from_iter)
}

fn element() -> impl Strategy<Value = Element> {
    let node = || {
        let attributes =
            prop::collection::btree_map("[a-zA-Z_:][a-zA-Z0-9_:.-]{0,8}", text(), 0..6);
        ("[a-zA-Z_:][a-zA-Z0-9_:.-]{0,8}", attributes, text())
    };
    let build = |(name, attributes, text), children| Element {
        name,
        attributes: Vec::from_iter::<std::collections::BTreeMap<_, _>>(attributes),
        children,
        text,
    };
    let leaf = node().prop_map(move |it| build(it, Vec::new()));
    leaf.prop_recursive(6, 40, 5, move |inner| {
        (node(), prop::collection::vec(inner, 0..5))
            .prop_map(move |(it, children)| build(it, children))
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(element in element()) {
        let document = written(&element);
        prop_assert!(document.is_ascii());
        prop_assert_eq!(parse(document.as_bytes()), Ok(element));
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn arbitrary_markup_does_no_harm(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "<", ">", "/", "a", "=", "\"", "'", "&", ";", "#", "x41", "!", "--", "[CDATA[",
                "]]>", "?", "xml", " ", "\n", "ö", "\u{FEFF}", "<a", "<a>", "</a>", "<b/>",
                "a='1' ",
                "DOCTYPE", "&amp;",
            ]),
            0..30,
        ),
    ) {
        let document = pieces.concat();
        if let Ok(element) = read(&document) {
            // What was read is well-formed, and so is what becomes of it.
            prop_assert_eq!(parse(written(&element).as_bytes()), Ok(element));
        }
    }

    #[test]
    fn a_damaged_document_does_no_harm(
        element in element(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut document = written(&element).into_bytes();
        let at = at.index(document.len());
        document[at] = byte;
        let _ = parse(&document);
        document.truncate(at);
        prop_assert!(parse(&document).is_err());
    }
}
