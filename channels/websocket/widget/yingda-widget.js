/*
 * Chat widget of a Yingda hub, and the reference client of its websocket protocol (see ../README.md).
 *
 *   <script src="https://hub.example/widget.js" data-account="app" data-lang="auto" defer></script>
 *
 * What a citizen writes is kept on the device until the hub has acknowledged it, and is sent again under the same id
 * after every interruption; what the hub says is confirmed only once it is kept. Nothing here needs more than
 * `script-src` and `connect-src` of the hub: styles are a constructed sheet in a shadow tree.
 */
(() => {
'use strict';

const CATALOGUE = {
  "zh": {
    "title": "在线诉求",
    "launcher": "在线诉求",
    "launcher_unread": "在线诉求，{count}条新消息",
    "announce": "您有{count}条新消息",
    "danger": "如有人身危险，请立即拨打110、119或120。",
    "log": "对话记录",
    "empty": "请说明发生了什么事、在什么地方。提交后马上给您编号，答复也会显示在这里。",
    "label": "您的诉求",
    "hint": "按回车键发送，Shift加回车换行。",
    "send": "发送",
    "close": "关闭对话",
    "clear": "清除对话",
    "clear_question": "要从这台设备上清除全部对话吗？之后的答复只能凭编号和查询码查看，未发出的内容也会一并清除。",
    "clear_yes": "清除",
    "clear_no": "保留",
    "me": "我",
    "kind_acknowledgement": "受理回执",
    "kind_question": "需要您确认",
    "kind_reply": "答复",
    "kind_notice": "通知",
    "number": "编号{number}",
    "state_sending": "正在发送…",
    "state_waiting": "未发送，保存在本机，恢复连接后自动发送",
    "state_received": "已收到",
    "state_received_number": "已收到，编号{number}",
    "state_checked": "已收到，等待人工核对",
    "failed_too_long": "未发送：内容太长，请缩短后再发",
    "failed_empty_text": "未发送：没有内容",
    "failed_other": "未发送：系统没有接收这条消息",
    "edit": "修改后重发",
    "error_empty": "请填写您的诉求",
    "error_long": "请控制在{count}字以内，现在是{length}字",
    "connecting": "正在连接…",
    "connected": "已连接",
    "offline": "{time}起未连接。您写的内容保存在本机，恢复连接后自动发送。",
    "renewed": "之前的对话已到期，从这里开始新的对话。"
  },
  "en": {
    "title": "Contact the city",
    "launcher": "Contact us",
    "launcher_unread": "Contact us, new messages: {count}",
    "announce": "New messages: {count}",
    "danger": "In danger? Call 110, 119 or 120 now.",
    "log": "Conversation",
    "empty": "Tell us what happened and where. You get a number at once, and the answer will appear here too.",
    "label": "Your message",
    "hint": "Press Enter to send, Shift and Enter for a new line.",
    "send": "Send",
    "close": "Close conversation",
    "clear": "Erase conversation",
    "clear_question": "Erase the whole conversation from this device? Later answers can then be seen only with your number and query code, and what has not been sent is erased too.",
    "clear_yes": "Erase",
    "clear_no": "Keep",
    "me": "You",
    "kind_acknowledgement": "Receipt",
    "kind_question": "Please confirm",
    "kind_reply": "Answer",
    "kind_notice": "Notice",
    "number": "Number {number}",
    "state_sending": "Sending…",
    "state_waiting": "Not sent. Kept on this device and sent when the connection is back",
    "state_received": "Received",
    "state_received_number": "Received. Number {number}",
    "state_checked": "Received. A person will check it",
    "failed_too_long": "Not sent: too long. Shorten it and send it again",
    "failed_empty_text": "Not sent: it was empty",
    "failed_other": "Not sent: the system did not take this message",
    "edit": "Edit and send again",
    "error_empty": "Write your message",
    "error_long": "Use {count} characters or fewer. You have {length}",
    "connecting": "Connecting…",
    "connected": "Connected",
    "offline": "Not connected since {time}. What you write is kept on this device and sent when the connection is back.",
    "renewed": "Your earlier conversation has expired. A new one begins here."
  }
};

const PALETTE = {
  "light": {
    "surface": "#ffffff", "sunken": "#e9edf1", "mine": "#e3eefa", "text": "#17212b", "muted": "#4a5968",
    "control": "#6b7885", "divider": "#d3dae2", "accent": "#0b5cad", "onaccent": "#ffffff", "focus": "#0b5cad", "error": "#b3261e"
  },
  "dark": {
    "surface": "#172029", "sunken": "#1e2933", "mine": "#16304a", "text": "#e8edf2", "muted": "#a9b6c3",
    "control": "#7f8fa0", "divider": "#33414e", "accent": "#6fb1f5", "onaccent": "#0f151b", "focus": "#93c5f8", "error": "#ffa99f"
  }
};

/* What the page says of us. */

const script = document.currentScript;
const account = script.dataset.account || 'app';
// The hub may live beneath a path, so the address is relative to the script's own.
const hub = new URL(script.dataset.hub ? script.dataset.hub.replace(/\/*$/, '/') : script.src, document.baseURI);
const endpoint = new URL('channels/websocket/' + encodeURIComponent(account), hub);
endpoint.protocol = hub.protocol === 'https:' ? 'wss:' : 'ws:';
const maxChars = Number(script.dataset.maxChars) || 4000;
const asked = !script.dataset.lang || script.dataset.lang === 'auto'
  ? document.documentElement.lang || navigator.language || 'en' : script.dataset.lang;
const language = /^zh\b/i.test(asked) ? 'zh' : 'en';
const tag = language === 'zh' ? 'zh-CN' : 'en';
const theme = script.dataset.theme;

/** The text of a key, with its placeholders filled in. */
const say = (key, values = {}) => CATALOGUE[language][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));

/* What is kept on the device.
 *
 * `session` is the hub's token, `position` the last message kept, `seen` the last one shown in an open panel.
 * An entry is ours ({id, text, at, state: queued|taken|held|failed, ticket, code}), the hub's
 * ({position, kind, ticket, text, at}) or a mark ({mark, at}). Each change starts from what is stored, because
 * other tabs share it. */

const STORE = 'yingda:' + endpoint.href;
const KEPT_ENTRIES = 200;
let memory = null, storable = true;

function read() {
  if (!storable && memory !== null) return memory;
  try {
    const kept = JSON.parse(localStorage.getItem(STORE));
    if (kept !== null && Array.isArray(kept.entries)) return kept;
  } catch {
    // Storage is forbidden, or something else has written there: as if nothing were kept.
  }
  return { session: null, position: null, seen: 0, draft: '', entries: [] };
}

function change(edit) {
  const kept = read();
  edit(kept);
  const surplus = kept.entries.length - KEPT_ENTRIES;
  // What the hub does not have yet is never dropped.
  kept.entries = kept.entries.filter((entry, index) => index >= surplus || entry.state === 'queued');
  memory = kept;
  try {
    localStorage.setItem(STORE, JSON.stringify(kept));
  } catch {
    // Storage is full or forbidden: the conversation lives as long as the page.
    storable = false;
  }
  return kept;
}

const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');

/* The connection. */

// Milliseconds.
const PING_EVERY = 25_000, SILENCE_LIMIT = 70_000, ACK_LIMIT = 30_000, LONGEST_PAUSE = 30_000;

let socket = null, helloSession = null, welcomed = false, wanted = false;
let lostAt = null, heardAt = 0, attempt = 0, retryTimer = 0;
let inFlight = null, sentAt = 0, resendTimer = 0;

function connect() {
  wanted = true;
  if (socket) return;
  clearTimeout(retryTimer);
  let opened;
  try {
    opened = new WebSocket(endpoint);
  } catch {
    lost();
    return;
  }
  socket = opened;
  heardAt = Date.now();
  opened.addEventListener('open', () => {
    const { session, position } = read();
    helloSession = session;
    tell({ type: 'hello', session, after: session === null ? null : position, language: tag });
  });
  opened.addEventListener('message', event => {
    if (socket !== opened) return;
    heardAt = Date.now();
    let frame = null;
    try {
      frame = JSON.parse(event.data);
    } catch {
      return;
    }
    hear(frame);
    render();
  });
  opened.addEventListener('close', () => {
    if (socket === opened) lost();
  });
  render();
}

function tell(frame) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
}

/** Forgets the connection and, where one is wanted, tries again after a growing, scattered pause. */
function lost() {
  const old = socket;
  socket = null;
  welcomed = false;
  inFlight = null;
  clearTimeout(resendTimer);
  clearTimeout(retryTimer);
  if (old) old.close();
  if (!wanted) return;
  lostAt ??= Date.now();
  const pause = Math.min(LONGEST_PAUSE, 1000 * 2 ** attempt) * (0.5 + Math.random() / 2);
  attempt = Math.min(attempt + 1, 10);
  retryTimer = setTimeout(connect, pause);
  render();
}

function hear(frame) {
  const answer = { __proto__: null, welcome: greeted, ack: acknowledged, message: told, error: refused }[frame?.type];
  if (answer) answer(frame);
}

function greeted({ session, position }) {
  const stored = read().session;
  if (stored !== null && stored !== helloSession && stored !== session) {
    // Another tab has begun a session meanwhile: there is to be one conversation.
    attempt = 0;
    lost();
    return;
  }
  change(kept => {
    if (kept.session !== session) {
      if (kept.session !== null) kept.entries.push({ mark: 'renewed', at: Date.now() });
      kept.session = session;
      kept.position = position;
      kept.seen = position;
    } else if (kept.position === null) {
      kept.position = position;
    }
  });
  welcomed = true;
  attempt = 0;
  lostAt = null;
  flush();
}

/** Sends the oldest message that the hub does not have. One at a time, so that their order is kept. */
function flush() {
  clearTimeout(resendTimer);
  if (!welcomed || inFlight !== null) return;
  const next = read().entries.find(entry => entry.state === 'queued');
  if (!next) return;
  inFlight = next.id;
  sentAt = Date.now();
  tell({ type: 'send', id: next.id, text: next.text });
}

function settle(id, edit) {
  change(kept => kept.entries.filter(entry => entry.id !== undefined && entry.id === id).forEach(edit));
  if (inFlight === id) inFlight = null;
  flush();
}

function acknowledged({ id, outcome, ticket }) {
  settle(id, entry => {
    entry.state = outcome === 'quarantined' ? 'held' : 'taken';
    entry.ticket = ticket;
  });
}

function told({ position, ticket, kind, text }) {
  const kept = change(state => {
    // After an interruption, and with several tabs, the same message comes again.
    if (state.position !== null && position <= state.position) return;
    state.position = position;
    state.entries.push({ position, ticket, kind, text, at: Date.now() });
  });
  tell({ type: 'received', position: kept.position });
}

function refused({ code, id, retry_after_secs: seconds }) {
  if (code === 'slow_down' || code === 'unavailable') {
    if (inFlight === id) inFlight = null;
    clearTimeout(resendTimer);
    resendTimer = setTimeout(flush, 1000 * (seconds ?? 5));
  } else if (id !== undefined) {
    settle(id, entry => {
      entry.state = 'failed';
      entry.code = code;
    });
  }
}

setInterval(() => {
  if (!socket) return;
  const now = Date.now();
  if (now - heardAt > SILENCE_LIMIT || (inFlight !== null && now - sentAt > ACK_LIMIT)) lost();
  else if (welcomed) tell({ type: 'ping' });
}, PING_EVERY);

function reconnectNow() {
  if (!wanted || socket) return;
  attempt = 0;
  connect();
}
for (const event of ['online', 'pageshow']) addEventListener(event, reconnectNow);
addEventListener('storage', event => {
  if (event.key !== STORE && event.key !== null) return;
  // Another tab has erased the conversation: this connection is no longer ours to hold.
  if (welcomed && read().session === null) forget();
  flush();
  render();
});

function forget() {
  wanted = open;
  lostAt = null;
  attempt = 0;
  lost();
}

/* What is seen. */

let open = false;

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const colours = Object.fromEntries(Object.entries(PALETTE)
  .map(([name, palette]) => [name, Object.entries(palette).map(([role, value]) => `--${role}:${value}`).join(';')]));
const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host { all: initial; ${theme === 'dark' ? colours.dark : colours.light}; color-scheme: ${theme === 'dark' || theme === 'light' ? theme : 'light dark'}; }
${theme === 'dark' || theme === 'light' ? '' : `@media (prefers-color-scheme: dark) { :host { ${colours.dark}; } }`}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
section, button, textarea { font: 400 16px/1.6 system-ui, "PingFang SC", "HarmonyOS Sans SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; }
section { color: var(--text); text-align: start; }
p, h2 { margin: 0; font: inherit; overflow-wrap: anywhere; }
button { min-height: 44px; padding: 4px 16px; border: 1px solid var(--control); border-radius: 4px; background: var(--surface); color: var(--text); cursor: pointer; }
button.main { border-color: var(--accent); background: var(--accent); color: var(--onaccent); font-weight: 600; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
.launcher { position: fixed; right: 16px; bottom: 16px; z-index: 2147483000; min-height: 52px; border-radius: 26px; padding: 4px 24px; box-shadow: 0 2px 8px #0006; }
.badge { display: inline-block; min-width: 26px; margin-inline-start: 8px; padding: 0 8px; border-radius: 13px; background: var(--onaccent); color: var(--accent); font-variant-numeric: tabular-nums; }
.panel { position: fixed; right: 16px; bottom: 84px; z-index: 2147483001; display: flex; flex-direction: column; width: 400px; height: min(640px, calc(100vh - 100px)); overflow: auto; border: 1px solid var(--control); border-radius: 8px; background: var(--surface); box-shadow: 0 4px 24px #0006; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; padding: 8px 8px 8px 16px; border-bottom: 1px solid var(--divider); }
h2 { flex: 1 1 120px; font-size: 20px; font-weight: 600; }
.danger, .status { padding: 4px 16px; background: var(--sunken); }
.status { color: var(--muted); }
.status[data-state="offline"] { color: var(--text); font-weight: 600; }
.confirm { display: grid; gap: 8px; padding: 16px; border-bottom: 1px solid var(--divider); background: var(--sunken); }
.row { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
.log { flex: 1 1 auto; min-height: 120px; overflow: auto; padding: 16px; display: flex; flex-direction: column; gap: 16px; }
.log:focus-visible { outline-offset: -3px; }
.empty, .mark, .meta, .state, .hint { color: var(--muted); }
.entry { max-width: 92%; padding: 8px 12px; border: 1px solid var(--divider); border-radius: 8px; align-self: flex-start; background: var(--surface); }
.entry.mine { align-self: flex-end; background: var(--mine); }
.entry[data-kind="reply"], .entry[data-kind="question"] { border: 2px solid var(--accent); }
.entry[data-state="failed"] .state { color: var(--error); font-weight: 600; }
.text { white-space: pre-wrap; font-size: 18px; }
a { color: var(--accent); }
form { display: grid; gap: 4px; padding: 12px 16px 16px; border-top: 1px solid var(--divider); }
label { font-weight: 600; }
textarea { width: 100%; min-height: 80px; padding: 8px; border: 1px solid var(--control); border-radius: 4px; background: var(--surface); color: var(--text); font-size: 18px; resize: vertical; }
textarea[aria-invalid="true"] { border: 2px solid var(--error); }
.error { color: var(--error); font-weight: 600; }
.quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 480px), (max-height: 560px) {
  .panel { inset: 0; width: auto; height: auto; border: 0; border-radius: 0; }
  .open .launcher { visibility: hidden; }
}
@media (forced-colors: active) { .entry[data-kind] { border-style: double; } }
`);

const title = script.dataset.title || say('title');
const badge = element('span', { class: 'badge', hidden: '', 'aria-hidden': 'true' });
const launcherText = element('span', {}, say('launcher'));
const launcher = element('button', { class: 'launcher main', part: 'launcher', type: 'button', 'aria-expanded': 'false', 'aria-controls': 'panel' }, launcherText, badge);
const announcer = element('div', { class: 'quiet', role: 'status' });
const closer = element('button', { part: 'close', type: 'button', 'aria-label': say('close') }, '\u2715');
const eraser = element('button', { part: 'clear', type: 'button' }, say('clear'));
const eraseYes = element('button', { part: 'clear-yes', type: 'button' }, say('clear_yes'));
const eraseNo = element('button', { part: 'clear-no', type: 'button' }, say('clear_no'));
const confirmation = element('div', { class: 'confirm', role: 'group', 'aria-labelledby': 'question', hidden: '' },
  element('p', { id: 'question' }, say('clear_question')), element('div', { class: 'row' }, eraseYes, eraseNo));
const empty = element('p', { class: 'empty' }, say('empty'));
const log = element('div', { class: 'log', part: 'log', role: 'log', 'aria-live': 'polite', 'aria-label': say('log'), tabindex: '0' }, empty);
const status = element('p', { class: 'status', part: 'status', role: 'status' });
const input = element('textarea', { id: 'input', part: 'input', rows: '3', 'aria-describedby': 'hint problem', autocomplete: 'off' });
const problem = element('p', { class: 'error', id: 'problem', part: 'problem', role: 'alert' });
const sender = element('button', { class: 'main', part: 'send', type: 'submit' }, say('send'));
const form = element('form', { novalidate: '' },
  element('label', { for: 'input' }, say('label')), input, problem,
  element('div', { class: 'row' }, sender, element('p', { class: 'hint', id: 'hint' }, say('hint'))));
const panel = element('div', { class: 'panel', id: 'panel', part: 'panel', role: 'dialog', 'aria-modal': 'false', 'aria-labelledby': 'title', hidden: '' },
  element('header', {}, element('h2', { id: 'title' }, title), eraser, closer),
  confirmation, element('p', { class: 'danger' }, say('danger')), log, status, form);
const region = element('section', { lang: tag, 'aria-label': title }, launcher, announcer, panel);

const clock = time => {
  const day = new Date(time).toDateString() === new Date().toDateString() ? {} : { month: 'short', day: 'numeric' };
  return new Intl.DateTimeFormat(tag, { ...day, hour: '2-digit', minute: '2-digit' }).format(time);
};

/** The text with its web addresses as links, made of nodes so that nothing in it is markup. */
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"'\u3000-\u303f\uff00-\uffef]+)/).map((piece, index) =>
    index % 2 === 0 ? piece : element('a', { href: piece, target: '_blank', rel: 'noopener noreferrer' }, piece));
}

function stateText({ state, ticket, code }) {
  switch (state) {
    case 'taken': return ticket ? say('state_received_number', { number: ticket }) : say('state_received');
    case 'held': return say('state_checked');
    case 'failed': return say(`failed_${code}` in CATALOGUE[language] ? `failed_${code}` : 'failed_other');
    default: return welcomed ? say('state_sending') : say('state_waiting');
  }
}

const shown = new Map();
const keyOf = entry => entry.id ?? (entry.mark ? `${entry.mark} ${entry.at}` : `at ${entry.position}`);

function draw(entry) {
  if (entry.mark) return { node: element('p', { class: 'mark' }, say('renewed')) };
  const mine = entry.id !== undefined;
  const kind = mine ? say('me') : say(`kind_${entry.kind}` in CATALOGUE[language] ? `kind_${entry.kind}` : 'kind_notice');
  const number = !mine && entry.ticket ? ` \u00b7 ${say('number', { number: entry.ticket })}` : '';
  const node = element('div', { class: mine ? 'entry mine' : 'entry', part: 'entry' },
    element('p', { class: 'meta' }, `${kind}${number} \u00b7 `, element('time', { datetime: new Date(entry.at).toISOString() }, clock(entry.at))),
    element('p', { class: 'text' }, ...linked(entry.text)));
  if (!mine) {
    node.dataset.kind = entry.kind;
    node.dataset.ticket = entry.ticket ?? '';
    return { node };
  }
  const state = element('p', { class: 'state', part: 'state' });
  const edit = element('button', { part: 'edit', type: 'button', hidden: '' }, say('edit'));
  edit.addEventListener('click', () => {
    change(kept => { kept.entries = kept.entries.filter(other => other.id !== entry.id); });
    input.value = input.value.trim() ? `${input.value}\n${entry.text}` : entry.text;
    input.focus();
    render();
  });
  node.append(state, edit);
  node.dataset.id = entry.id;
  return { node, state, edit };
}

/** Brings what is seen to what is kept. Nodes that stay are not touched, so that a reader hears only what is new. */
function render() {
  const kept = read();
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
  const keys = new Set(kept.entries.map(keyOf));
  for (const [key, { node }] of shown) {
    if (!keys.has(key)) {
      node.remove();
      shown.delete(key);
    }
  }
  let grown = false;
  for (const entry of kept.entries) {
    const key = keyOf(entry);
    if (!shown.has(key)) {
      const drawn = draw(entry);
      shown.set(key, drawn);
      log.append(drawn.node);
      grown = true;
    }
    const { node, state, edit } = shown.get(key);
    if (!state) continue;
    const text = stateText(entry);
    if (state.textContent !== text) state.textContent = text;
    node.dataset.state = entry.state;
    node.dataset.ticket = entry.ticket ?? '';
    edit.hidden = entry.state !== 'failed';
  }
  empty.hidden = kept.entries.length > 0;
  if (grown && atEnd) log.scrollTop = log.scrollHeight;

  const connection = welcomed ? 'connected' : lostAt === null ? 'connecting' : 'offline';
  const words = welcomed ? say('connected') : lostAt === null ? say('connecting') : say('offline', { time: clock(lostAt) });
  if (status.textContent !== words) status.textContent = words;
  status.dataset.state = connection;

  if (open && kept.position !== null && kept.seen < kept.position) change(state => { state.seen = state.position; });
  const unread = open ? 0 : kept.entries.filter(entry => entry.position > kept.seen).length;
  badge.hidden = unread === 0;
  badge.textContent = String(unread);
  const announcement = unread === 0 ? '' : say('announce', { count: unread });
  if (announcer.textContent !== announcement) announcer.textContent = announcement;
  launcher.setAttribute('aria-label', unread === 0 ? say('launcher') : say('launcher_unread', { count: unread }));
}

function toggle(show) {
  open = show;
  panel.hidden = !show;
  region.classList.toggle('open', show);
  launcher.setAttribute('aria-expanded', String(show));
  confirmation.hidden = true;
  if (show) connect();
  render();
  log.scrollTop = log.scrollHeight;
  (show ? input : launcher).focus();
}

function ask(show) {
  confirmation.hidden = !show;
  (show ? eraseNo : eraser).focus();
}

function complain(words) {
  problem.textContent = words;
  input.setAttribute('aria-invalid', String(words !== ''));
  if (words !== '') input.focus();
}

function submit() {
  const text = input.value.trim();
  // The hub counts characters, not UTF-16 units.
  const length = Array.from(text).length;
  const wrong = length === 0 ? say('error_empty') : length > maxChars ? say('error_long', { count: maxChars, length }) : '';
  complain(wrong);
  if (wrong !== '') return;
  change(kept => {
    kept.entries.push({ id: newId(), text, at: Date.now(), state: 'queued' });
    kept.draft = '';
  });
  input.value = '';
  render();
  log.scrollTop = log.scrollHeight;
  connect();
  flush();
}

launcher.addEventListener('click', () => toggle(!open));
closer.addEventListener('click', () => toggle(false));
panel.addEventListener('keydown', event => {
  // Escape and Enter belong to the input method while it composes.
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === 'Escape') {
    event.stopPropagation();
    if (confirmation.hidden) toggle(false);
    else ask(false);
  } else if (event.key === 'Enter' && event.target === input && !event.shiftKey) {
    event.preventDefault();
    submit();
  }
});
form.addEventListener('submit', event => {
  event.preventDefault();
  submit();
});
input.addEventListener('input', () => {
  if (problem.textContent !== '') complain('');
  change(kept => { kept.draft = input.value; });
});
eraser.addEventListener('click', () => ask(true));
eraseNo.addEventListener('click', () => ask(false));
eraseYes.addEventListener('click', () => {
  change(kept => Object.assign(kept, { session: null, position: null, seen: 0, draft: '', entries: [] }));
  confirmation.hidden = true;
  input.value = '';
  complain('');
  forget();
  render();
  input.focus();
});

const host = element('div', { id: 'yingda-widget' });
const root = host.attachShadow({ mode: 'open' });
root.adoptedStyleSheets = [sheet];
root.append(region);

function start() {
  document.body.append(host);
  const kept = read();
  input.value = kept.draft ?? '';
  render();
  // Whoever has only opened the page has no connection; whoever waits for an answer has.
  if (kept.session !== null || kept.entries.some(entry => entry.state === 'queued')) connect();
}
if (document.body) start();
else addEventListener('DOMContentLoaded', start);
})();
