//! Replies as mailers make them, and prose that only looks like it.

use proptest::prelude::*;

use super::*;

fn check(text: &str, visible: &str) {
    let split = split(text);
    assert_eq!(split.visible, visible, "of {text:?}");
    let squeezed = |text: &str| text.chars().filter(|character| !character.is_whitespace()).count();
    let quoted = split.quoted.as_deref().map_or(0, squeezed);
    assert_eq!(squeezed(&split.visible) + quoted, squeezed(text), "something was lost of {text:?}");
}

#[test]
fn markers_of_many_mailers() {
    for marker in [
        "On Mon, 2 Nov 2026 at 10:01, City Hotline <hotline@city.example> wrote:\n> Your number is 1",
        "On Mon, 2 Nov 2026 at 10:01, City Hotline\n<hotline@city.example>\nwrote:\n\n> Your number is 1",
        "On 02.11.2026 10:01, City Hotline wrote:\nYour number is 1",
        "在 2026年11月2日，上午10:01，市民热线 <hotline@city.example> 写道：\n\n> 您的工单号是 1",
        "在 2026-11-02 10:01:22，\"市民热线\" <hotline@city.example> 写道：\n您的工单号是 1",
        "市民热线 <hotline@city.example> 于2026年11月2日周一 10:01写道：\n\n> 您的工单号是 1",
        "市民熱線 <hotline@city.example> 於 2026年11月2日 週一 10:01 寫道：\n> 您的編號是 1",
        "------------------ 原始邮件 ------------------\n发件人: \"市民热线\" <hotline@city.example>;\n发送时间: 2026年11月2日(星期一) 上午10:01\n收件人: \"张\"<z@x.example>;\n主题: 工单 1\n\n您的工单号是 1",
        "-----邮件原件-----\n发件人: 市民热线\n您的工单号是 1",
        "发件人：市民热线 <hotline@city.example>\n发送时间：2026年11月2日 10:01\n收件人：z@x.example\n主题：工单 1\n\n您的工单号是 1",
        "---- 回复的原邮件 ----\n发件人 市民热线\n您的工单号是 1",
        "-----Original Message-----\nFrom: City Hotline\nYour number is 1",
        "________________________________\nFrom: City Hotline <hotline@city.example>\nSent: Monday, November 2, 2026 10:01\nTo: z@x.example\nSubject: Ticket 1\n\nYour number is 1",
        "From: City Hotline <hotline@city.example>\nDate: Monday, 2 November 2026 at 10:01\nTo: Z <z@x.example>\nSubject: Ticket 1\nYour number is 1",
        "Am Mo., 2. Nov. 2026 um 10:01 Uhr schrieb Hotline <hotline@city.example>:\n\n> Ihre Nummer ist 1",
        "Von: Hotline <hotline@city.example>\nGesendet: Montag, 2. November 2026 10:01\nAn: Z\nBetreff: Ticket 1\n\nIhre Nummer ist 1",
        "-------- Ursprüngliche Nachricht --------\nVon: Hotline\nIhre Nummer ist 1",
        "Le lun. 2 nov. 2026 à 10:01, Hotline <hotline@city.example> a écrit :\n\n> Votre numéro est 1",
        "De : Hotline <hotline@city.example>\nEnvoyé : lundi 2 novembre 2026 10:01\nÀ : Z\nObjet : Ticket 1\n\nVotre numéro est 1",
        "2026年11月2日(月) 10:01 市民ホットライン <hotline@city.example>:\n\n> 受付番号は 1 です",
        "2026/11/02 10:01、市民ホットライン <hotline@city.example> のメール:\n> 受付番号は 1 です",
        "差出人: 市民ホットライン <hotline@city.example>\n送信日時: 2026年11月2日 10:01\n宛先: z@x.example\n件名: 受付 1\n\n受付番号は 1 です",
        "El lun, 2 nov 2026 a las 10:01, Hotline (<hotline@city.example>) escribió:\n\n> Su número es 1",
        "02.11.2026, 10:01, \"Hotline\" <hotline@city.example>:\n> Ваш номер 1",
        "> Your number is 1\n> Keep it",
        // Wrapped between name and address, and in languages whose verb stands last or is missing.
        "2026年11月2日(月) 10:01 陽光市役所市民ホットライン相談受付センター\n<hotline@city.example>:\n\n> 受付番号は 1 です",
        "2026년 11월 2일 (월) 오전 10:01, City Hotline Service Center\n<hotline@city.example>님이 작성:\n\n> 번호는 1",
        "пн, 2 нояб. 2026 г. в 10:01, Горячая линия города Солнечный\n<hotline@city.example>:\n\n> Ваш номер 1",
        "阳光市人民政府市民服务热线办公室受理中心\n<hotline@city.example> 于2026年11月2日周一 10:01写道：\n\n> 您的工单号是 1",
        "pon., 2 lis 2026 o 10:01 City Hotline <hotline@city.example>\nnapisał(a):\n\n> Numer 1",
        "في الاثنين، 2 نوفمبر 2026 في 10:01 ص تمت كتابة ما يلي بواسطة Hotline\u{200f} <\nhotline@city.example>:\n\n> 1",
        "City Hotline <hotline@city.example>, 2 Kas 2026 Pzt, 10:01 tarihinde şunu yazdı:\n\n> Numara 1",
        "Vào Th 2, 2 thg 11, 2026 vào lúc 10:01 City Hotline <hotline@city.example>\nđã viết:\n\n> 1",
        "po 2. 11. 2026 v 10:01 odesílatel City Hotline <hotline@city.example>\nnapsal:\n\n> 1",
        "ma 2. marrask. 2026 klo 10.01 City Hotline (hotline@city.example) kirjoitti:\n\n> 1",
        "man. 2. nov. 2026 kl. 10.01 skrev City Hotline <hotline@city.example>:\n\n> 1",
        "Le lun. 2 nov. 2026 à 10:01, Hotline <hotline@city.example> a\u{a0}écrit\u{a0}:\n\n> 1",
        "Am Mo., 2. Nov. 2026 um 10:01 Uhr schrieb Bürgerservice der Stadtverwaltung Sonnenstadt, Abteilung Beleuchtung und Wege <hotline@city.example>:\n\n> 1",
        "Am 02.11.2026 um 10:01 schrieb \"12345: Hotline\" <hotline@city.example>:\n\n> 1",
        "    Am Montag, 2. November 2026 um 10:01:22 MEZ hat Hotline <hotline@city.example> Folgendes geschrieben:  \n \n Ihre Nummer ist 1",
        "Op 2 nov. 2026, om 10:01 heeft Hotline <hotline@city.example> het volgende geschreven:\n\nUw nummer is 1",
        "2026. 11. 2. 오전 10:01, City Hotline <hotline@city.example> 작성:\n\n번호는 1",
        "于 2026年11月2日 GMT+08:00 10:01:22, 市民热线 <hotline@city.example> 写到:\n>您的工单号是 1",
        "---- On Mon, 02 Nov 2026 10:01:22 +0800 City <hotline@city.example> wrote ---\nYour number is 1",
        "City Hotline <hotline@city.example> writes:\n\nYour number is 1",
        "On 2 Nov 2026, City Hotline <hotline@city.example> wrote\n\n> Your number is 1",
        // Separators.
        "         原始邮件\n         \n       \n发件人：市民热线 <hotline@city.example>\n发件时间：2026年11月2日 10:01\n收件人：张三 <z@x.example>\n主题：工单\n\n您的工单号是 1",
        "------------------\u{a0}Original\u{a0}------------------\nFrom: \"Hotline\" <hotline@city.example>;\nYour number is 1",
        "----邮件原文----\n发件人：市民热线 <hotline@city.example>\n您的工单号是 1",
        "-------- 原始訊息 --------\n自： City Hotline\n您的編號是 1",
        "---- Replied Message ----\n| From | Hotline<hotline@city.example> |\n| Date | 11/02/2026 10:01 |\nYour number is 1",
        "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐\nOn Monday, November 2nd, 2026 at 10:01, City Hotline <hotline@city.example> wrote:\n\n> Your number is 1",
        // Header blocks: padded names, other languages, other orders.
        "------------------------------------------------------------------\n发件人：市民热线 <hotline@city.example>\n日　期：2026年11月02日 10:01:22\n收件人：张三<z@x.example>\n主　题：工单\n\n您的工单号是 1",
        "发件人：市民热线<hotline@city.example>\n日　期：2026年11月02日 10:01:22\n收件人：<z@x.example>\n抄　送：<q@x.example>\n主　题：工单\n\n您的工单号是 1",
        "من: Hotline <hotline@city.example>\nتم الإرسال: 02 نوفمبر 2026 10:01 ص\nإلى: z@x.example\nالموضوع: x\n\n1",
        "Od: Hotline <hotline@city.example>\nWysłano: poniedziałek, 2 listopada 2026 10:01\nDo: z@x.example\nTemat: x\n\n1",
        "Kimden: Hotline <hotline@city.example>\nGönderildi: 2 Kasım 2026 Pazartesi 10:01\nKime: z@x.example\nKonu: x\n\n1",
        "Date: Mon, 2 Nov 2026 10:01:22 +0800\nFrom: hotline@city.example\nTo: me\nSubject: z\n\nYour number is 1",
        "To: me\nFrom: hotline@city.example\nDate: Mon, 2 Nov 2026\nSubject: z\n\nYour number is 1",
        "Subject: z\nFrom: hotline@city.example\nTo: me\n\nYour number is 1",
        "From: hotline@city.example\nDate: Mon, 2 Nov 2026 10:01:22 +0800\n\nYour number is 1",
        "*From:* hotline@city.example [mailto:\nhotline@city.example]\n*Sent:* Monday, November 2, 2026 10:01 AM\n*To:* me\n*Subject:* z\n\nYour number is 1",
        "* * *\nFrom: Hotline\nSent: Monday\nTo: me\nSubject: z\n\nYour number is 1",
        "\"City Hotline\" <hotline@city.example>\n2026-11-02 10:01\n\nTo\n<z@x.example>\ncc\n\nSubject\ncase\n\nYour number is 1",
    ] {
        for own in ["The lamp is still dark.", "路灯还是不亮。\n\n请尽快处理，谢谢！"] {
            check(&format!("{own}\n\n{marker}"), own);
        }
    }
}

