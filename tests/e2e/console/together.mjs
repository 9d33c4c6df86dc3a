// Two people on one ticket: colleagues see that somebody writes; sending stops when the citizen or a colleague was quicker,
// says who changed what, and keeps the text; a draft survives reload, the colleague's change and the end of the session; what
// is sent without a connection stays, says so, and goes out once by one key when the connection is back.
//
// {staff, secret: of the SMS account, from: a citizen's telephone, screenshots?: folder}; returns what each step saw
import { sms } from './citizen.mjs';
import { journey, logIn } from './harness.mjs';

const REFUSED = [/status of 401/, /status of 409/, /ERR_INTERNET_DISCONNECTED/, /WebSocket connection/];
const TEXT = '您好，维修人员今天下午到场。';

await journey(async ({ base, given, staff, open, judge }) => {
  const { secret, from } = given;
  const picture = async (page, name) => {
    if (given.screenshots) await page.screenshot({ path: `${given.screenshots}/${name}.png` });
  };
  await sms(base, secret, from, '西湖区文三路的路灯坏了，晚上很黑');
  const agent = staff('agent');

  const page = await open({ expected: REFUSED });
  const other = await open({ expected: REFUSED });
  for (const [view, who] of [[page, agent], [other, staff('supervisor')]]) {
    await logIn(view, base, who, '/queue');
    await view.locator('[data-pane="1"] [data-row-focus]').first().click();
    await view.locator('[data-message="appeal"]').waitFor();
    await view.keyboard.press('2');
  }
  const area = page.locator('[data-writing] textarea:not([readonly])');
  const work = (view) => view.locator('[data-pane="2"]');
  const conflict = page.locator('[data-conflict]');

  // One writes: the other is told.
  await page.keyboard.press('r');
  await area.fill(TEXT);
  await page.locator('[data-draft]').getByText('草稿已保存').waitFor();
  await other.getByText('正在撰写答复').waitFor();

  // The colleague raises the priority and the citizen writes twice: both are told, the text stays, and sending waits.
  await other.keyboard.press('p');
  await other.getByRole('dialog').locator('select').selectOption('urgent');
  await other.getByRole('dialog').locator('textarea').fill('夜间有人摔倒');
  await other.keyboard.press('Control+Enter');
  await other.getByRole('dialog').waitFor({ state: 'detached' });
  await conflict.getByText('紧急程度').waitFor();
  await sms(base, secret, from, '有人在路口摔倒了');
  await sms(base, secret, from, '请快一点');
  await conflict.getByText('2 条消息').waitFor();
  await conflict.getByText('supervisor将紧急程度改为').waitFor();
  const told = await conflict.innerText();
  await judge(page, 'conflict');
  await picture(page, 'conflict');
  await area.focus();
  await page.keyboard.press('Control+Enter');
  await page.waitForFunction(() => document.activeElement?.closest('[data-conflict]'));
  const held = { text: await area.inputValue(), sent: await work(page).locator('[data-message="reply"]').count() };
  await conflict.getByRole('button', { name: '对比' }).click();
  const compared = await conflict.locator('dl').innerText();
  await judge(page, 'compare');

  // A reload loses nothing, and what happened since is still told.
  await page.reload();
  await area.waitFor();
  await page.waitForFunction((text) => document.querySelector('[data-writing] textarea')?.value === text, TEXT);
  await conflict.getByText('调整紧急程度').first().waitFor();
  const after = await conflict.innerText();
  await conflict.getByRole('button', { name: '保留我的' }).click();
  await conflict.waitFor({ state: 'detached' });

  // The session ends while somebody writes: the login comes over the page, and the answer goes out afterwards.
  await area.press('End');
  // The draft is saved first: otherwise its saving, not the sending, would ask for the login.
  const saved = page.waitForResponse((answer) => answer.request().method() === 'PUT' && answer.url().includes('/drafts/'));
  await area.evaluate((field, text) => {
    field.value += text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }, '请放心。');
  await saved;
  await page.evaluate(() => fetch('/api/v1/session', { method: 'DELETE' }));
  await page.keyboard.press('Control+Enter');
  const renew = page.getByRole('dialog');
  await renew.locator('input[name="login"]').fill(agent.login);
  await renew.locator('input[name="password"]').fill(agent.password);
  await page.keyboard.press('Enter');
  await renew.waitFor({ state: 'detached' });
  await work(page).locator('[data-message="reply"]').getByText('请放心').waitFor();
  await work(other).locator('[data-message="reply"]').getByText('请放心').waitFor();
  await work(page).locator('[data-writing]').waitFor({ state: 'detached' });

  // Without a connection: said since when, nothing is lost, nothing is shown as sent; one key sends it afterwards.
  const later = '后续情况会再告诉您。';
  await page.keyboard.press('2');
  await page.keyboard.press('r');
  await area.fill(later);
  await page.locator('[data-draft]').getByText('草稿已保存').waitFor();
  await page.context().setOffline(true);
  await page.getByText('未能实时更新').waitFor();
  await area.press('End');
  await page.keyboard.insertText('请留意。');
  await page.getByText('1 份草稿已存在本设备').waitFor();
  await page.keyboard.press('Control+Enter');
  const unsent = page.locator('[data-unsent="off"]');
  await unsent.waitFor();
  const offline = { told: await unsent.innerText(), text: await area.inputValue(), shown: await work(page).locator('[data-message="reply"]').filter({ hasText: later }).count() };
  // What was only presumed is taken back, and said to be.
  await page.keyboard.press('Escape');
  await page.keyboard.press('a');
  await page.getByText('受理: 连接不上服务器').first().waitFor();
  await work(page).getByText('→ agent').waitFor({ state: 'detached' });
  await judge(page, 'not sent');
  await picture(page, 'not-sent');
  await page.context().setOffline(false);
  await page.locator('[data-unsent="back"]').waitFor();
  await judge(page, 'connected again');
  await picture(page, 'connected-again');
  await area.press('Control+Enter');
  await work(other).locator('[data-message="reply"]').getByText('请留意').waitFor();
  await page.locator('[data-writing]').waitFor({ state: 'detached' });

  // Both move at once, the slower with what it saw: the hub refuses, the field is told, and "mine" goes through.
  await page.keyboard.press('2');
  await page.keyboard.press('p');
  await page.getByRole('dialog').locator('select').selectOption('low');
  await page.getByRole('dialog').locator('textarea').fill('已无危险');
  await other.keyboard.press('2');
  await other.keyboard.press('p');
  await other.getByRole('dialog').locator('select').selectOption('high');
  await other.getByRole('dialog').locator('textarea').fill('再看一下');
  await other.keyboard.press('Control+Enter');
  await other.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByRole('dialog').locator('[data-conflict]').getByText('高').first().waitFor();
  await judge(page, 'conflict in a dialog');
  await page.getByRole('dialog').getByRole('button', { name: '保留我的' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await work(other).locator('header').getByText('高', { exact: true }).waitFor({ state: 'detached' });
  return { told, held, compared, after, offline };
});
