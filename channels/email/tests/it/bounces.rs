//! Reports that come as mail.

use channel_contract::{Content, ControlKind, Report, ReportStatus, ReportSubject};

use crate::harness::{channel, item, mail, piped, with_header};

fn report(body: &str) -> Report {
    match item(&channel(), &piped(body.to_owned())).content {
        Content::Report(report) => report,
        other => panic!("expected a report, got {other:?}"),
    }
}

#[test]
fn standard_and_other_reports() {
    for (body, id, status, error) in [
        (
            include_str!("../../fixtures/bounce-failed.eml"),
            "answer-17@city.example",
            ReportStatus::Failed,
            Some("5.1.1"),
        ),
        (include_str!("../../fixtures/bounce-delayed.eml"), "answer-17@city.example", ReportStatus::Underway, None),
        (
            include_str!("../../fixtures/bounce-plain.eml"),
            "answer-18@city.example",
            ReportStatus::Failed,
            Some("5.2.2"),
        ),
        (include_str!("../../fixtures/receipt.eml"), "answer-19@city.example", ReportStatus::Delivered, None),
    ] {
        let report = report(body);
        assert_eq!(report.subject, ReportSubject::ProviderId(id.to_owned()));
        assert_eq!((report.status, report.error.as_deref()), (status, error), "{id}");
    }
}

#[test]
fn a_report_that_names_no_mail_is_only_recorded() {
    let nameless =
        include_str!("../../fixtures/bounce-failed.eml").replace("Message-ID: <answer-17@city.example>\n", "");
    let Content::Control(control) = item(&channel(), &piped(nameless)).content else { panic!("a control") };
    assert_eq!(control.kind, ControlKind::Ignored);
}

#[test]
fn a_citizen_who_writes_about_undelivered_mail_is_no_bounce() {
    let text = "undelivered mail: the postman does not come\r\n\r\nMessage-ID: <answer-17@city.example>";
    let content = item(&channel(), &piped(mail("", text))).content;
    assert!(matches!(content, Content::Message(_)), "{content:?}");
    let bounced = with_header(piped(mail("", text)), "x-envelope-from", "");
    let content = item(&channel(), &bounced).content;
    assert!(matches!(content, Content::Report(_)), "{content:?}");
}

/// A mail of a mail system, with these header lines and this body.
fn from_system(subject: &str, headers: &str, body: &str) -> String {
    format!(
        "Return-Path: <>\r\nFrom: PostMaster@mail.example\r\nTo: hotline@city.example\r\nSubject: {subject}\r\n\
         Date: Sun, 22 Nov 2026 08:59:00 +0000\r\nMessage-ID: <bounce-9@mail.example>\r\nMIME-Version: 1.0\r\n{headers}\r\n{body}\r\n"
    )
}

const RETURNED: &str = "=?utf-8?B?6YCA5L+h6YCa55+l?=";

#[test]
fn a_bounce_that_only_answers_our_mail() {
    let mail = from_system(
        RETURNED,
        "In-Reply-To: <answer-17@city.example>\r\nContent-Type: text/html; charset=utf-8\r\n",
        "<p>抱歉，您的邮件被退回来了。550 Mailbox not found</p>",
    );
    let report = report(&mail);
    assert_eq!(report.subject, ReportSubject::ProviderId("answer-17@city.example".to_owned()));
    assert_eq!((report.status, report.error.as_deref()), (ReportStatus::Failed, Some("550")));
}

#[test]
fn a_bounce_with_our_mail_as_a_nameless_file() {
    let mail = from_system(
        RETURNED,
        "Content-Type: multipart/mixed; boundary=b\r\n",
        "--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>您的邮件被退回</p>\r\n--b\r\n\
         Content-Type: application/octet-stream; name=\"original.eml\"\r\n\
         Content-Disposition: attachment; filename=\"original.eml\"\r\n\r\n\
         From: hotline@city.example\r\nMessage-ID: <answer-18@city.example>\r\n\r\ntext\r\n--b--",
    );
    assert_eq!(report(&mail).subject, ReportSubject::ProviderId("answer-18@city.example".to_owned()));
}

#[test]
fn a_bounce_that_names_no_mail_is_no_appeal() {
    let mail = from_system(RETURNED, "Content-Type: text/plain; charset=utf-8\r\n", "抱歉，您的邮件被退回来了。");
    let content = item(&channel(), &piped(mail)).content;
    assert!(matches!(&content, Content::Control(control) if control.kind == ControlKind::Ignored), "{content:?}");
}

#[test]
fn a_reply_from_the_null_sender_stays_a_message() {
    let headers = "In-Reply-To: <answer-17@city.example>\r\nContent-Type: text/plain; charset=utf-8\r\n";
    let bounced = with_header(piped(mail(headers, "快递未送达，请帮忙查一下。")), "x-envelope-from", "");
    let content = item(&channel(), &bounced).content;
    assert!(matches!(content, Content::Message(_)), "{content:?}");
}

#[test]
fn of_two_recipients_the_failed_one_gives_the_code() {
    for between in ["\r\n", ""] {
        let mail = from_system(
            "Undelivered",
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n",
            &format!(
                "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
                 Reporting-MTA: dns; mx.example\r\n\r\n\
                 Final-Recipient: rfc822; a@mail.example\r\nAction: delivered\r\nStatus: 2.0.0\r\n{between}\
                 Final-Recipient: rfc822; b@mail.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\n\
                 Content-Type: message/rfc822\r\n\r\nMessage-ID: <answer-19@city.example>\r\n\r\ntext\r\n--b--"
            ),
        );
        let report = report(&mail);
        assert_eq!((report.status, report.error.as_deref()), (ReportStatus::Failed, Some("5.1.1")));
    }
}