#[test]
fn signatures() {
    for signature in [
        "-- \nZhang Wei\nTel. 000",
        "--\nZhang Wei",
        "Sent from my iPhone",
        "发自我的iPhone",
        "发自我的 iPad",
        "来自我的华为手机",
        "从我的 iPhone 发送",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "iPhoneから送信",
        "Get Outlook for iOS<https://aka.ms/x>",
        "获取 Outlook for Android",
        "发自网易邮箱大师",
        "Sent from my HUAWEI P50",
        "Sent from Mail for Windows",
        "Sent with Proton Mail secure email.",
        "Sent by Spark",
        "Sent via BlackBerry by AT&T",
        "Sent from a mobile device",
        "Obtener Outlook para Android",
        "Télécharger Outlook pour iOS",
        "Outlook für Android beziehen",
        "Sendt fra min iPhone",
        "Verstuurd vanaf mijn iPhone",
        "iPhone'umdan gönderildi",
        "나의 iPhone에서 보냄",
        "从 Windows 版邮件发送",
        "来自QQ邮箱",
        "发自钉钉",
        "发自HUAWEI手机",
        "发自vivo电子邮件",
        "从 Outlook 发送",
        "由阿里邮箱手机版发送",
        "签名由 网易邮箱大师 定制",
        "| |\n张三\n|\n|\n邮箱：z@x.example\n|\n\n签名由 网易邮箱大师 定制",
        "取得 Android 版 Outlook",
        "— \nSent with Sparrow (http://x.example)",
        "--\nZhang Wei\nThis mail and its files are for the addressee only. If you are not, delete it.",
        "---\nZhang Wei\nTel. 000",
        "_______________________________________________\nlamps mailing list\nlamps@lists.example",
    ] {
        check(&format!("还是不亮\n\n{signature}"), "还是不亮");
        check(
            &format!("还是不亮\n\n{signature}\n\n在 2026-11-02 10:01:22，\"热线\" <h@c.example> 写道：\n> 您好"),
            "还是不亮",
        );
    }
}

