// A mail with a picture: shown as text, as it looked in a frame where nothing runs and nothing is loaded from elsewhere until
// asked for, and its attachment small and large.
//
// {staff, screenshots?: folder}; returns {text, framed, asked_before, asked_after, picture}
import { journey, logIn } from './harness.mjs';

const ELSEWHERE = /pictures\.test/;

await journey(async ({ base, given, staff, open, judge }) => {
  const page = await open({ expected: [/status of 401/, ELSEWHERE, /net::ERR/] });
  const asked = [];
  page.on('request', (request) => {
    if (ELSEWHERE.test(request.url())) asked.push(request.url());
  });
  await page.route(ELSEWHERE, (route) => route.abort());
  await logIn(page, base, staff('agent'), '/queue');
  await page.locator('[data-pane="1"] [data-row-focus]').first().click();
  const message = page.locator('[data-message="appeal"]').first();
  await message.waitFor();
  const text = await message.innerText();

  await judge(page, 'mail');
  const attached = page.waitForEvent('frameattached');
  await message.getByRole('button', { name: '查看邮件原样' }).click();
  // Only a frame that is loaded has had the chance to ask for its pictures.
  await (await attached).waitForURL(/\/appeals\//);
  // Nothing can run in the frame, not even what looks into it: its page is read by its address.
  const address = await page.locator('iframe[sandbox=""]').getAttribute('src');
  const framed = await page.evaluate(async (at) => {
    const answer = await fetch(at);
    return { html: await answer.text(), policy: answer.headers.get('content-security-policy'), left_out: answer.headers.get('yingda-remote-images') };
  }, address);
  const asked_before = asked.length;
  if (given.screenshots) await page.screenshot({ path: `${given.screenshots}/mail.png` });
  const wanted = page.waitForRequest(ELSEWHERE);
  await page.getByRole('button', { name: '显示外部图片' }).click();
  await wanted;
  const asked_after = asked.length;
  await page.getByRole('button', { name: '收起邮件原样' }).click();

  // The attachment: small in the conversation, large when asked for.
  const small = message.locator('ul img');
  await page.waitForFunction(() => document.querySelector('[data-message="appeal"] ul img')?.naturalWidth > 0);
  await small.click();
  const large = page.getByRole('dialog');
  await large.waitFor();
  await page.waitForFunction(() => document.querySelector('[role="dialog"] img')?.naturalWidth > 0);
  await judge(page, 'picture');
  const picture = { name: await large.getByRole('heading').innerText(), width: await large.locator('img').evaluate((image) => image.naturalWidth) };
  return { text, framed, asked_before, asked_after, picture };
});
