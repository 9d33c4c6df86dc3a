//! When no machine may answer.

use channel_contract::Content;

use crate::harness::{channel_with, item, mail, piped, with_header};

fn reason(headers: &str, request_headers: &[(&str, &str)]) -> Option<String> {
    let channel = channel_with(|settings| {
        settings.own_addresses = vec!["desk@city.example".to_owned()];
        settings.trusted_authserv_id = Some("mx.city.example".to_owned());
    });
    let request = request_headers
        .iter()
        .fold(piped(mail(headers, "lamp")), |request, (name, value)| with_header(request, name, value));
    match item(&channel, &request).content {
        Content::Message(message) => message.no_acknowledgement,
        other => panic!("expected a message, got {other:?}"),
    }
}

#[test]
fn header_fields() {
    for (headers, expected) in [
        ("", None),
        ("Auto-Submitted: no\r\n", None),
        ("Precedence: first-class\r\n", None),
        ("Auto-Submitted: auto-replied\r\n", Some("auto_submitted")),
        ("Auto-Submitted: auto-generated; x=y\r\n", Some("auto_submitted")),
        ("X-Autoreply: yes\r\n", Some("auto_submitted")),
        ("X-Mail-Autoreply: 1\r\n", Some("auto_submitted")),
        ("X-AUTOREPLY-FROM: li@mail.example\r\n", Some("auto_submitted")),
        ("X-Autoresponse: yes\r\n", Some("auto_submitted")),
        ("Subject: =?utf-8?B?6Ieq5Yqo5Zue5aSNOiDmgqjnmoTor4nmsYI=?=\r\n", Some("auto_submitted")),
        ("Auto-Submitted: (by hand) no\r\n", None),
        ("X-Auto-Response-Suppress: DR, OOF, AutoReply\r\n", Some("suppressed")),
        ("X-Auto-Response-Suppress: All\r\n", Some("suppressed")),
        ("X-Auto-Response-Suppress: DR\r\n", None),
        ("Precedence: bulk\r\n", Some("precedence")),
        ("Precedence: Junk\r\n", Some("precedence")),
        ("Precedence: junk (away)\r\n", Some("precedence")),
        ("X-Mailing-List: <news@news.example>\r\n", Some("list")),
        ("List-Id: news <news.example>\r\n", Some("list")),
        ("List-Unsubscribe: <mailto:x@news.example>\r\n", Some("list")),
        ("From: hotline+t1@city.example\r\n", Some("own_address")),
        ("From: Desk@City.example\r\n", Some("own_address")),
        ("From: MAILER-DAEMON@mail.example\r\n", Some("mailer_daemon")),
        ("From: nobody\r\n", Some("no_sender")),
        ("Return-Path: <>\r\n", Some("null_sender")),
        (
            "Authentication-Results: mx.city.example; spf=pass; dmarc=fail (p=reject) header.from=mail.example\r\n",
            Some("dmarc_fail"),
        ),
        (
            "Authentication-Results: mx.city.example; dmarc=pass\r\nAuthentication-Results: mx.city.example; dmarc=fail\r\n",
            None,
        ),
        ("Authentication-Results: elsewhere.example; dmarc=fail\r\n", None),
        ("Authentication-Results: mx.city.example; spf=pass (dmarc=fail); dmarc=pass\r\n", None),
        ("Date: Sat, 21 Nov 2026 08:59:00 +0000\r\n", Some("old_mail")),
        ("Date: Sat, 21 Nov 2026 09:01:00 +0000\r\n", None),
        ("Date: Mon, 23 Nov 2026 08:59:00 +0000\r\n", None),
    ] {
        assert_eq!(reason(headers, &[]).as_deref(), expected, "{headers:?}");
    }
}

#[test]
fn the_envelope_and_the_mailbox() {
    for (headers, expected) in [
        (&[("x-envelope-from", "")][..], Some("null_sender")),
        (&[("x-envelope-from", "<>")], Some("null_sender")),
        (&[("x-envelope-from", "zhang.wei@mail.example")], None),
        (&[("yingda-refetched", "1")], Some("refetched")),
        (&[("yingda-arrived", "2026-11-20T00:00:00+00:00")], Some("old_mail")),
        (&[("yingda-arrived", "2026-11-22T08:59:30+00:00")], None),
    ] {
        assert_eq!(reason("", headers).as_deref(), expected, "{headers:?}");
    }
}