#[test]
fn answers_between_and_below() {
    check(
        "> Where is it?\n\nAt the east gate.\n\n> Since when?\n\nMonday.",
        "> Where is it?\n\nAt the east gate.\n\n> Since when?\n\nMonday.",
    );
    check("On 2 Nov 2026, Hotline <h@c.example> wrote:\n> Where is it?\n\nAt the east gate.", "At the east gate.");
}

#[test]
fn quotations_between_own_lines() {
    let attributed = "On Fri, Nov 6, 2026 at 6:03 PM, The Hotline of the City\n<hotline@city.example> wrote:";
    // A mail quoted whole, with the writer's words above and below it.
    check(
        &format!("Still dark.\n\n{attributed}\n\n> It is repaired.\n>\n> City\n\nRegards, Li"),
        "Still dark.\n\n\n\nRegards, Li",
    );
    check(
        "Still dark.\n> On 6 Nov 2026, at 18:03, City <h@city.example> wrote:\n> It is repaired.\nRegards, Li",
        "Still dark.\nRegards, Li",
    );
    // A link that was wrapped out of the quotation is no answer within it.
    check(
        &format!(
            "Still dark.\n\n{attributed}\n\n> See\n>\n(http://city.example/c/Yz) >\n> and (http://city.example/\n_id=3d)\n>"
        ),
        "Still dark.",
    );
    // What the writer cites stays, above the mail that is answered.
    check(
        &format!("The law says:\n> Lamps must burn.\n{attributed}\n> > It is repaired."),
        "The law says:\n> Lamps must burn.",
    );
}

