//! Citizens with something to say: everyday appeals in Chinese and English, each of another sender, signed beforehand.

use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

/// More than this in a second would be cut short by the supply of requests.
const MOST_A_SECOND: usize = 30_000;

const CHINESE_PLACES: [&str; 8] = [
    "人民路和解放路路口",
    "东湖花园3号楼楼下",
    "滨江公园南门",
    "第二实验小学门口",
    "火车站北广场",
    "新华街菜市场",
    "幸福里小区地下车库",
    "文化宫公交站",
];
const CHINESE_MATTERS: [&str; 12] = [
    "的路灯坏了一个星期,晚上漆黑一片,老人走路很危险,请尽快来修。",
    "半夜两点还有工地在施工,噪音太大,孩子睡不着,希望有人管管。",
    "垃圾好几天没人清运,又脏又臭,苍蝇很多。",
    "有一个窨井盖不见了,昨天差点有人掉下去,请马上处理。",
    "自来水又停了,从早上到现在一滴水都没有,什么时候能恢复?",
    "的消防通道被私家车堵死了,物业一直不管。",
    "暖气不热,家里只有十四度,打供热公司电话没人接。",
    "有流动摊贩占道经营,早晚高峰根本走不过去。",
    "的电梯已经坏了三天,我家住十六楼,老人下不了楼。",
    "公司拖欠了我们三个月工资,老板电话也打不通,请帮帮我们。",
    "买的预付卡商家关门跑路了,退款找谁?",
    "想咨询一下新生儿医保怎么办理,需要带哪些材料?",
];
const ENGLISH_PLACES: [&str; 8] = [
    "at the corner of Renmin Road and Jiefang Road",
    "below building 3 of East Lake Garden",
    "at the south gate of Riverside Park",
    "in front of No. 2 Primary School",
    "on the north square of the railway station",
    "near the Xinhua Street market",
    "in the garage of Happiness Court",
    "by the Cultural Palace bus stop",
];
const ENGLISH_MATTERS: [&str; 8] = [
    "The street light has been broken for a week",
    "There is construction noise after midnight every night",
    "Garbage has not been collected for days and it smells",
    "A manhole cover is missing and somebody nearly fell in",
    "There has been no tap water since this morning",
    "Cars are parked in the fire lane again",
    "The elevator has been out of order for three days",
    "A large pothole damaged my tyre",
];

/// Makes requests; no sender and no id comes twice.
#[derive(Debug)]
pub(crate) struct Citizens {
    key: Hmac<Sha256>,
    /// Sets this run's ids apart.
    run: String,
    timestamp: i64,
    made: usize,
}

impl Citizens {
    pub(crate) fn new(secret: &str) -> anyhow::Result<Self> {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").context("whsec_")?)?;
        #[expect(clippy::disallowed_methods, reason = "the provider signs by the machine's clock")]
        let timestamp = chrono::Utc::now().timestamp();
        let run = uuid::Uuid::new_v4().simple().to_string();
        Ok(Self { key: Hmac::new_from_slice(&key)?, run, timestamp, made: 0 })
    }

    /// Requests enough for this time.
    pub(crate) fn requests(&mut self, time: Duration) -> Vec<Vec<u8>> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
        let count = (time.as_secs_f64() * MOST_A_SECOND as f64) as usize;
        (0..count).map(|_| self.request()).collect()
    }

    /// The next citizen's message as an HTTP/1.1 request.
    pub(crate) fn request(&mut self) -> Vec<u8> {
        self.made += 1;
        let number = self.made;
        let id = format!("{}-{number}", self.run);
        let body = json!({
            "id": id,
            "from": format!("+86138{number:08}"),
            "to": "12345",
            "text": text(number),
            "received_at": "2026-01-01T08:00:00+08:00",
        })
        .to_string();
        let mut mac = self.key.clone();
        mac.update(format!("{id}.{}.{body}", self.timestamp).as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        format!(
            "POST /channels/sms/demo HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nwebhook-id: {id}\r\n\
             webhook-timestamp: {}\r\nwebhook-signature: v1,{signature}\r\ncontent-length: {}\r\n\r\n{body}",
            self.timestamp,
            body.len()
        )
        .into_bytes()
    }
}

/// Every Chinese appeal that there is.
pub(crate) fn chinese() -> impl Iterator<Item = String> {
    CHINESE_PLACES.iter().flat_map(|place| CHINESE_MATTERS.iter().map(move |matter| format!("{place}{matter}")))
}

/// Two of three appeals are Chinese.
fn text(number: usize) -> String {
    fn pick<'a>(words: &[&'a str], place: usize) -> &'a str {
        words.get(place % words.len()).copied().unwrap_or_default()
    }
    let (matter, place) = (number / 3, number / 7);
    if number.is_multiple_of(3) {
        let (matter, place) = (pick(&ENGLISH_MATTERS, matter), pick(&ENGLISH_PLACES, place));
        format!("{matter} {place}. Please send somebody, this is my message no. {number}.")
    } else {
        format!("{}{}(第{number}号来信)", pick(&CHINESE_PLACES, place), pick(&CHINESE_MATTERS, matter))
    }
}
