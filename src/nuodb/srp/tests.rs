//! The vectors of the protocol, and what must be refused.

use super::*;

const SALT: &str = "BEB25379D1A8581EB5A727673A2441EE";
const CLIENT_PRIVATE: &str = "60975527035CF2AD1989806F0407210BC81EDC04E2762A56AFD529DDDA2D4393";
const SERVER_PRIVATE: &str = "E487CB59D31AC550471E81F00F6928E01DDA08E974A004F49E61F5D105284D20";
const CLIENT_PUBLIC: &str = concat!(
    "61D5E490F6F1B79547B0704C436F523DD0E560F0C64115BB72557EC44352E890",
    "3211C04692272D8B2D1A5358A2CF1B6E0BFCF99F921530EC8E39356179EAE45E",
    "42BA92AEACED825171E1E8B9AF6D9C03E1327F44BE087EF06530E69F66615261",
    "EEF54073CA11CF5858F0EDFDFE15EFEAB349EF5D76988A3672FAC47B0769447B",
);
const SERVER_PUBLIC: &str = concat!(
    "33B192130599C033E72C7868FBB376A7AF6D4FC0EE98B68FB264F7B15CE3FF26",
    "5E1D3BEDDFADB621D836FA5379AD1CF97DCB44F0D31F8A5E7A4509C589F879FE",
    "534EF67DDEBB31DDAEFE54B11D617C67E3F266C3908A7EC5B3E369933B3FB4A1",
    "F2120FED7D8ED0DEC660DAB015759087FFEA2C0CF832D970B10FBAF69A5A779C",
);
const VERIFIER: &str = concat!(
    "B491C7116B3A0E33B7259109CFD7F68F94DE34EAC78096B3DF3DA585903851BA",
    "A1344BA81B3260DC616B11D9849890A4C877A63996455160D4D1AF0DB1824E2D",
    "B9D7F9C60889C95AD56218EACBF50DB11899E9F1370A016A356BE9E2E9BC58CA",
    "1A046F0A0453ED8815CF06006251030063717F82D101FF2788EABF311A7BF1AD",
);
const SECRET: &str = concat!(
    "5CCA80DE9826527581AA1BC9022BD25AB96CB4B21FC1A19A58045868701F3146",
    "BE9554FCE4ACB7402BB9FFB67A126A11BA1855F131F6DF83166AC4EE34BE166B",
    "4A00F3E025A044CE5B8EDA5E1F65774BE30637D005B0F886EBA90A077BE93346",
    "A700A132F499117DE4E638D8FC0D24B4E0FB8439032E7FE63C72D3D51CF5E3A5",
);

pub(crate) fn hex(digits: &str) -> Vec<u8> {
    parse_hex("a test vector", digits).unwrap()
}

pub(crate) fn secret_of_the_first_vector() -> SessionSecret {
    SessionSecret(Zeroizing::new(hex(SECRET)))
}

fn number(digits: &str) -> BigUint {
    BigUint::from_bytes_be(&hex(digits))
}

fn bird() -> Password {
    Password::new("bird".to_owned())
}

/// Both sides with fixed private keys.
fn both(user: &str, password: &Password, salt: &str, b: &str) -> (ClientExchange, ServerExchange) {
    let client = ClientExchange::new(hex(CLIENT_PRIVATE).try_into().unwrap());
    let salt = hex(salt).try_into().unwrap();
    let server = ServerExchange::new(user, password, salt, hex(b).try_into().unwrap());
    (client, server)
}

/// Lets both sides agree and returns the secret.
fn agreed(user: &str, password: &Password, salt: &str, b: &str) -> Vec<u8> {
    let (client, server) = both(user, password, salt, b);
    let ours = client
        .agree(user, password, &server.salt(), &server.public_key())
        .unwrap();
    let theirs = server.agree(&client.public_key()).unwrap();
    assert_eq!(ours.as_bytes(), theirs.as_bytes());
    ours.as_bytes().to_vec()
}

#[test]
fn the_multiplier_is_that_of_rfc_5054() {
    assert_eq!(
        *MULTIPLIER,
        number("7556AA045AEF2CDD07ABAF0F665C3E818913186F")
    );
}

#[test]
fn every_number_of_the_first_vector_holds() {
    let (client, server) = both("domain", &bird(), SALT, SERVER_PRIVATE);
    assert_eq!(client.public_key(), CLIENT_PUBLIC);
    assert_eq!(server.public_key(), SERVER_PUBLIC);
    assert_eq!(server.salt(), SALT);
    assert_eq!(server.verifier, number(VERIFIER));
    assert_eq!(
        password_exponent(&hex(SALT), "domain", &bird()),
        number("FAE63434087FCAA8164814A39A380F402764C434")
    );
    assert_eq!(
        scrambler(&client.public, &server.public),
        number("F4F9C019821979A438459D258128587C4AAD4940")
    );
    assert_eq!(agreed("domain", &bird(), SALT, SERVER_PRIVATE), hex(SECRET));
}

#[test]
fn a_salt_keeps_its_leading_zeros() {
    let salt = "00A1B2C3D4E5F60718293A4B5C6D7E8F";
    let password = Password::new("s3cret".to_owned());
    let (client, server) = both("admin", &password, salt, SERVER_PRIVATE);
    assert_eq!(server.salt(), salt);
    assert_eq!(
        password_exponent(&hex(salt), "admin", &password),
        number("CDFB85C262F098CD8D3740CE59AEC98A65DAF7D9")
    );
    assert_eq!(
        scrambler(&client.public, &server.public),
        number("200E32B280365457379E44E695286670C957278A")
    );
    assert_eq!(
        Sha1::digest(agreed("admin", &password, salt, SERVER_PRIVATE))[..],
        hex("be1aa926f22b12d59c1b464dbf1bd6eb4d84b0b5")
    );
}