#[test]
fn prose_that_only_looks_like_a_marker() {
    for text in [
        "On the road to the school there is a hole.\nMy neighbour wrote:\nplease repair it",
        "From: the east gate\nto the west gate there is no light.",
        "在学校门口，有人写道“禁止停车”，但是没人管。",
        "Sent from my desk, is much easier than my phone.\nPlease call me.",
        "路灯坏了 -- 已经两周了",
        "收件人: 市长\n你好",
        // A citizen's own account of who wrote what, and when.
        "Guten Tag,\n\nAm 3. Mai schrieb ich Ihnen bereits.\nDie Laterne ist immer noch aus.",
        "Am 3. Mai schrieb ich Ihnen bereits.\nDie Laterne ist immer noch aus.",
        "您好：\n在2026年10月的回复中，贵局写道：\n“三日内修复”。\n至今未修。",
        "您好：\n2026年11月2日你们的短信里写道：\n路灯三天内修好。\n可是到今天还没有修。",
        "Hello,\n\nOn 3 May I wrote to you, and on 5 May your officer wrote:\n\"We will repair it.\"\nNothing has happened.",
        "Hello,\n\nOn 3 May 2026 at 10:30 your officer wrote:\n\"We will repair it.\"\nNothing has happened.",
        "Dear team,\nOn 3 May I complained again. Please read again what I wrote\nThe lamp is still dark.",
        "Hej\nDen 3. maj skrev jeg til jer.\nLampen er stadig slukket.",
        "Goedendag,\nOp 3 mei schreef ik u al.\nDe lamp is nog steeds kapot.",
        "Bonjour,\nLe 3 mai, je vous ai écrit\nLa lampe est toujours éteinte.",
        "Hola,\nEl 3 de mayo su oficina me escribió\nLa farola sigue apagada.",
        // Dividers, tables, and lines that begin like a device's.
        "补充说明：\n1、路灯坏了\n---\n2、井盖也坏了，请一并处理",
        "One: the lamp.\n\n--\nTwo: the manhole cover is missing, dangerous!",
        "Lamp\n—\nPlease repair the manhole cover as well",
        "路灯坏了\n____________________\n井盖也坏了",
        "水表读数如下：\n| 日期 | 读数 |\n| 11月1日 | 100 |\n| 11月2日 | 190 |",
        "您好，补充一条信息：\n来自我的邻居的证词：他也看见了。\n另外楼道灯也坏了，请一并处理。",
        "The complaint was sent in May.\nSent from the machine room you hear a noise at night.",
        "Lamp.\nSent from my phone, the lamp is dark",
        "照片已经用邮件发送\n请查收",
        "我已通过邮箱发送\n请查收",
        "Ich habe die Fotos\nvom Handy gesendet",
        "The complaint was\nsent by email to your office on Monday",
        "The photos were\nsent from minneapolis",
        "On 3 May 2026 at 10:30 I wrote to Mr Li (li@city.example) and he answered:\nWe will repair it.\nNothing has happened.",
        "I wrote to <mayor@city.example> on 3 May 2026 at 10:30 and got this answer:\nWe will repair it.\nNothing has happened.",
        "My neighbour (li@x.example) wrote:\nThe lamp is dark.\nHe is right.",
        // Fields that a form would ask for.
        "The bus was late:\nFrom: Main Street\nTo: Second Street\nDate: 2 Nov 2026 10:00\nIt came at 11.",
        "地址如下\n发件人：张三\n时间：11月2日 晚上\n日期：每周一\n主题：噪音\n请尽快处理，谢谢。",
        "From: Monday on, it is dark.\nTo: Friday.\nDate: unknown\nSubject matter: lamp",
    ] {
        check(text, text);
    }
}

