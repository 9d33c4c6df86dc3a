// The supervisor's pages: a ledger that adds up, a message of unproven origin accepted, another replayed and discarded, an
// answer that cannot leave made a call, rule sets.
//
// {staff, secret: of the SMS account, forged: a secret that is not, from: a citizen's telephone, screenshots?: folder};
// returns what each step saw
import { sms } from './citizen.mjs';
import { journey, logIn, SCREENS } from './harness.mjs';

const EXPECTED = [/status of 401/, /status of 409/];

await journey(async ({ base, given, staff, open, judge }) => {
  const { secret, forged, from, department } = given;
  const picture = async (page, name) => {
    if (given.screenshots) await page.screenshot({ path: `${given.screenshots}/${name}.png` });
  };
  const look = async (page, name) => {
    await judge(page, name);
    await picture(page, name.replaceAll(' ', '-'));
  };
  // Options of a list hold the same words.
  const told = (page, text) => page.getByText(text).locator('visible=true').first().waitFor();
  await sms(base, secret, from, '人民路的路灯坏了三天，晚上很黑');
  // Kept aside, whatever the sender is told.
  const forge = (text) => sms(base, forged, '+8613800138044', text).catch(() => undefined);
  await forge('解放路的井盖没有了，很危险');
  await forge('点击链接领取奖品');

  const page = await open({ expected: EXPECTED });
  await logIn(page, base, staff('supervisor'), '/health');
  await page.locator('[data-adds-up]').filter({ hasText: '账目平衡' }).waitFor();
  const count = async (name) => Number(await page.locator(`[data-ledger="${name}"]`).innerText());
  const ledger = {};
  for (const name of ['received', 'new', 'quarantined']) ledger[name] = await count(name);
  await look(page, 'health channels');

  // Accept needs a reason, and the message becomes a ticket.
  await page.keyboard.press('2');
  const held = page.getByRole('list', { name: '隔离区' }).getByRole('listitem');
  await page.waitForFunction(() => document.querySelectorAll('[aria-label="隔离区"] li').length === 2);
  await held.first().getByRole('button').click();
  const drawer = page.getByRole('dialog');
  await drawer.locator('pre').waitFor();
  await drawer.getByRole('button', { name: '作为诉求接受' }).click();
  await drawer.getByText('请填写理由').waitFor();
  await look(page, 'health quarantine');
  await drawer.getByLabel('理由').fill('网关更换了密钥，已电话确认');
  await drawer.getByRole('button', { name: '作为诉求接受' }).click();
  await drawer.waitFor({ state: 'detached' });
  await told(page, '已接受');

  // Replayed it is still unproven; it is discarded.
  await page.waitForFunction(() => document.querySelectorAll('[aria-label="隔离区"] li').length === 1);
  await held.first().getByRole('button').click();
  await drawer.getByRole('button', { name: '重放' }).click();
  await drawer.getByText('重放后仍无法接收').waitFor();
  await drawer.getByLabel('理由').fill('诈骗短信');
  await drawer.getByRole('button', { name: '丢弃' }).click();
  await page.getByText('这里没有消息').waitFor();

  // The answer of a department cannot leave: no gateway is set. A call is made of it, and an agent makes the call.
  const agent = await open({ expected: EXPECTED });
  await logIn(agent, base, staff('agent'), '/call-tasks');
  await agent.getByText('没有待回电话').waitFor();
  const handler = await open({ expected: EXPECTED });
  await logIn(handler, base, staff('handler', department), '/me');
  await handler.evaluate(async () => {
    const headers = { 'content-type': 'application/json', 'yingda-console': '1' };
    const ask = async (path, body) => {
      const answer = await fetch(`/api/v1${path}`, body ? { method: 'POST', headers, body: JSON.stringify(body) } : {});
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
      return answer.json();
    };
    const { items } = await ask('/tickets?state=dispatched');
    const ticket = items.find(({ subject }) => subject.includes('路灯'));
    const { version } = await ask(`/tickets/${ticket.number}/sign`, { version: ticket.version });
    await ask(`/tickets/${ticket.number}/replies`, { text: '路灯已修好。', version });
  });
  await handler.context().close();
  await page.keyboard.press('3');
  await page.getByRole('tabpanel').getByLabel('显示').selectOption('queued');
  const stuck = page.locator('[data-delivery="queued"]').filter({ hasText: '答复' });
  await stuck.waitFor();
  await look(page, 'health deliveries');
  await stuck.getByRole('button', { name: '改为电话答复' }).click();
  await told(page, '将由坐席电话答复');
  await agent.getByText('路灯已修好').waitFor();
  const calls = agent.getByRole('list', { name: '待回电话' });
  const number = await calls.locator('p').first().innerText();
  await look(agent, 'call tasks');
  await agent.getByRole('button', { name: '未联系上' }).click();
  await agent.getByRole('button', { name: '记录' }).click();
  await agent.getByText('请说明情况').waitFor();
  await agent.keyboard.press('Escape');
  await agent.getByRole('button', { name: '已联系上' }).click();
  await agent.getByRole('button', { name: '记录' }).click();
  await agent.getByText('没有待回电话').waitFor();
  await agent.context().close();

  await page.goto(`${base}/console/rule-sets`);
  await page.getByText('正在使用').waitFor();
  await look(page, 'rule sets');
  await page.context().close();

  // The other language, dark, on a phone.
  const overflow = [];
  const small = await open({ language: 'en', theme: 'dark', screen: SCREENS.phone, expected: EXPECTED });
  await logIn(small, base, staff('supervisor'), '/health');
  for (const [path, sign] of [
    ['/health', 'It adds up'],
    ['/health?tab=quarantine', 'Nothing here'],
    ['/health?tab=deliveries', 'Deliveries'],
    ['/call-tasks', 'No calls to make'],
    ['/rule-sets', 'Decides now'],
  ]) {
    await small.goto(`${base}/console${path}`);
    await told(small, sign);
    await look(small, `small ${path.replaceAll(/[/?=]/g, ' ')}`);
    if (await small.evaluate(() => document.documentElement.scrollWidth > innerWidth)) overflow.push(path);
  }
  return { ledger, number, overflow };
});
