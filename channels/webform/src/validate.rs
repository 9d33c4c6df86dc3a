//! Judging what was typed in: a message, or the fields that have to change.

use channel_contract::{Attachment, AttachmentContent, CitizenKind, Form, Medium, Message};

use crate::address;
use crate::{FormInput, Settings};

/// A field that has to change before the form can be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name in the form.
    pub field: &'static str,
    /// Key of the message in the catalogue of the pages (`error.{key}`).
    pub key: &'static str,
    /// Variables of that message.
    pub values: Vec<(&'static str, String)>,
}

impl FieldError {
    fn new(field: &'static str, key: &'static str) -> Self {
        Self { field, key, values: Vec::new() }
    }

    fn limit(field: &'static str, key: &'static str, limit: usize) -> Self {
        Self { field, key, values: vec![("limit", limit.to_string())] }
    }
}

/// Makes a message of the form. `received_at` is in seconds since 1970 and only judges how fast it was filled in.
///
/// An address that was typed in is brought to its canonical form (E.164, lower-case domain); nothing of it is
/// confirmed. What looks like spam is only marked.
///
/// # Errors
/// Every field that has to change, in the order of the page.
pub fn validate(input: &FormInput, settings: &Settings, received_at: i64) -> Result<Message, Vec<FieldError>> {
    let mut errors = Vec::new();
    let longer = |text: &str, limit: usize| text.chars().nth(limit).is_some();
    if channel_contract::is_blank(&input.text) {
        errors.push(FieldError::new("text", "text_empty"));
    } else if longer(&input.text, settings.max_text_chars) {
        errors.push(FieldError::limit("text", "text_long", settings.max_text_chars));
    }
    if longer(&input.place, settings.max_place_chars) {
        errors.push(FieldError::limit("place", "place_long", settings.max_place_chars));
    }
    if longer(&input.street, settings.max_place_chars) {
        errors.push(FieldError::limit("place", "place_long", settings.max_place_chars));
    }
    photos(input, settings, &mut errors);
    if longer(&input.name, settings.max_name_chars) {
        errors.push(FieldError::limit("name", "name_long", settings.max_name_chars));
    }
    let answer = answer(input, settings, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }

    let attachments = input
        .photos
        .iter()
        .map(|photo| Attachment {
            name: if photo.name.is_empty() { photo.media_type.replace('/', ".") } else { photo.name.clone() },
            media_type: photo.media_type.clone(),
            content: AttachmentContent::Inline(photo.bytes.clone()),
        })
        .collect();
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let too_fast = input.token_issued_at().is_some_and(|issued| received_at - issued < settings.spam_min_seconds);
    // Browsers fill in forms by themselves and people paste; speed is a hint only where something is advertised.
    let suspected_spam =
        !input.website.is_empty() || (too_fast && input.links() > 0) || input.links() > settings.spam_max_links;
    let (answer_channel, answer_address) = answer.unzip();
    Ok(Message {
        name: given(&input.name),
        text: input.text.clone(),
        attachments,
        language_hint: Some(input.other("language")).filter(|tag| language_tag(tag)).map(str::to_owned),
        form: Some(Form {
            item: given(&input.item),
            place: given(&input.place),
            street: given(&input.street),
            // A list offers no other word, and what is not said harms nobody.
            citizen_kind: CitizenKind::parse(&input.citizen_kind),
            confidential: input.confidential,
            answer_channel,
            answer_address,
            suspected_spam,
        }),
        ..Message::default()
    })
}