#[test]
fn a_device_line_hides_nothing_below_it() {
    check("好的\nSent from my iPhone\n\n补充：路灯又坏了", "好的\n\n补充：路灯又坏了");
}

#[test]
fn a_table_above_a_device_line_stays() {
    let table = "读数如下：\n| |\n| 100 |\n| 190 |";
    check(&format!("{table}\n\nSent from my iPhone"), table);
}

#[test]
fn a_line_above_an_unnamed_attribution_stays() {
    check("好的\n\n请快一点\n<h@c.example> 于2026年11月2日周一 10:01写道：\n> 旧", "好的\n\n请快一点");
}

#[test]
fn an_attribution_that_shares_its_line() {
    for (text, own) in [
        ("It is dark On Wed, Nov 4, 2026 at 3:59 PM, hotline@city.example wrote:\n> Hi", "It is dark"),
        ("It is dark--- On Wed, Nov 4, 2026 at 3:59 PM, hotline@city.example wrote:\n> Hi", "It is dark"),
        (
            "It is dark\nand wet On Nov 30, 2026, at 12:47 PM, Hotline <\nhotline@city.example>wrote:\n\n> Hi",
            "It is dark\nand wet",
        ),
        ("It is dark --- On Wed, 4/11/26, h@city.example <h@city.example> wrote:\n\n\nHi", "It is dark"),
        (
            "还是不亮\n\nSent from Yahoo Mail on Android \n \n  On Wed, Nov 4, 2026 at 3:59 PM, Hotline<hotline@city.example> wrote:   Hi",
            "还是不亮",
        ),
    ] {
        check(text, own);
    }
}

#[test]
fn sentences_above_an_attribution_stay() {
    check(
        "On Tuesday I called you.\nOn Wednesday 4 November nobody came.\nOn Mon, Nov 2, 2026 at 10:01 AM City <h@c.example> wrote:\n> old",
        "On Tuesday I called you.\nOn Wednesday 4 November nobody came.",
    );
}

