//! What becomes of a mail.

use bytes::Bytes;
use channel_contract::{AttachmentContent, Channel, Content, QuarantineReason, Receipt};
use encoding_rs::{BIG5, Encoding, GB18030, GBK, ISO_2022_JP};
use proptest::prelude::*;

use crate::harness::{TOKEN, channel, channel_with, item, mail, message, piped, posted, with_header};

#[test]
fn a_plain_mail() {
    let message = message(&include_bytes!("../../fixtures/plain.eml")[..]);
    assert_eq!(message.from, "zhang.wei@mail.example");
    assert_eq!(message.name.as_deref(), Some("张伟"));
    assert_eq!(message.subject.as_deref(), Some("路灯不亮"));
    assert_eq!(message.text, "幸福路三号门口的路灯坏了两个星期。\n请派人维修。");
    assert_eq!(message.to, ["hotline@city.example", "second@city.example", "third@city.example"]);
    assert_eq!(message.message_id.as_deref(), Some("plain-1@mail.example"));
    assert_eq!(message.sent_at.map(|at| at.to_rfc3339()).as_deref(), Some("2026-11-22T07:00:00+00:00"));
    assert_eq!((message.quoted, message.html, message.no_acknowledgement), (None, None, None));
    assert!(message.references.is_empty() && message.attachments.is_empty());
}

#[test]
fn a_reply_is_told_from_what_it_quotes() {
    let message = message(&include_bytes!("../../fixtures/reply.eml")[..]);
    assert_eq!(message.text, "还是不亮。");
    assert!(message.quoted.expect("the rest").contains("20261122000017"));
    assert_eq!(message.subject.as_deref(), Some("回复：路灯不亮"));
    assert_eq!(message.references, ["ack-1@city.example", "plain-1@mail.example"]);
    assert_eq!(message.to, ["hotline+t20261122000017@city.example"]);
    let html = message.html.expect("html");
    assert!(
        html.contains("还是不亮")
            && !html.contains("script")
            && !html.contains("track.example")
            && !html.contains("onclick")
    );
}

#[test]
fn html_only_with_a_picture() {
    let message = message(&include_bytes!("../../fixtures/html-only.eml")[..]);
    assert_eq!(message.text, "Noise at night.\n\nEvery day\nuntil 3.");
    assert!(message.html.expect("html").contains("cid:photo1"));
    let [photo] = message.attachments.as_slice() else { panic!("one file, got {:?}", message.attachments) };
    assert_eq!((photo.name.as_str(), photo.media_type.as_str()), ("photo.png", "image/png"));
}

#[test]
fn files_without_a_word() {
    let message = message(&include_bytes!("../../fixtures/attachments-only.eml")[..]);
    // The mail that is attached is all there is to read.
    assert_eq!(message.text, "pothole\n\nDeep one.");
    let files: Vec<_> = message.attachments.iter().map(|file| (file.name.as_str(), file.media_type.as_str())).collect();
    assert_eq!(
        files,
        [
            ("坑洼照片.pdf", "application/pdf"),
            ("pothole.eml", "message/rfc822"),
            ("winmail.dat", "application/ms-tnef"),
            ("text.ics", "text/calendar"),
        ]
    );
    assert_eq!(
        message.attachments.first().map(|file| &file.content),
        Some(&AttachmentContent::Inline(Bytes::from_static(b"%PDF-1.4\n")))
    );
    let AttachmentContent::Inline(forwarded) = &message.attachments.get(1).expect("the forwarded mail").content else {
        panic!("inline")
    };
    assert!(forwarded.starts_with(b"From: neighbour@mail.example"), "{forwarded:?}");
}

