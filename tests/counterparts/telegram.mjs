// A strict double of the Telegram Bot API (https://core.telegram.org/bots/api), without dependencies.
//
// usage: node telegram.mjs PORT
//
// It refuses what Telegram refuses: unknown methods and tokens of a wrong form (404), missing parameters, empty and
// over-long texts, callback data over 64 bytes, chats that never wrote to the bot (400), a second getUpdates while one
// waits, getUpdates beside a webhook (409). An update stays until an offset confirms it, or until the webhook answers
// 2xx; a webhook that fails is called again.
//
// The test's side is /control/TOKEN/VERB, JSON in and out:
//   say      {chat, text, name?, language?}        a private text message
//   message  {chat, ...fields of Message}          any other message (photo, document, location, media_group_id)
//   press    {chat, data}                          a button under the last message
//   update   {...fields of Update}                 anything, as it is
//   file     {file_id, base64}                     makes a file that getFile knows
//   block    {chat} / unblock {chat}               the citizen blocks the bot (403 on sends, my_chat_member)
//   fault    [{code, retry_after?, method?, after?, drop?}]
//            answers to the next calls (of `method`, else of any send); `after` does the work first; `drop` closes
//            the connection instead of answering
//   calls    every call so far: {method, parameters, status, at}
//   state    {pending, webhook, waiting, polls}: whether a long poll waits, and how many have begun to
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const MAX_TEXT = 4096; // UTF-16 code units after entity parsing
const MAX_CAPTION = 1024;
const MAX_CALLBACK_BYTES = 64;
const WEBHOOK_RETRY_MS = 200;

class Refusal extends Error {
  constructor(code, description, parameters) {
    super(description);
    this.code = code;
    this.parameters = parameters;
  }
}
const bad = (description) => new Refusal(400, `Bad Request: ${description}`);

class Bot {
  constructor(token) {
    this.id = Number(token.split(':')[0]);
    this.token = token;
    this.updates = [];
    this.nextUpdate = 1000 + (this.id % 1000);
    this.nextMessage = 1;
    this.webhook = null;
    this.waiting = null;
    this.polls = 0;
    this.chats = new Map();
    this.blocked = new Set();
    this.files = new Map();
    this.calls = [];
    this.faults = [];
    this.delivering = false;
  }

  user() {
    return {
      id: this.id,
      is_bot: true,
      first_name: 'Hotline',
      username: 'hotline_bot',
      can_join_groups: true,
      can_read_all_group_messages: false,
      supports_inline_queries: false,
      can_connect_to_business: false,
      has_main_web_app: false,
      has_topics_enabled: false,
      allows_users_to_create_topics: false,
    };
  }

  chat(id) {
    return { id, type: 'private', first_name: this.chats.get(id)?.name ?? 'Citizen' };
  }

  citizen({ chat, name, language }) {
    const known = this.chats.get(chat) ?? { name: name ?? 'Citizen', language: language ?? 'zh-hans' };
    this.chats.set(chat, { name: name ?? known.name, language: language ?? known.language });
    return { id: chat, is_bot: false, first_name: name ?? known.name, language_code: language ?? known.language };
  }

  message(from, chat, fields) {
    return {
      message_id: this.nextMessage++,
      date: Math.floor(Date.now() / 1000),
      chat: this.chat(chat),
      from,
      ...fields,
    };
  }

  push(fields) {
    const update = { update_id: this.nextUpdate++, ...fields };
    this.updates.push(update);
    this.waiting?.wake();
    void this.deliver();
    return update;
  }

  // Posts pending updates to the webhook, one after the other, until each is answered with 2xx.
  async deliver() {
    if (this.delivering) return;
    this.delivering = true;
    while (this.webhook && this.updates.length > 0) {
      const headers = { 'content-type': 'application/json' };
      if (this.webhook.secret_token) headers['x-telegram-bot-api-secret-token'] = this.webhook.secret_token;
      const taken = await fetch(this.webhook.url, { method: 'POST', headers, body: JSON.stringify(this.updates[0]) })
        .then((response) => response.ok, () => false);
      if (taken) this.updates.shift();
      else await pause(WEBHOOK_RETRY_MS);
    }
    this.delivering = false;
  }
}

const bots = new Map();
const botOf = (token) => {
  if (!/^\d{3,}:[\w-]{10,}$/.test(token)) throw new Refusal(404, 'Not Found');
  if (!bots.has(token)) bots.set(token, new Bot(token));
  return bots.get(token);
};