/// Whether it has the shape of a BCP 47 tag.
fn language_tag(tag: &str) -> bool {
    (2..=35).contains(&tag.len())
        && tag.split('-').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn photos(input: &FormInput, settings: &Settings, errors: &mut Vec<FieldError>) {
    if input.photos.len() > settings.max_photos {
        errors.push(FieldError::limit("photos", "photos_many", settings.max_photos));
    }
    for photo in &input.photos {
        let fault = if photo.bytes.len() > settings.max_photo_bytes {
            "photo_large"
        } else if !settings.photo_types.contains(&photo.media_type) {
            "photo_type"
        } else {
            continue;
        };
        let mut error = FieldError::limit("photos", fault, settings.max_photo_bytes / (1024 * 1024));
        error.values.push(("name", photo.name.clone()));
        errors.push(error);
    }
}

fn answer(input: &FormInput, settings: &Settings, errors: &mut Vec<FieldError>) -> Option<(Medium, String)> {
    if input.answer_channel.is_empty() || input.answer_channel == Medium::Webform.as_str() {
        if !input.answer_address.is_empty() {
            errors.push(FieldError::new("answer_channel", "answer_channel_missing"));
        }
        return None;
    }
    let Some(medium) = Medium::parse(&input.answer_channel).filter(|medium| settings.answer_channels.contains(medium))
    else {
        errors.push(FieldError::new("answer_channel", "answer_channel_unknown"));
        return None;
    };
    let (address, fault) = match medium {
        Medium::Email => (address::mailbox(&input.answer_address), "answer_address_email"),
        _ => (address::telephone(&input.answer_address, &settings.region), "answer_address_phone"),
    };
    if address.is_none() {
        errors.push(FieldError::new("answer_address", fault));
    }
    Some((medium, address?))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::Photo;

    fn photo(name: &str, media_type: &str, bytes: usize) -> Photo {
        Photo { name: name.to_owned(), media_type: media_type.to_owned(), bytes: Bytes::from(vec![0; bytes]) }
    }

    fn filled() -> FormInput {
        FormInput {
            text: "路灯不亮".to_owned(),
            place: "文昌路12号".to_owned(),
            street: "文昌路".to_owned(),
            citizen_kind: "enterprise".to_owned(),
            name: "李雷".to_owned(),
            confidential: true,
            answer_channel: "sms".to_owned(),
            answer_address: "138 0013 8000".to_owned(),
            photos: vec![photo("灯.jpg", "image/jpeg", 9), photo("", "image/png", 9)],
            form_token: "1000.r.c".to_owned(),
            others: vec![("language".to_owned(), "zh-Hans".to_owned())],
            ..FormInput::default()
        }
    }

    #[test]
    fn a_good_form_becomes_a_message() {
        let message = validate(&filled(), &Settings::default(), 1060).expect("a message");
        assert_eq!(message.from, "");
        assert_eq!(message.name.as_deref(), Some("李雷"));
        let names: Vec<_> = message.attachments.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["灯.jpg", "image.png"]);
        let form = message.form.expect("form fields");
        assert_eq!(
            form,
            Form {
                item: None,
                place: Some("文昌路12号".to_owned()),
                street: Some("文昌路".to_owned()),
                citizen_kind: Some(CitizenKind::Enterprise),
                confidential: true,
                answer_channel: Some(Medium::Sms),
                answer_address: Some("+8613800138000".to_owned()),
                suspected_spam: false,
            }
        );
        assert_eq!(message.language_hint.as_deref(), Some("zh-Hans"));
        let short = validate(&FormInput { text: "路".to_owned(), ..FormInput::default() }, &Settings::default(), 0);
        assert_eq!(short.expect("text is enough").form, Some(Form::default()));
    }

    #[test]
    fn what_has_to_change_is_named() {
        type Change = fn(&mut FormInput);
        let cases: &[(Change, &str, &str)] = &[
            (|form| form.text.clear(), "text", "text_empty"),
            (|form| form.text = "长".repeat(2001), "text", "text_long"),
            (|form| form.place = "长".repeat(201), "place", "place_long"),
            (|form| form.street = "长".repeat(201), "place", "place_long"),
            (|form| form.name = "长".repeat(61), "name", "name_long"),
            (|form| form.answer_address.clear(), "answer_address", "answer_address_phone"),
            (|form| form.answer_channel = "email".to_owned(), "answer_address", "answer_address_email"),
            (|form| form.answer_channel = "telegram".to_owned(), "answer_channel", "answer_channel_unknown"),
            (|form| form.answer_channel.clear(), "answer_channel", "answer_channel_missing"),
            (|form| form.photos = vec![photo("a.jpg", "image/jpeg", 1); 4], "photos", "photos_many"),
            (|form| form.photos = vec![photo("a.exe", "application/x-msdownload", 1)], "photos", "photo_type"),
            (|form| form.photos = vec![photo("a.jpg", "image/jpeg", 10 * 1024 * 1024 + 1)], "photos", "photo_large"),
        ];
        for (change, field, key) in cases {
            let mut input = filled();
            change(&mut input);
            let errors = validate(&input, &Settings::default(), 1060).expect_err(key);
            let found: Vec<_> = errors.iter().map(|error| (error.field, error.key)).collect();
            assert_eq!(found, [(*field, *key)]);
        }
        let fits = FormInput { text: "长".repeat(2000), ..filled() };
        assert!(validate(&fits, &Settings::default(), 1060).is_ok());
    }

    #[test]
    fn all_errors_come_at_once_in_the_order_of_the_page() {
        let input = FormInput {
            answer_channel: "email".to_owned(),
            answer_address: "li".to_owned(),
            photos: vec![photo("roof.jpg", "image/jpeg", 11 * 1024 * 1024)],
            ..FormInput::default()
        };
        let errors = validate(&input, &Settings::default(), 0).expect_err("three errors");
        let fields: Vec<_> = errors.iter().map(|error| error.field).collect();
        assert_eq!(fields, ["text", "photos", "answer_address"]);
        assert_eq!(errors[1].values, [("limit", "10".to_owned()), ("name", "roof.jpg".to_owned())]);
    }

    #[test]
    fn spam_is_only_marked() {
        let spam = |change: fn(&mut FormInput), at: i64| {
            let mut input = filled();
            change(&mut input);
            validate(&input, &Settings::default(), at).expect("a message").form.expect("form").suspected_spam
        };
        assert!(!spam(|form| form.text.push_str(" https://a.example"), 1002));
        assert!(spam(|form| form.text.push_str(" https://a.example"), 1001));
        assert!(!spam(|_| (), 1000));
        assert!(spam(|form| form.website = "x".to_owned(), 1060));
        assert!(spam(|form| form.text = "https://a.example ".repeat(4), 1060));
        assert!(!spam(|form| form.text = "https://a.example ".repeat(3), 1060));
        assert!(!spam(|form| form.form_token = "nonsense".to_owned(), 1060));
    }
}
