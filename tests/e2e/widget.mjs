// A citizen chats through the embeddable widget, by keyboard, and comes back later.
//
// {path, text, reply?}
//     opens `path`, a page that embeds the widget, sends `text`, waits until the hub has it and acknowledges; with
//     `reply` waits up to 45 s for an answer that contains it; then reloads and expects the same conversation again.
// Returns {entries, after_reload}: {kind, ticket, text} of each entry of the log before and after the reload; `kind` is
// null for the citizen's own.
//
// The widget's shadow tree is addressed by its public parts and their data attributes.
import { journey } from './browser.mjs';

const REPLY_MS = 45_000;

const part = (page, name, rest = '') => page.locator(`[part~="${name}"]${rest}`);

const entries = (page) =>
  part(page, 'entry').evaluateAll((nodes) =>
    nodes.map((node) => ({
      kind: node.dataset.kind ?? null,
      ticket: node.dataset.ticket ?? null,
      text: node.querySelector('.text').textContent,
    })),
  );

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
  // Opening puts the caret into the input: a citizen can write at once.
  await part(page, 'input', ':focus').waitFor();
  await page.keyboard.insertText(given.text);
  await page.keyboard.press('Enter');
  await part(page, 'entry', '[data-state="taken"]').waitFor();
  await part(page, 'entry', '[data-kind="acknowledgement"]').waitFor();
  if (given.reply) {
    await part(page, 'entry', '[data-kind="reply"]').filter({ hasText: given.reply }).waitFor({ timeout: REPLY_MS });
  }
  await judge('with messages');
  const before = await entries(page);

  await page.reload();
  await open(page);
  await part(page, 'entry').nth(before.length - 1).waitFor();
  return { entries: before, after_reload: await entries(page) };
});