// ---- parameters

function parameters(request, url, body) {
  const type = request.headers['content-type'] ?? '';
  const values = Object.fromEntries(url.searchParams);
  if (type.startsWith('application/json')) return { ...values, ...JSON.parse(body.toString() || '{}') };
  if (type.startsWith('application/x-www-form-urlencoded')) {
    return { ...values, ...Object.fromEntries(new URLSearchParams(body.toString())) };
  }
  if (type.startsWith('multipart/form-data')) return { ...values, ...multipart(type, body) };
  return values;
}

// RFC 7578, as far as bot libraries use it; latin1 keeps every byte.
function multipart(type, body) {
  const boundary = /boundary="?([^";]+)/.exec(type)?.[1];
  if (!boundary) throw bad('multipart without boundary');
  const values = {};
  for (const part of body.toString('latin1').split(`--${boundary}`)) {
    const split = part.indexOf('\r\n\r\n');
    if (split < 0) continue;
    const head = Buffer.from(part.slice(0, split), 'latin1').toString();
    const content = Buffer.from(part.slice(split + 4, -2), 'latin1');
    const name = /\bname="([^"]*)"/.exec(head)?.[1];
    if (name === undefined) continue;
    const file = /filename="([^"]*)"/.exec(head)?.[1];
    values[name] = file === undefined ? content.toString() : { file, base64: content.toString('base64') };
  }
  return values;
}

const asObject = (value, name) => {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    throw bad(`can't parse ${name} JSON object`);
  }
};

function target(bot, given) {
  const id = Number(given.chat_id);
  if (given.chat_id === undefined || given.chat_id === '') throw bad('chat_id is empty');
  if (bot.blocked.has(id)) throw new Refusal(403, 'Forbidden: bot was blocked by the user');
  if (!bot.chats.has(id)) throw bad('chat not found');
  return id;
}

function checkText(text, limit, empty, long) {
  if (typeof text !== 'string' || text.trim() === '') throw bad(empty);
  if (text.length > limit) throw bad(long);
}

function checkMarkup(given) {
  const markup = asObject(given.reply_markup, 'reply markup');
  for (const button of (markup?.inline_keyboard ?? []).flat()) {
    if (!button.text) throw bad('text buttons are unallowed in the inline keyboard');
    if (button.callback_data !== undefined) {
      const bytes = Buffer.byteLength(button.callback_data);
      if (bytes < 1 || bytes > MAX_CALLBACK_BYTES) throw bad('BUTTON_DATA_INVALID');
    }
  }
  return markup;
}

// ---- methods

function sent(bot, chat, given, fields) {
  const markup = checkMarkup(given);
  const answered = asObject(given.reply_parameters, 'reply parameters');
  if (answered && !answered.message_id) throw bad('message to be replied not found');
  return bot.message(bot.user(), chat, { ...fields, ...(markup?.inline_keyboard ? { reply_markup: markup } : {}) });
}

// A send of one file: under `field`, as an upload, a file id, an address, or attach://PART.
const sendFile = (field) => (bot, given) => {
  const chat = target(bot, given);
  let file = given[field];
  if (typeof file === 'string' && file.startsWith('attach://')) file = given[file.slice('attach://'.length)];
  if (!file) throw bad(`there is no ${field} in the request`);
  if (given.caption) checkText(given.caption, MAX_CAPTION, 'caption is empty', 'message caption is too long');
  const id = typeof file === 'string' ? file : `sent-${bot.nextMessage}`;
  if (typeof file !== 'string') bot.files.set(id, Buffer.from(file.base64, 'base64'));
  const size = bot.files.get(id)?.length ?? 0;
  const one = { file_id: id, file_unique_id: `u-${id}`, file_size: size };
  const content = field === 'photo'
    ? [{ ...one, width: 90, height: 90 }]
    : { ...one, file_name: file.file, ...(field === 'voice' ? { duration: 1 } : {}) };
  return sent(bot, chat, given, { [field]: content, ...(given.caption ? { caption: given.caption } : {}) });
};

async function longPoll(bot, seconds, closed) {
  let timer;
  let own;
  try {
    await new Promise((resolve, reject) => {
      const conflict = 'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running';
      own = { wake: resolve, conflict: () => reject(new Refusal(409, conflict)) };
      bot.waiting = own;
      bot.polls += 1;
      timer = setTimeout(resolve, seconds * 1000);
      closed.addEventListener('abort', resolve, { once: true });
    });
  } finally {
    clearTimeout(timer);
    if (bot.waiting === own) bot.waiting = null;
  }
}

