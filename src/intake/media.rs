//! Files on their way in: on disk before the commit that names them. A file may be refused, a message never is for its files.

use channel_contract::{Attachment, AttachmentContent};

use super::File;
use crate::hub::Hub;
use crate::store::Error;

/// Puts inline files on disk and notes those that the provider holds.
pub(super) async fn store(hub: &Hub, attachments: Vec<Attachment>) -> Result<Vec<File>, Error> {
    let mut files = Vec::with_capacity(attachments.len());
    for attachment in attachments {
        let name = clean_name(&attachment.name);
        files.push(match attachment.content {
            AttachmentContent::Remote { source, size } => File {
                name,
                media_type: attachment.media_type,
                size: size.and_then(|size| i64::try_from(size).ok()),
                sha256: None,
                state: "pending",
                source: Some(source),
                reason: None,
            },
            AttachmentContent::Inline(bytes) => {
                let media_type = sniff(&bytes, &attachment.media_type);
                let size = i64::try_from(bytes.len()).ok();
                match refusal(hub, bytes.len() as u64, &media_type) {
                    Some(reason) => File {
                        name,
                        media_type,
                        size,
                        sha256: None,
                        state: "refused",
                        source: None,
                        reason: Some(reason),
                    },
                    None => {
                        let sha256 = hub
                            .objects
                            .put(bytes)
                            .await
                            .map_err(|error| Error::Unavailable(format!("objects: {error}")))?;
                        File {
                            name,
                            media_type,
                            size,
                            sha256: Some(sha256),
                            state: "stored",
                            source: None,
                            reason: None,
                        }
                    }
                }
            }
        });
    }
    Ok(files)
}

/// Why a file is not kept, if so.
pub(crate) fn refusal(hub: &Hub, size: u64, media_type: &str) -> Option<String> {
    let storage = &hub.config.storage;
    if size > storage.max_attachment_bytes {
        return Some(format!("larger than {} bytes", storage.max_attachment_bytes));
    }
    (!storage.allows(media_type)).then(|| format!("files of type {media_type} are not taken"))
}

/// The media type by the bytes where they tell, otherwise as declared.
pub(crate) fn sniff(bytes: &[u8], declared: &str) -> String {
    let declared = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match infer::get(bytes) {
        Some(kind) => kind.mime_type().to_owned(),
        None if declared.is_empty() => "application/octet-stream".to_owned(),
        None => declared,
    }
}

/// A file name without folders and control characters, at most 120 characters.
pub(crate) fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|letter| !letter.is_control()).take(120).collect();
    if clean.trim().is_empty() { "file".to_owned() } else { clean }
}
