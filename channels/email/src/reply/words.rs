//! The words by which mailers mark what is not the writer's own: one table a kind, its rows by language.
//!
//! All are in the form of [`super::line::plain`]: lower case, plain spaces, hyphens, colons and digits.

/// What a line of a quoted header block says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Who wrote it.
    From,
    /// When it was sent.
    Date,
    /// To whom it went.
    To,
    /// Who had a copy.
    Cc,
    /// What it was about.
    Subject,
    /// Anything else that mailers repeat.
    Other,
}

/// Names of header fields as mailers translate them, each without its spaces.
pub(super) const HEADER_NAMES: &[(Role, &str)] = &[
    (
        Role::From,
        "from 发件人 發件人 寄件者 寄件人 自 von absender de expéditeur remitente da mittente van \
         afzender från fra od nadawca odesílatel lähettäjä feladó от від 差出人 送信者 보낸사람 보낸이 \
         من kimden gönderen từ dari από",
    ),
    (
        Role::Date,
        "date sent 发送时间 发件时间 發送時間 发送日期 寄件日期 日期 时间 時間 datum gesendet envoyé \
         enviado enviadoel enviadoem enviadaem datadeenvio envoyéle fecha data dataora inviato verzonden skickat sendt dato wysłano \
         odesláno lähetetty elküldve trimis отправлено дата надіслано 送信日時 日時 日付 보낸날짜 날짜 \
         تمالإرسال تاريخالإرسال التاريخ gönderildi gönderilmetarihi tarih ngày đãgửi dikirim tanggal \
         στάλθηκε",
    ),
    (
        Role::To,
        "to 收件人 收件者 至 an empfänger à para a aan till til do komu vastaanottaja címzett către кому \
         宛先 받는사람 إلى kime alıcı đến tới kepada προς",
    ),
    (Role::Cc, "cc 抄送 副本 kopie copie cópia kopia kopi копия копія 참조 نسخة dw"),
    (
        Role::Subject,
        "subject 主题 主題 主旨 标题 betreff objet asunto assunto oggetto onderwerp ämne emne temat \
         předmět predmet aihe tárgy subiect тема 件名 제목 الموضوع konu chủđề tiêuđề subjek perihal θέμα",
    ),
    (Role::Other, "importance reply-to attachments sender 优先级 重要性 附件 bcc 密送"),
];

/// What stands between dashes above a quoted mail, each without its spaces.
pub(super) const SEPARATOR_TITLES: &str = "original originalmessage originalappointment originalemail originale-mail replymessage \
     repliedmessage 原始邮件 原始信件 原始郵件 原始信息 原始訊息 邮件原件 邮件原文 郵件原文 原邮件 \
     原郵件 回复的原邮件 回复的邮件 回覆的原郵件 ursprünglichenachricht ursprünglichemail \
     originalnachricht original-nachricht messaged'origine messageoriginal mensajeoriginal \
     mensagemoriginal messaggiooriginale oorspronkelijkbericht oprindeligmeddelelse \
     ursprungligtmeddelande opprinneligmelding wiadomośćoryginalna oryginalnawiadomość původnízpráva \
     alkuperäinenviesti eredetiüzenet mesajoriginal 元のメッセージ 元のメール 원본메시지 원본메일 \
     исходноесообщение оригинальноесообщение orijinalileti orijinalmesaj thưgốc الرسالةالأصلية";

/// What stands above a mail that is passed on, each without its spaces and dashes.
pub(super) const FORWARD_TITLES: &str = "forwardedmessage forwardmessage forwardedby forwardedmail beginforwardedmessage 转发的邮件 转发邮件 \
     转发的消息 转发信息 轉寄的郵件 轉寄郵件 轉發的郵件 開始轉寄郵件 开始转发邮件 下面是被转发的邮件 \
     以下是轉寄的郵件 weitergeleitetenachricht anfangderweitergeleitetennachricht messagetransféré \
     débutdumessagetransféré débutdumessageréexpédié mensajereenviado iniciodelmensajereenviado \
     mensagemencaminhada iníciodamensagemreencaminhada messaggioinoltrato iniziomessaggioinoltrato \
     doorgestuurdbericht begindoorgestuurdbericht vidarebefordratmeddelande videresendtmeddelelse \
     videresendtmelding przekazanawiadomość 転送メッセージ 転送されたメッセージ 転送メール 전달된메시지 \
     전달된메일 пересылаемоесообщение пересланноесообщение началопереадресованногосообщения \
     iletilenileti iletilenmesaj رسالةمعادتوجيهها";

/// What an attribution ends with, before its colon. Rows: Germanic, Romance, Slavic, other European, East Asian, other.
pub(super) const WROTE: &[&str] = &[
    "wrote|writes|schrieb|geschrieben|schreef|geschreven|skrev|skrifaði",
    "a écrit|escribió|escreveu|ha scritto|a scris",
    r"napisał(?:\(a\)|a)?|pisze|napsal(?:\(a\)|a)?|napísal(?:\(a\)|a)?|пишет|писал(?:\(а\)|а)?|написал(?:\(а\)|а)?|пише|написав(?:\(ла\))?",
    "kirjoitti|írta|έγραψε|yazdı",
    "写道|寫道|写到|寫到|書きました|のメール|작성|썼습니다",
    "đã viết|menulis|كتب|כתב|कहा|เขียน",
];

