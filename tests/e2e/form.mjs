// A citizen files an appeal with the form and follows it, with JavaScript switched off.
//
// {file: {text, place?, name?, confidential?, answer_channel?, answer_address?, photos?: [{name, media_type, base64}]}}
//     files it; returns {number, code, confirmation, track}: the page after filing and the tracking page as text
// {track: {number, code}}
//     only follows it; returns {track}
// {confirm: {number, code, entered}}
//     confirms the address for the answer with the code that was sent there; returns {track}
import { journey } from './browser.mjs';

// The page that answers has been read to its end, also when it has the address of the one before.
async function submit(page, field) {
  const answered = page.waitForEvent('load');
  await page.locator('form').filter({ has: page.locator(`[name="${field}"]`) }).locator('button, [type="submit"]').first().click();
  await answered;
}

// A choice may be drawn as a list or as radio buttons.
async function choose(page, name, value) {
  const list = page.locator(`select[name="${name}"]`);
  if (await list.count()) await list.selectOption(value);
  else await page.locator(`input[name="${name}"][value="${value}"]`).check();
}

async function file(page, base, fields, judge) {
  await page.goto(`${base}/`);
  await judge('/');
  for (const name of ['text', 'place', 'name', 'answer_address']) {
    if (fields[name] !== undefined) await page.locator(`[name="${name}"]`).fill(fields[name]);
  }
  if (fields.confidential) await page.locator('input[name="confidential"]').check();
  if (fields.answer_channel) await choose(page, 'answer_channel', fields.answer_channel);
  if (fields.photos) {
    await page.locator('input[name="photos"]').setInputFiles(
      fields.photos.map(({ name, media_type, base64 }) => ({
        name,
        mimeType: media_type,
        buffer: Buffer.from(base64, 'base64'),
      })),
    );
  }
  await submit(page, 'text');
  const number = (await page.locator('#ticket-number').innerText()).trim();
  const code = (await page.locator('#query-code').innerText()).trim();
  await judge('the confirmation');
  return { number, code, confirmation: await page.locator('body').innerText() };
}

async function track(page, base, { number, code, entered }, judge) {
  await page.goto(`${base}/track`);
  await judge('/track');
  await page.locator('[name="number"]').fill(number);
  await page.locator('[name="code"]').fill(code);
  await submit(page, 'number');
  await judge('the tracked ticket');
  if (entered) {
    await page.locator('[name="confirmation"]').fill(entered);
    await submit(page, 'confirmation');
    await judge('the confirmed address');
  }
  return { track: (await page.locator('body').innerText()).trim() };
}

await journey(
  async ({ page, base, given, judge }) => {
    const filed = given.file ? await file(page, base, given.file, judge) : {};
    return { ...filed, ...(await track(page, base, given.track ?? given.confirm ?? filed, judge)) };
  },
  { javascript: false },
);
