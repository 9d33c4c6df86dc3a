//! The suite of `channel-contract`, over every kind of request.

use channel_contract::conformance::{Case, Expect, violations};

use crate::harness::{TOKEN, channel, piped, posted, with_header};

#[test]
fn the_adapter_keeps_the_specification() {
    let plain = include_bytes!("../../fixtures/plain.eml");
    let messages: [(&str, &[u8]); 4] = [
        ("plain", plain),
        ("reply", include_bytes!("../../fixtures/reply.eml")),
        ("html only", include_bytes!("../../fixtures/html-only.eml")),
        ("files only", include_bytes!("../../fixtures/attachments-only.eml")),
    ];
    let reports: [(&str, &[u8]); 4] = [
        ("failed", include_bytes!("../../fixtures/bounce-failed.eml")),
        ("delayed", include_bytes!("../../fixtures/bounce-delayed.eml")),
        ("free form", include_bytes!("../../fixtures/bounce-plain.eml")),
        ("receipt", include_bytes!("../../fixtures/receipt.eml")),
    ];
    let mut cases = Vec::new();
    for (expect, mails) in [(Expect::Message, messages), (Expect::Report, reports)] {
        for (name, body) in mails {
            let fetched = with_header(piped(body.to_vec()), "yingda-arrived", "2026-11-22T08:00:00+00:00");
            for (way, request) in
                [("pipe", piped(body.to_vec())), ("post", posted(body.to_vec(), Some(TOKEN))), ("fetch", fetched)]
            {
                cases.push(Case { name: format!("{name} by {way}"), request, expect });
            }
        }
    }
    let nameless = String::from_utf8_lossy(include_bytes!("../../fixtures/bounce-failed.eml"))
        .replace("Message-ID: <answer-17@city.example>\n", "");
    cases.push(Case { name: "nameless bounce".to_owned(), request: piped(nameless), expect: Expect::Control });
    cases.push(Case { name: "nothing".to_owned(), request: piped(""), expect: Expect::Quarantine });
    cases.push(Case {
        name: "no mail".to_owned(),
        request: posted("just words", Some(TOKEN)),
        expect: Expect::Quarantine,
    });
    cases.push(Case {
        name: "no token".to_owned(),
        request: posted(plain.to_vec(), None),
        expect: Expect::Unauthorized,
    });
    cases.push(Case {
        name: "wrong token".to_owned(),
        request: posted(plain.to_vec(), Some("wrong-wrong-wrong")),
        expect: Expect::Unauthorized,
    });
    assert_eq!(violations(&channel(), &cases), Vec::<String>::new());
}