#[test]
fn character_sets_in_body_subject_name_and_file_name() {
    const CHINESE: &str = "幸福路三号门口的路灯坏了两个星期，请尽快派人维修，谢谢。";
    const JAPANESE: &str = "家の前の街灯が壊れています。早めに修理をお願いします。";
    const TRADITIONAL: &str = "我們社區門口的垃圾已經堆積多日，味道很重，請儘快派人清運，謝謝。";
    let table: &[(&'static Encoding, &str, &str)] = &[
        (GBK, "gb2312", CHINESE),
        (GBK, "GBK", CHINESE),
        (GB18030, "gb18030", "生僻字㐂𠮷也要看得见"),
        (BIG5, "big5", TRADITIONAL),
        (ISO_2022_JP, "iso-2022-jp", JAPANESE),
    ];
    for (encoding, label, text) in table {
        let (bytes, ..) = encoding.encode(text);
        let word = |text: &str| format!("=?{label}?B?{}?=", base64(&encoding.encode(text).0));
        let name: String = text.chars().take(3).collect();
        let head = format!(
            "From: {} <z@mail.example>\r\nSubject: {}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
             --b\r\nContent-Type: text/plain; charset={label}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
            word(&name),
            word(text)
        );
        let tail = format!(
            "\r\n--b\r\nContent-Type: application/octet-stream; name=\"{}\"\r\nContent-Disposition: attachment\r\n\r\nx\r\n--b--\r\n",
            word(&format!("{name}.jpg"))
        );
        let raw = [head.as_bytes(), &bytes, tail.as_bytes()].concat();
        let message = message(raw);
        assert_eq!(message.text, *text, "{label}");
        assert_eq!(message.subject.as_deref(), Some(*text), "{label}");
        assert_eq!(message.name.as_deref(), Some(name.as_str()), "{label}");
        assert_eq!(message.attachments.first().map(|file| file.name.clone()), Some(format!("{name}.jpg")), "{label}");
    }
}

#[test]
fn headers_and_words_that_break_the_rules() {
    // Raw GBK in the header, as old Chinese mailers send it.
    let raw = [
        "Subject: ",
        "幸福路的路灯坏了",
        "\r\nFrom: \"",
        "张伟",
        "\" <z@mail.example>\r\nContent-Type: text/plain; charset=gbk\r\n\r\n",
        "请派人维修",
    ]
    .iter()
    .flat_map(|text| GBK.encode(text).0.into_owned())
    .collect::<Vec<u8>>();
    let message = crate::harness::message(raw);
    assert_eq!(
        (message.subject.as_deref(), message.name.as_deref(), message.text.as_str()),
        (Some("幸福路的路灯坏了"), Some("张伟"), "请派人维修")
    );
    // One character split between two encoded words.
    let (bytes, ..) = GBK.encode("路灯不亮");
    let (one, two) = bytes.split_at(3);
    let subject = format!("Subject: =?gb2312?B?{}?=\r\n =?gb2312?B?{}?=\r\n", base64(one), base64(two));
    let message = crate::harness::message(format!("From: z@mail.example\r\n{subject}\r\ntext\r\n"));
    assert_eq!(message.subject.as_deref(), Some("路灯不亮"));
    // UTF-8 that calls itself GBK.
    let subject = format!("Subject: =?gbk?B?{}?=\r\n", base64("坏了一盏路灯，请修".as_bytes()));
    let message = crate::harness::message(format!("From: z@mail.example\r\n{subject}\r\ntext\r\n"));
    assert_eq!(message.subject.as_deref(), Some("坏了一盏路灯，请修"));
}

#[test]
fn a_forward_keeps_its_content() {
    let text = "请看下面\r\n\r\n-----原始邮件-----\r\n发件人: 邻居\r\n主题: 噪音\r\n\r\n每天夜里施工";
    let message =
        message(mail("References: <x@mail.example>\r\n", text).replace("Subject: lamp", "Subject: Fwd: noise"));
    assert!(message.text.contains("每天夜里施工") && message.quoted.is_none());
}

#[test]
fn who_may_post() {
    let channel = channel();
    let body = mail("", "lamp");
    for (token, fits) in
        [(Some(TOKEN), true), (Some("0123456789abcdef0123456789abcdeX"), false), (Some(""), false), (None, false)]
    {
        let receipt = channel.receive(&posted(body.clone(), token));
        assert_eq!(matches!(receipt, Receipt::Verified(_)), fits, "{token:?}");
        assert_eq!(receipt == Receipt::Unauthorized, !fits, "{token:?}");
    }
    let closed = channel_with(|settings| settings.token = None);
    assert_eq!(closed.receive(&posted(body, Some(""))), Receipt::Unauthorized);
}

#[test]
fn what_is_no_mail_goes_to_quarantine() {
    for body in ["", "\r\n\r\n", "From: a@mail.example\r\n\r\n", "no header at all"] {
        let receipt = channel().receive(&piped(body));
        assert!(
            matches!(receipt, Receipt::Quarantine { reason: QuarantineReason::Unparsable, .. }),
            "{body:?}: {receipt:?}"
        );
    }
}

#[test]
fn identity() {
    let channel = channel();
    let of = |body: String| item(&channel, &piped(body));
    let one = of(mail("", "lamp"));
    let traced = of(format!("Received: from a by b; Sun, 22 Nov 2026 09:00:00 +0000\r\n{}", mail("", "lamp")));
    assert_eq!((&one.key, one.digest), (&traced.key, traced.digest), "the way it took is no part of a mail");
    assert!(one.key.starts_with("a@mail.example:"));
    assert_ne!(one.key, of(mail("", "another lamp")).key, "an id used again for another text");
    assert_ne!(one.key, of(mail("From: other@mail.example\r\n", "lamp")).key);
    let without_id = of(mail("", "lamp").replace("Message-ID: <a@mail.example>\r\n", ""));
    assert_eq!(without_id.key.len(), 32);
}

#[test]
fn the_envelope_adds_recipients() {
    let request = with_header(piped(mail("", "lamp")), "x-envelope-to", "hotline+t1@city.example");
    let channel_contract::Content::Message(message) = item(&channel(), &request).content else { panic!("a message") };
    assert_eq!(message.to, ["hotline@city.example", "hotline+t1@city.example"]);
}

#[test]
fn hostile_nesting_is_survived() {
    for level in [
        "Content-Type: message/rfc822\r\n\r\n",
        "Content-Type: (x)message/rfc822\r\n\r\n",
        "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n",
    ] {
        let nested = format!("From: a@mail.example\r\nSubject: nested\r\n{}text", level.repeat(20_000));
        let receipt = channel().receive(&piped(nested.clone()));
        assert!(matches!(receipt, Receipt::Verified(_)), "{level:?}");
        let encoded = format!(
            "From: a@mail.example\r\nSubject: encoded\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            base64(nested.as_bytes())
        );
        let receipt = channel().receive(&piped(encoded));
        assert!(matches!(receipt, Receipt::Verified(_)), "{level:?} encoded");
    }
}

#[test]
fn a_file_above_the_limit_is_refused_and_the_mail_is_not() {
    let channel = channel_with(|settings| settings.max_attachment_bytes = 4);
    let request = piped(&include_bytes!("../../fixtures/html-only.eml")[..]);
    let channel_contract::Content::Message(message) = item(&channel, &request).content else { panic!("a message") };
    assert!(message.text.starts_with("Noise"));
    let content = message.attachments.first().map(|file| &file.content);
    assert!(matches!(content, Some(AttachmentContent::Remote { size: Some(size), .. }) if *size > 4), "{content:?}");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn an_alternative_without_words_gives_way_to_the_html() {
    for empty in ["", "\u{a0}", " \r\n\u{200b}"] {
        let body = format!(
            "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{empty}\r\n--b\r\n\
             Content-Type: text/html; charset=utf-8\r\n\r\n<p>路灯坏了</p>\r\n--b--"
        );
        let message = message(mail("Content-Type: multipart/alternative; boundary=b\r\n", &body));
        assert_eq!(message.text, "路灯坏了", "{empty:?}");
    }
}

#[test]
fn kinds_of_text_that_are_not_known_are_shown() {
    for kind in ["text/markdown", "text/enriched", "text/calendar; method=REQUEST"] {
        let message = message(mail(&format!("Content-Type: {kind}; charset=utf-8\r\n"), "路灯坏了"));
        assert_eq!((message.text.trim(), message.attachments.len()), ("路灯坏了", 1), "{kind}");
    }
}

#[test]
fn forwarded_mails_are_read_where_nothing_else_is_said() {
    let inner = |subject: &str, text: &str| {
        format!("Content-Type: message/rfc822\r\n\r\nFrom: li@example.org\r\nSubject: {subject}\r\n\r\n{text}")
    };
    let one = format!("--b\r\n{}\r\n--b--", inner("lamp", "The lamp is broken."));
    let forward = message(mail("Content-Type: multipart/mixed; boundary=b\r\n", &one));
    assert_eq!(forward.text, "lamp\n\nThe lamp is broken.");
    assert_eq!(forward.attachments.len(), 1);
    let said = format!("--b\r\n\r\nSee below.\r\n{one}");
    assert_eq!(message(mail("Content-Type: multipart/mixed; boundary=b\r\n", &said)).text.trim(), "See below.");
    let digest = "--b\r\n\r\nFrom: li@example.org\r\nSubject: one\r\n\r\nx\r\n--b\r\n\r\nFrom: li@example.org\r\nSubject: two\r\n\r\ny\r\n--b--";
    assert_eq!(message(mail("Content-Type: multipart/digest; boundary=b\r\n", digest)).text, "one\n\nx\n\ntwo\n\ny");
}

#[test]
fn scanners_without_id_and_date_are_told_apart_by_subject() {
    let channel = channel();
    let page = |subject: &str, more: &str| {
        item(&channel, &piped(format!("From: scan@mail.example\r\nSubject: {subject}\r\n{more}\r\nSee attached")))
    };
    assert_ne!(page("page 1", "").key, page("page 2", "").key);
    let date = "Date: Sun, 22 Nov 2026 08:59:00 +0000\r\n";
    assert_eq!(page("page 1", date).key, page("page 2", date).key);
}

#[test]
fn words_that_were_broken_for_the_line_are_joined() {
    let flowed = |delsp: &str| {
        let kind = format!("Content-Type: text/plain; charset=utf-8; format=flowed{delsp}\r\n");
        message(mail(&kind, "幸福路五号的 \r\n路灯坏了\r\n> a \r\n> b\r\n-- \r\nLi")).text
    };
    assert_eq!(flowed("; delsp=yes").trim(), "幸福路五号的路灯坏了\n> ab\n-- \nLi");
    assert!(flowed("").contains("幸福路五号的 \n路灯坏了"));
}

#[test]
fn a_mail_too_large_for_the_pipe_comes_as_its_header() {
    let whole = with_header(piped(mail("", "x")), "x-message-size", "12");
    assert!(matches!(item(&channel(), &whole).content, Content::Message(message) if message.attachments.is_empty()));
    let header =
        with_header(piped(mail("Content-Type: multipart/mixed; boundary=b\r\n", "")), "x-message-size", "90000000");
    let Content::Message(message) = item(&channel(), &header).content else { panic!("no message") };
    let [file] = message.attachments.as_slice() else { panic!("{:?}", message.attachments) };
    assert!(matches!(file.content, AttachmentContent::Remote { size: Some(90_000_000), .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        let _ = channel().receive(&piped(bytes));
    }

    #[test]
    fn random_mails_never_panic(
        lines in proptest::collection::vec("(Content-Type: (text/plain|text/html|multipart/mixed|message/rfc822|message/delivery-status)(; (boundary|charset|name)=[a-z0-9\"=?_-]{0,8})?|Content-Transfer-Encoding: (base64|quoted-printable|8bit)|From: .{0,30}|Subject: (=\\?gbk\\?[BQ]\\?)?.{0,30}(\\?=)?|--[a-z0-9]{0,4}(--)?||.{0,60})", 0..40)
    ) {
        let _ = channel().receive(&piped(lines.join("\r\n")));
    }
}
