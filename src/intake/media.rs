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
                let media_type = media_type(&name, &attachment.media_type, &bytes);
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

/// The media type of a file: as declared, unless that says nothing, the bytes are a program or a picture or PDF of another
/// kind, or the declaration cannot be meant of them at all.
///
/// A short signature is no proof: a text may begin with `MZ` or `BMW`. A container (zip, OLE) is what most office formats are
/// made of, so that it speaks against none of them.
pub(crate) fn media_type(name: &str, declared: &str, bytes: &[u8]) -> String {
    let declared = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let readable = readable(bytes);
    let found = infer::get(bytes).map(|kind| kind.mime_type()).filter(|found| signed(found, bytes, readable));
    let by_name = by_name(name);
    match found {
        Some(found) if PROGRAMS.contains(&found) => found.to_owned(),
        Some(found) if says_nothing(&declared) => {
            by_name.filter(|named| CONTAINERS.contains(&found) && is_office(named)).unwrap_or(found).to_owned()
        }
        None if says_nothing(&declared) => match by_name {
            Some(named) if readable && named.starts_with("text/") => named.to_owned(),
            _ if declared.is_empty() => "application/octet-stream".to_owned(),
            _ => declared,
        },
        Some(found) if contradicts(found, &declared, readable) => found.to_owned(),
        _ => declared,
    }
}

/// What is run when it is opened.
const PROGRAMS: [&str; 13] = [
    "application/java",
    "application/vnd.android.dex",
    "application/vnd.android.dey",
    "application/vnd.debian.binary-package",
    "application/vnd.microsoft.portable-executable",
    "application/wasm",
    "application/x-executable",
    "application/x-google-chrome-extension",
    "application/x-llvm",
    "application/x-mach-binary",
    "application/x-rpm",
    "application/x-shockwave-flash",
    "text/x-shellscript",
];

const CONTAINERS: [&str; 2] = ["application/zip", "application/x-ole-storage"];

/// Whether a type that was found by its signature is to be believed.
fn signed(found: &str, bytes: &[u8], readable: bool) -> bool {
    match found {
        // An interpreter is named by its path; `#!AMR` begins a recording.
        "text/x-shellscript" => bytes.starts_with(b"#!/") || bytes.starts_with(b"#! /"),
        // Every DER structure begins so, signatures too.
        "application/x-x509-ca-cert" => false,
        "application/pdf" | "application/rtf" | "text/html" | "text/xml" => true,
        _ => !readable,
    }
}

/// Whether bytes are text: no control characters, or UTF-16 that says so.
fn readable(bytes: &[u8]) -> bool {
    let control = |byte: &u8| *byte < 0x20 && !matches!(*byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) || !bytes.iter().any(control)
}

/// Declarations of mailers and providers that do not know.
fn says_nothing(declared: &str) -> bool {
    matches!(
        declared,
        "" | "application/octet-stream"
            | "binary/octet-stream"
            | "application/binary"
            | "application/unknown"
            | "application/x-unknown"
            | "application/x-download"
            | "application/force-download"
            | "*/*"
    )
}

/// Whether a type that was found proves the declared one wrong.
fn contradicts(found: &str, declared: &str, readable: bool) -> bool {
    let family = declared.split('/').next().unwrap_or_default();
    let media = matches!(family, "image" | "audio" | "video");
    match found {
        // The brands of one format.
        "image/heif" if declared == "image/heic" => false,
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "image/heif" | "application/pdf" => found != declared,
        "text/html" | "text/xml" => {
            media && !declared.ends_with("+xml") || is_office(declared) || declared == "application/pdf"
        }
        _ if found.starts_with("audio/") || found.starts_with("video/") || found.starts_with("image/") => {
            family == "text" && !readable
        }
        _ if is_office(found) || CONTAINERS.contains(&found) => {
            media || family == "text" || matches!(declared, "application/pdf" | "application/rtf")
        }
        _ => family == "text" && !readable || media || is_office(declared) || declared == "application/pdf",
    }
}