/// Verbs that stand before the name: "Am ... schrieb Hotline:".
pub(super) const WROTE_BEFORE_NAME: &str = "schrieb|schreef|skrev";

/// Words that begin an attribution, before a date; then those that stand before it without a space.
pub(super) const ATTRIBUTION_BEGINS: [&str; 2] =
    ["on|at|am|le|el|en|il|in|op|em|den|på|w dniu|dnia|vào|pada|a|v|u|στις|في|بتاريخ", "在|于|於"];

/// "Quoting somebody:", as webmailers of the Horde family write.
pub(super) const QUOTING: &str = "quoting|zitat von|citando|citerar";

/// Makes and apps that name themselves below a mail, in scripts that part words by spaces.
pub(super) const BRANDS: &[&str] = &[
    "iphone|ipad|ipod|android|ios|galaxy|samsung|huawei|honor|xiaomi|redmi|vivo|oppo|oneplus|pixel|blackberry|nokia|lumia",
    "outlook|gmail|yahoo|qq|aol|proton|protonmail|foxmail|thunderbird|windows|mac|mailbird|bluemail|airmail|sparrow|spark|k-9",
    "iphonesta|yandex|mail\\.ru",
];

/// Makes and apps in scripts that do not part words.
pub(super) const CJK_BRANDS: &str =
    "安卓|华为|華為|荣耀|小米|红米|三星|魅族|一加|邮箱|客户端|网易|網易|新浪|钉钉|企业微信|飞书|阿里";

/// Kinds of device: believed only after "from".
pub(super) const DEVICES: &str = "mobile|phone|smartphone|handy|mobil|mobiltelefon|telefon|telefone|teléfono|téléphone|portable|móvil|celular|tablet|device|телефона?|смартфона?|почты|手机|手機|平板|携帯|スマートフォン";

/// How a line begins that an app adds: "Sent by ...".
pub(super) const SENT_BY: &[&str] = &[
    "sent (?:from|via|by|with|using|through)|gesendet (?:von|mit|aus|über)",
    "verzonden (?:vanaf|via|met|van)|verstuurd (?:vanaf|via|met|van)|skickat (?:från|med|via)|sendt (?:fra|med|via)",
    "envoyé (?:de|du|depuis|à partir|via|avec|par)|enviado (?:desde|do|da|de|a partir|por|con|com|via|pelo)",
    "inviato (?:da|dal|con|tramite)|trimis (?:de|din)",
    "wysłane? z|odesláno z|отправлено (?:с|из|от|через)|надіслано (?:з|із|від)|lähetetty",
    "đã gửi từ|được gửi từ|أرسلت من|مرسل من",
];

/// How a line begins that a device adds: "Sent from ...".
pub(super) const SENT_FROM: &[&str] = &[
    "sent from|gesendet von|verzonden vanaf|verstuurd vanaf|skickat från|sendt fra|envoyé (?:de|depuis)|enviado (?:desde|do|de)",
    "inviato (?:da|dal)|wysłane? z|odesláno z|отправлено (?:с|из|от)|надіслано (?:з|із)",
];

/// The same in Chinese, where no space parts it from the device.
pub(super) const CHINESE_SENT_FROM: &str = "发自|發自|寄自|寄件自|发送自|發送自";

/// Possessives and articles before a device; after the first, any short name is believed.
pub(super) const MY: &str =
    "my|meinem|meinen|mon|ma|mi|meu|minha|mio|mijn|min|mitt|mojego|mého|moj[ea]j?|моего|моей|мого|o meu|il mio|dal mio";

/// Lines whose verb stands last. `BRAND` stands for a make, an app or a device, `FEW` for a few words.
pub(super) const SENT_LAST: &[&str] = &[
    "von meine[mnr] FEW gesendet|diese nachricht wurde von meine[mnr] FEW gesendet",
    "(?:从|從|由|通过|通過|使用) ?FEW(?:我的|版|大师|大師|客户端|手机|手機|BRAND)FEW(?:发送|發送|傳送|寄出|发出)|本邮件由FEW发送|签名由FEW定制",
    "signature is customi[sz]ed by FEW|BRAND ?(?:から|より)送信|(?:나의 |내 )?BRAND ?에서 (?:보냄|전송)|BRAND'?[a-zıü]{0,6} gönderildi",
];

/// "Get Outlook for Android".
pub(super) const GET: &str = "get|获取|獲取|取得|下载|obtener|obter|obtenha|obtenir|obtenez|télécharger|téléchargez|beziehen|herunterladen|holen sie sich|scarica|ottieni|hämta|hent|få|downloaden|download|pobierz|скачать|загрузить|を入手|다운로드|stáhnout|lataa";
