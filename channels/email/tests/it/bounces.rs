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