const methods = {
  getme: (bot) => bot.user(),
  async getupdates(bot, given, closed) {
    if (bot.webhook) {
      throw new Refusal(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first");
    }
    const offset = Number(given.offset ?? 0);
    if (offset > 0) bot.updates = bot.updates.filter((update) => update.update_id >= offset);
    if (offset < 0) bot.updates = bot.updates.slice(offset);
    // The newer request wins, as with Telegram.
    bot.waiting?.conflict();
    const seconds = Math.min(Number(given.timeout ?? 0), 50);
    if (bot.updates.length === 0 && seconds > 0) await longPoll(bot, seconds, closed);
    return bot.updates.slice(0, Math.min(Number(given.limit ?? 100), 100));
  },
  setwebhook(bot, given) {
    if (given.secret_token && !/^[\w-]{1,256}$/.test(given.secret_token)) {
      throw bad('secret token contains unallowed characters');
    }
    bot.webhook = given.url ? { url: given.url, secret_token: given.secret_token } : null;
    if (given.drop_pending_updates === true || given.drop_pending_updates === 'true') bot.updates = [];
    if (bot.webhook) bot.waiting?.conflict();
    void bot.deliver();
    return true;
  },
  deletewebhook(bot, given) {
    bot.webhook = null;
    if (given.drop_pending_updates === true || given.drop_pending_updates === 'true') bot.updates = [];
    return true;
  },
  getwebhookinfo: (bot) => ({
    url: bot.webhook?.url ?? '',
    has_custom_certificate: false,
    pending_update_count: bot.updates.length,
  }),
  sendmessage(bot, given) {
    const chat = target(bot, given);
    checkText(given.text, MAX_TEXT, 'message text is empty', 'message is too long');
    return sent(bot, chat, given, { text: given.text });
  },
  sendphoto: sendFile('photo'),
  senddocument: sendFile('document'),
  sendvoice: sendFile('voice'),
  sendlocation(bot, given) {
    const chat = target(bot, given);
    const [latitude, longitude] = [Number(given.latitude), Number(given.longitude)];
    if (!Number.isFinite(latitude) || !Number.isFinite(longitude)) throw bad('wrong coordinates');
    return sent(bot, chat, given, { location: { latitude, longitude } });
  },
  sendchataction(bot, given) {
    target(bot, given);
    if (!given.action) throw bad('wrong parameter action in request');
    return true;
  },
  answercallbackquery(bot, given) {
    if (!given.callback_query_id) throw bad('query is too old and response timeout expired or query ID is invalid');
    return true;
  },
  editmessagetext(bot, given) {
    const chat = target(bot, given);
    if (!given.message_id) throw bad('message to edit not found');
    checkText(given.text, MAX_TEXT, 'message text is empty', 'MESSAGE_TOO_LONG');
    return sent(bot, chat, given, { text: given.text });
  },
  editmessagereplymarkup(bot, given) {
    const chat = target(bot, given);
    if (!given.message_id) throw bad('message to edit not found');
    return sent(bot, chat, given, {});
  },
  getfile(bot, given) {
    if (!given.file_id) throw bad('file_id not specified');
    const file = bot.files.get(given.file_id);
    if (!file) throw bad('invalid file_id');
    return {
      file_id: given.file_id,
      file_unique_id: `u-${given.file_id}`,
      file_size: file.length,
      file_path: `files/${given.file_id}`,
    };
  },
  setmycommands: () => true,
  deletemycommands: () => true,
};

// ---- the test's side

const memberOf = (bot, chat, status) => ({
  my_chat_member: {
    chat: bot.chat(chat),
    from: bot.citizen({ chat }),
    date: Math.floor(Date.now() / 1000),
    old_chat_member: { status: status === 'kicked' ? 'member' : 'kicked', user: bot.user(), until_date: 0 },
    new_chat_member: { status, user: bot.user(), until_date: 0 },
  },
});

const controls = {
  say: (bot, given) => bot.push({ message: bot.message(bot.citizen(given), given.chat, { text: given.text }) }),
  message(bot, { chat, name, language, ...fields }) {
    return bot.push({ message: bot.message(bot.citizen({ chat, name, language }), chat, fields) });
  },
  press(bot, { chat, data }) {
    const from = bot.citizen({ chat });
    const message = bot.message(bot.user(), chat, { text: 'choose' });
    return bot.push({ callback_query: { id: `q${bot.nextUpdate}`, from, message, chat_instance: `${chat}`, data } });
  },
  update: (bot, given) => bot.push(given),
  file(bot, { file_id, base64 }) {
    bot.files.set(file_id, Buffer.from(base64, 'base64'));
    return true;
  },
  block(bot, { chat }) {
    bot.blocked.add(chat);
    return bot.push(memberOf(bot, chat, 'kicked'));
  },
  unblock(bot, { chat }) {
    bot.blocked.delete(chat);
    return bot.push(memberOf(bot, chat, 'member'));
  },
  fault(bot, given) {
    bot.faults.push(...given);
    return bot.faults.length;
  },
  calls: (bot) => bot.calls,
  state: ({ updates, webhook, waiting, polls }) => ({ pending: updates.length, webhook, waiting: waiting !== null, polls }),
};

// ---- the server

const DESCRIPTIONS = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden: bot was blocked by the user',
  409: 'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
};

