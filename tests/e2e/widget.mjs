// A citizen chats through the embeddable widget, by keyboard, and comes back later.
//
// {path, text, reply?}
//     opens `path`, a page that embeds the widget, sends `text`, waits for the acknowledgement; with `reply` waits for
//     a message that contains it; then reloads and expects the same conversation again.
// Returns {messages, after_reload}: the texts in the log before and after the reload.
//
// The widget's shadow tree is addressed by its public parts: launcher, panel, log, message, input, send, status.
import { journey } from './browser.mjs';

const part = (page, name) => page.locator(`[part~="${name}"]`);
const texts = async (page) => (await part(page, 'message').allInnerTexts()).map((text) => text.trim());

async function open(page) {
  await part(page, 'launcher').focus();
  await page.keyboard.press('Enter');
  await part(page, 'input').waitFor();
}

await journey(async ({ page, base, given, judge }) => {
  await page.goto(base + given.path);
  await judge('closed');
  await open(page);
  await judge('open');
  await part(page, 'input').fill(given.text);
  await page.keyboard.press('Enter');
  // The citizen's own message, and the hub's acknowledgement with the ticket's number.
  await part(page, 'message').nth(1).waitFor();
  if (given.reply) await part(page, 'message').filter({ hasText: given.reply }).waitFor();
  await judge('with messages');
  const messages = await texts(page);

  await page.reload();
  await open(page);
  await part(page, 'message').nth(messages.length - 1).waitFor();
  return { messages, after_reload: await texts(page) };
});
