//! E-mail by IMAP, raw HTTP and pipe, out by SMTP.