function takeFault(bot, method) {
  const index = bot.faults.findIndex((fault) => (fault.method ? fault.method.toLowerCase() === method : method.startsWith('send')));
  return index < 0 ? null : bot.faults.splice(index, 1)[0];
}

async function call(bot, name, given, closed) {
  const method = name.toLowerCase();
  if (!Object.hasOwn(methods, method)) throw new Refusal(404, 'Not Found: method not found');
  const fault = takeFault(bot, method);
  const entry = { method, parameters: given, status: 200, at: Date.now() };
  if (method !== 'getupdates') bot.calls.push(entry);
  try {
    if (fault && !fault.after) throw faultRefusal(fault);
    const result = await methods[method](bot, given, closed);
    if (fault) throw faultRefusal(fault);
    return result;
  } catch (error) {
    entry.status = error.code ?? 500;
    throw error;
  }
}

function faultRefusal(fault) {
  const description = fault.code === 429 ? `Too Many Requests: retry after ${fault.retry_after}` : DESCRIPTIONS[fault.code];
  const refusal = new Refusal(fault.code ?? 0, description ?? 'Internal Server Error');
  if (fault.retry_after !== undefined) refusal.parameters = { retry_after: fault.retry_after };
  refusal.drop = fault.drop === true;
  return refusal;
}

async function answer(request, url, body, closed) {
  const file = /^\/file\/bot([^/]+)\/files\/(.+)$/.exec(url.pathname);
  if (file) {
    const bytes = botOf(file[1]).files.get(decodeURIComponent(file[2]));
    if (!bytes) throw new Refusal(404, 'Not Found');
    return bytes;
  }
  const control = /^\/control\/([^/]+)\/(\w+)$/.exec(url.pathname);
  if (control && Object.hasOwn(controls, control[2])) {
    return { ok: true, result: controls[control[2]](botOf(control[1]), JSON.parse(body.toString() || '{}')) };
  }
  const bot = /^\/bot([^/]+)\/(\w+)$/.exec(url.pathname);
  if (!bot) throw new Refusal(404, 'Not Found');
  return { ok: true, result: await call(botOf(bot[1]), bot[2], parameters(request, url, body), closed) };
}

const server = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const closed = new AbortController();
  response.on('close', () => closed.abort());
  const write = (status, value) => {
    const raw = Buffer.isBuffer(value);
    response.writeHead(status, { 'content-type': raw ? 'application/octet-stream' : 'application/json' });
    response.end(raw ? value : JSON.stringify(value));
  };
  try {
    write(200, await answer(request, new URL(request.url, 'http://localhost'), Buffer.concat(chunks), closed.signal));
  } catch (error) {
    if (error.drop) return void request.socket.destroy();
    if (!(error instanceof Refusal) && !(error instanceof SyntaxError)) console.error(error);
    const code = error instanceof Refusal ? error.code : 400;
    const extra = error.parameters ? { parameters: error.parameters } : {};
    write(code, { ok: false, error_code: code, description: error.message, ...extra });
  }
});
// An idle connection that the server closes just when the client sends again would look like a fault that no test asked for.
server.keepAliveTimeout = 0;
server.listen(Number(process.argv[2]), '127.0.0.1');