#[test]
fn a_public_key_with_a_leading_zero_is_hashed_without_it() {
    let b = "41F2B2F3854F639D2AC899D73381D8EFB3CFB710E7C7999C9D173F5B62E8C79C";
    let (_, server) = both("domain", &bird(), SALT, b);
    assert_eq!(server.public_key().len(), 254);
    assert_eq!(
        Sha1::digest(agreed("domain", &bird(), SALT, b))[..],
        hex("625a1a0c174007f9a9c87870af84e1dd00171d64")
    );
}

#[test]
fn a_secret_with_a_leading_zero_is_used_without_it() {
    let b = "A4C050ED4D97B5A0B65E141DBDA4F5AF4D3AACF77203C4B7B77C2BB57CB3C3FE";
    let secret = agreed("domain", &bird(), SALT, b);
    assert_eq!(secret.len(), 127);
    assert_eq!(
        Sha1::digest(secret)[..],
        hex("1c556d5fcf873056a4922d7df6dc877d0e3a5ca5")
    );
}

#[test]
fn hexadecimal_digits_may_be_of_either_case_and_of_an_odd_number() {
    let (client, server) = both("domain", &bird(), SALT, SERVER_PRIVATE);
    let lower = server.public_key().to_lowercase();
    let secret = client
        .agree("domain", &bird(), &SALT.to_lowercase(), &lower)
        .unwrap();
    assert_eq!(secret.as_bytes(), hex(SECRET));
    assert_eq!(hex("abc"), [0x0A, 0xBC]);
    assert_eq!(hex("0"), [0]);
    assert_eq!(format_hex(&BigUint::from(0xABC_u32)), "0ABC");
}

#[test]
fn what_is_no_number_is_refused() {
    let (client, server) = both("domain", &bird(), SALT, SERVER_PRIVATE);
    for wrong in ["", "12G4", "+1", "0x12", "12 4", "é"] {
        assert!(
            matches!(
                client.agree("domain", &bird(), SALT, wrong),
                Err(SrpError::NotHexadecimal { .. })
            ),
            "{wrong}"
        );
        assert!(client.agree("domain", &bird(), wrong, "02").is_err());
        assert!(server.agree(wrong).is_err());
    }
}

#[test]
fn a_public_key_that_gives_the_secret_away_is_refused() {
    let (client, server) = both("domain", &bird(), SALT, SERVER_PRIVATE);
    for factor in [0_u8, 1, 2] {
        let key = format_hex(&(&*MODULUS * factor));
        assert_eq!(
            client.agree("domain", &bird(), SALT, &key).unwrap_err(),
            SrpError::Trivial {
                what: "the server's key"
            }
        );
        assert_eq!(
            server.agree(&key).unwrap_err(),
            SrpError::Trivial {
                what: "the client's key"
            }
        );
    }
}

#[test]
fn another_password_gives_another_secret() {
    let (client, server) = both("domain", &bird(), SALT, SERVER_PRIVATE);
    let wrong = Password::new("fish".to_owned());
    let ours = client
        .agree("domain", &wrong, SALT, &server.public_key())
        .unwrap();
    let theirs = server.agree(&client.public_key()).unwrap();
    assert_ne!(ours.as_bytes(), theirs.as_bytes());
}

#[test]
fn a_password_is_latin_1_where_it_can_be() {
    let umlaut = Password::new("vögel".to_owned());
    assert_eq!(**identity("u", &umlaut), b"u:v\xF6gel"[..]);
    let snowman = Password::new("☃".to_owned());
    assert_eq!(**identity("ü", &snowman), *"ü:☃".as_bytes());
}

#[test]
fn no_formatting_shows_a_secret() {
    let (client, server) = both("domain", &bird(), SALT, SERVER_PRIVATE);
    let secret = secret_of_the_first_vector();
    let shown = format!("{:?} {client:?} {server:?} {secret:?}", bird());
    assert_eq!(
        shown,
        "*** ClientExchange(***) ServerExchange(***) SessionSecret(***)"
    );
}

#[test]
fn a_known_agreement_gives_both_sides_one_secret_and_another_password_another() {
    let (right, wrong) = (
        Password::new("bird".to_owned()),
        Password::new("fish".to_owned()),
    );
    let table = Table::new("domain", &right, 7, 3);
    let known = Agreement::Known(std::sync::Arc::new(table));
    for first in 0..4 {
        let mut entropy = [0; 32];
        entropy[1] = first;
        let client = known.client(entropy);
        let side = |password| {
            let account = ("domain", password);
            known.server(account, [1; 16], [2; 32], &client.public_key())
        };
        let server = side(&right).unwrap();
        let ours = |password| {
            let (salt, key) = (&server.salt, &server.public_key);
            client.agree("domain", password, salt, key).unwrap()
        };
        let theirs = server.secret.as_bytes();
        assert_eq!(ours(&right).as_bytes(), theirs);
        assert_ne!(ours(&wrong).as_bytes(), theirs);
        assert_ne!(side(&wrong).unwrap().secret.as_bytes(), theirs);
    }
}

#[test]
fn who_knows_the_table_agrees_with_who_computes() {
    let password = Password::new("bird".to_owned());
    let table = Table::new("domain", &password, 7, 1);
    let known = Agreement::Known(std::sync::Arc::new(table));
    let client = Agreement::Computed.client([3; 32]);
    let account = ("domain", &password);
    let server = known.server(account, [1; 16], [2; 32], &client.public_key());
    let server = server.unwrap();
    let ours = client.agree("domain", &password, &server.salt, &server.public_key);
    assert_eq!(ours.unwrap().as_bytes(), server.secret.as_bytes());
}