/// Formats that are made of a zip or an OLE container; with a password one kind is put into the other.
fn is_office(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.openxmlformats-officedocument.")
        || media_type.starts_with("application/vnd.oasis.opendocument.")
        || media_type.starts_with("application/vnd.ms-")
        || matches!(media_type, "application/msword" | "application/epub+zip")
}

/// What the ending of a file's name says, for what neither its declaration nor its bytes tell.
fn by_name(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "doc" | "wps" => "application/msword",
        "xls" | "et" => "application/vnd.ms-excel",
        "ppt" | "dps" => "application/vnd.ms-powerpoint",
        "odt" => "application/vnd.oasis.opendocument.text",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "odp" => "application/vnd.oasis.opendocument.presentation",
        "txt" | "log" => "text/plain",
        "csv" => "text/csv",
        _ => return None,
    })
}

/// A file name without folders and control characters, at most 120 characters.
pub(crate) fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|letter| !letter.is_control()).take(120).collect();
    if clean.trim().is_empty() { "file".to_owned() } else { clean }
}

#[cfg(test)]
mod tests {
    use super::media_type;

    const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\x08\0\0\0!\0";
    const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0\0\0\0\0";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const EXE: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff";
    const ELF: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0>\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    #[test]
    fn declared_types_stand_unless_the_bytes_say_something_that_matters() {
        for (name, declared, bytes, kept) in [
            // A container is what it is declared to be.
            ("a.docx", DOCX, ZIP, DOCX),
            ("a.docx", "application/octet-stream", ZIP, DOCX),
            ("a.docx", DOCX, OLE, DOCX),
            ("a.xls", "application/vnd.ms-excel; name=a.xls", OLE, "application/vnd.ms-excel"),
            ("a.zip", "application/zip", ZIP, "application/zip"),
            ("a.zip", "application/octet-stream", ZIP, "application/zip"),
            ("a.jpg", "image/jpeg", ZIP, "application/zip"),
            ("a.rtf", "application/rtf", ZIP, "application/zip"),
            // A short signature proves nothing.
            ("smime.p7s", "application/pkcs7-signature", b"0\x82\x01\x02\x06\x09", "application/pkcs7-signature"),
            (
                "signature.asc",
                "application/pgp-signature",
                b"-----BEGIN PGP SIGNATURE-----\n",
                "application/pgp-signature",
            ),
            ("a.txt", "text/plain", b"BMW steht im Weg", "text/plain"),
            ("a.txt", "text/plain", b"MZ is a name", "text/plain"),
            ("a.txt", "text/plain", b"ID3 tag", "text/plain"),
            ("a.txt", "text/plain", b"<html>hello", "text/plain"),
            ("a.txt", "text/plain; charset=utf-16", b"\xff\xfeh\0e\0", "text/plain"),
            ("a.amr", "audio/amr", b"#!AMR\n\x0c\0", "audio/amr"),
            ("a.rtf", "text/rtf", b"{\\rtf1 }", "text/rtf"),
            ("a.wav", "audio/wav", b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
            ("a.csv", "application/octet-stream", b"a,b\n1,2\n", "text/csv"),
            ("a.bin", "application/octet-stream", b"\0\x01\x02", "application/octet-stream"),
            ("a", "", b"\0\x01\x02", "application/octet-stream"),
            // Pictures, PDF and programs are what they are.
            ("a.jpg", "image/jpeg", PNG, "image/png"),
            ("a.png", "application/octet-stream", PNG, "image/png"),
            ("a.txt", "text/plain", PNG, "image/png"),
            ("a.jpg", "image/jpeg", b"%PDF-1.4", "application/pdf"),
            ("a.jpg", "image/jpeg", EXE, "application/vnd.microsoft.portable-executable"),
            ("a.pdf", "application/pdf", ELF, "application/x-executable"),
            ("a.txt", "text/plain", b"#!/bin/sh\nrm -r /\n", "text/x-shellscript"),
            ("a.png", "image/png", b"<html><script>", "text/html"),
        ] {
            assert_eq!(media_type(name, declared, bytes), kept, "{name} as {declared}");
        }
    }
}
