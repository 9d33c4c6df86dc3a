// A department's desk on a phone: arrivals wait behind a counter, signing, an answer with a photo whose draft survives a
// reload, a message and a change that stop it from being sent unseen, a question, a send-back, and nobody's telephone shown.
//
// {staff, secret: of the SMS account, from: a citizen's telephone, department, screenshots?: folder}; returns what each step saw
import { sms } from './citizen.mjs';
import { journey, logIn, SCREENS } from './harness.mjs';

const EXPECTED = [/status of 401/, /status of 409/];
const PHOTO = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const REPLY = '路灯已于今天下午修好，感谢您的反映。';

await journey(async ({ base, given, staff, open, judge }) => {
  const { secret, from, department } = given;
  const picture = async (page, name) => {
    if (given.screenshots) await page.screenshot({ path: `${given.screenshots}/${name}.png` });
  };
  const handler = staff('handler', department);
  await sms(base, secret, from, '人民路和解放路路口的路灯坏了三天，晚上很黑');

  const page = await open({ screen: SCREENS.phone, expected: EXPECTED });
  await logIn(page, base, handler, '/desk');
  const rows = page.locator('[data-row-focus]');
  await rows.filter({ hasText: '路灯' }).waitFor();
  await judge(page, 'desk inbox');
  await picture(page, 'desk-inbox');

  // New tickets announce themselves and wait.
  await sms(base, secret, '+8613800138088', '中山路的路灯也不亮了，请派人维修');
  const arrivals = page.getByRole('button', { name: '1 件新工单' });
  await arrivals.waitFor();
  const waiting = await rows.count();
  await arrivals.click();
  await rows.filter({ hasText: '中山路' }).waitFor();

  // Sign, answer with a photo; what is written survives a reload.
  await rows.filter({ hasText: '路口的路灯' }).click();
  await page.getByRole('button', { name: '签收' }).click();
  await page.getByRole('button', { name: '答复诉求人' }).click();
  const text = page.locator('textarea');
  await text.fill(REPLY);
  await page.locator('input[capture="environment"]').setInputFiles({ name: 'after.png', mimeType: 'image/png', buffer: PHOTO });
  await page.getByRole('list', { name: '随附文件' }).getByText('after.png').waitFor();
  await page.getByText('草稿已于').waitFor();
  const number = new URL(page.url()).pathname.split('/').at(-1);
  await page.reload();
  await page.waitForFunction((reply) => document.querySelector('textarea')?.value === reply, REPLY);
  await page.getByRole('list', { name: '随附文件' }).getByText('after.png').waitFor();
  await judge(page, 'desk answer');
  await picture(page, 'desk-answer');

  // The citizen writes again and the supervisor changes the ticket: nothing goes out before that was seen.
  await sms(base, secret, from, '现在连旁边的灯也灭了');
  const supervisor = await open({ expected: EXPECTED });
  await logIn(supervisor, base, staff('supervisor'), '/me');
  await page.getByText('又发来 1 条消息').waitFor();
  await supervisor.evaluate(async (of) => {
    const headers = { 'content-type': 'application/json', 'yingda-console': '1' };
    const { version } = await (await fetch(`/api/v1/tickets/${of}`)).json();
    const body = JSON.stringify({ priority: 'high', reason: 'journey', version });
    const answer = await fetch(`/api/v1/tickets/${of}/priority`, { method: 'POST', headers, body });
    if (!answer.ok) throw new Error(`the priority was not changed: ${answer.status}`);
  }, number);
  await supervisor.context().close();
  await page.getByRole('listitem').filter({ hasText: '紧急程度' }).waitFor();
  const change = await page.getByRole('listitem').filter({ hasText: '紧急程度' }).innerText();
  const send = page.getByRole('button', { name: '通过短信发送答复' });
  const stopped = await send.isDisabled();
  await judge(page, 'desk changed');
  await picture(page, 'desk-changed');
  await page.getByRole('button', { name: '我已查看' }).click();
  const kept = (await text.inputValue()) === REPLY;
  await send.click();
  const answered = page.getByRole('listitem').filter({ hasText: '公开答复' }).filter({ hasText: REPLY });
  await answered.waitFor();
  const photo = answered.locator('img');
  await photo.scrollIntoViewIfNeeded();
  await page.waitForFunction(() => [...document.querySelectorAll('img')].every((image) => image.complete && image.naturalWidth > 0));
  await picture(page, 'desk-answered');
  const hidden = !(await page.locator('body').innerText()).includes(from.slice(-8));

  // The other one: a question by the menu, then back to the call centre, which needs a reason.
  await page.getByRole('link', { name: '返回待办' }).click();
  await rows.filter({ hasText: '中山路' }).click();
  await page.getByRole('button', { name: '更多' }).click();
  await page.getByRole('menuitem', { name: '询问诉求人' }).click();
  await text.fill('请问是哪一段中山路？');
  await page.keyboard.press('Control+Enter');
  await page.getByRole('listitem').filter({ hasText: '向诉求人询问' }).waitFor();
  await page.getByRole('button', { name: '更多' }).click();
  await page.getByRole('menuitem', { name: '退回热线' }).click();
  await page.getByRole('button', { name: '退回热线' }).click();
  await page.getByText('请选择退单原因').waitFor();
  await judge(page, 'desk send back');
  await picture(page, 'desk-send-back');
  await page.getByLabel('退单原因').selectOption('outside_district');
  await text.fill('中山路东段由区里管养');
  await page.getByRole('button', { name: '退回热线' }).click();
  // It is another's now: the inbox no longer has it.
  await page.getByRole('listitem').filter({ hasText: '已退回热线' }).first().waitFor();
  await page.goto(`${base}/console/desk`);
  await page.getByText('没有待办工单').waitFor();
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

  // The same desk on a wide screen, in English, dark, by keyboard.
  await sms(base, secret, '+8613800138099', '建设路的路灯坏了');
  const wide = await open({ language: 'en', theme: 'dark', expected: EXPECTED });
  await logIn(wide, base, handler, '/desk');
  await wide.locator('[data-row-focus]').filter({ hasText: '建设路' }).waitFor();
  await wide.keyboard.press('j');
  await wide.keyboard.press('Enter');
  await wide.getByRole('button', { name: 'Sign for it' }).waitFor();
  await judge(wide, 'desk wide');
  await picture(wide, 'desk-en-dark');
  await wide.keyboard.press('s');
  await wide.getByRole('button', { name: 'Answer the citizen' }).waitFor();
  await wide.keyboard.press('n');
  await wide.locator('textarea').waitFor();
  await wide.waitForFunction(() => document.activeElement?.tagName === 'TEXTAREA');
  await wide.keyboard.type('Crew 3 is on its way');
  await judge(wide, 'desk note');
  await wide.keyboard.press('Control+Enter');
  await wide.getByRole('listitem').filter({ hasText: 'Internal note' }).waitFor();
  return { number, waiting, change, stopped, kept, hidden, overflow };
});