#[test]
fn what_is_passed_on_stays() {
    for text in [
        "请看\n\nBegin forwarded message:\n\nFrom: 物业\nDate: 2026\nTo: p\nSubject: 停水\n\n明天停水",
        "FYI\n\n---------- Forwarded message ----------\nFrom: bob@x.example\nDate: Tue, Sep 4, 2026 at 1:35 PM\nSubject: Two\nTo: rob@x.example\n\nText",
        "请看\n\n-------- 转发的消息 --------\n主题: \t停水\n日期: \t2026\n发件人: \t物业\n收件人: \tp\n\n> 明天停水",
    ] {
        check(text, text);
    }
    check(
        "还是不亮\n\n-----Original Message-----\n\nFYI\n\n---------- Forwarded message ----------\nFrom: bob@x.example\n",
        "还是不亮",
    );
}

#[test]
fn never_empty() {
    for text in [
        "> only\n> quoted",
        "-----Original Message-----\nFrom: a\nx",
        "-- \nsignature",
        "在 2026-11-02 10:01，a <a@b.example> 写道：\n> x",
        "Sent from my iPhone",
    ] {
        check(text, text);
    }
    check("", "");
}

#[test]
fn subjects() {
    for (subject, answers, forwards) in [
        ("Re: lamp", true, false),
        ("回复：路灯", true, false),
        ("答复: 路灯", true, false),
        ("RE：路灯", true, false),
        ("AW: Lampe", true, false),
        ("Re[2]: lamp", true, false),
        ("[City] Re: lamp", true, false),
        ("转发：路灯", false, true),
        ("Re: Fwd: lamp", true, true),
        ("回复: 转发: 路灯", true, true),
        ("[转发]路灯", false, true),
        ("Fwd: lamp", false, true),
        ("FW: lamp", false, true),
        ("Repair the lamp", false, false),
        ("路灯", false, false),
        ("Restaurant noise: again", false, false),
    ] {
        assert_eq!((subject_answers(subject), subject_forwards(subject)), (answers, forwards), "{subject}");
    }
}

#[test]
fn absence_notes_by_their_subject() {
    for subject in [
        "自动回复: 您的诉求",
        "自动回复：您的诉求",
        "自动回复",
        "自動回覆: x",
        "自動応答: x",
        "Automatic reply: Your request",
        "Out of Office: Your request",
        "Out of Office Re: Your request",
        "[EXT] Automatic reply: Your request",
        "Automatische Antwort: x",
        "Abwesenheitsnotiz: x",
        "Réponse automatique : x",
        "Respuesta automática: x",
        "Автоматический ответ: x",
    ] {
        assert!(subject_is_automatic(subject), "{subject}");
    }
    for subject in [
        "自动回复机答非所问",
        "Re: Automatic reply: lamp",
        "The lamp out of office hours",
        "Automatic reply machine broken",
    ] {
        assert!(!subject_is_automatic(subject), "{subject}");
    }
}

proptest! {
    #[test]
    fn nothing_is_lost(text in "((> ?)?(On|在|写道：|wrote:|-- |From:|To:|Subject:|发件人：|On Mon, Nov 2, 2026 at 10:01 AM City <h@c\\.example>|<h@c\\.example> wrote:|Begin forwarded message:|--|---|_{20}|\\(http://x|Date: 2026-11-02 10:01|To|Subject|Sent from my iPhone|签名由 网易邮箱大师 定制|\\| \\||原始邮件|\\PC{0,20}|[a-z ]{0,30}){1,2}\r?\n){0,30}") {
        let split = split(&text);
        let count = |text: &str| text.chars().filter(|character| !character.is_whitespace()).count();
        prop_assert_eq!(count(&split.visible) + split.quoted.as_deref().map_or(0, count), count(&text));
        prop_assert_eq!(split.visible.trim().is_empty(), text.trim().is_empty());
    }
}
